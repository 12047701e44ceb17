//! Loki's configuration file.
//!
//! Every key of Loki's own file is known, so that existing files load and a misspelt key is refused with
//! file, line and name. Keys that mean something on one machine are typed; those of Loki's distributed
//! parts (rings, gateways, caches, queues) are read and left alone.

mod limits;
mod section;
mod values;

use std::path::PathBuf;

use model::Matcher;
use serde::Serialize;

pub use limits::LimitsConfig;
use section::{Ignored, section};
pub use values::Period;

section! {
    /// The whole file.
    Config {
        target: String = "all".into(),
        auth_enabled: bool = false,
        server: ServerConfig = ServerConfig::default(),
        common: CommonConfig = CommonConfig::default(),
        limits_config: LimitsConfig = LimitsConfig::default(),
        querier: QuerierConfig = QuerierConfig::default(),
        compactor: CompactorConfig = CompactorConfig::default(),
        schema_config: SchemaConfig = SchemaConfig::default(),
    }
    ignored {
        no_auth_tenant, lbac, ballast_bytes, ui, distributor, query_engine, query_scheduler, frontend,
        query_range, ruler, ruler_storage, ingester_client, ingester, pattern_ingester, index_gateway,
        bloom_build, bloom_gateway, bloom_compactor, storage_config, chunk_store_config,
        compactor_grpc_client, frontend_worker, table_manager, memberlist, kafka_config, dataobj,
        ingest_limits, ingest_limits_frontend, ingest_limits_frontend_client, ingest_limits_client,
        runtime_config, operational_config, tracing, analytics, profiling, tenant_limits_allow_publish,
        shutdown_delay, metrics_namespace, block_builder, block_scheduler, memory_ballast,
    }
}

section! {
    ServerConfig {
        http_listen_address: String = String::new(),
        http_listen_port: u16 = 3100,
        log_level: String = "info".into(),
        graceful_shutdown_timeout: Period = Period::seconds(30),
        http_server_read_timeout: Period = Period::seconds(30),
        http_server_write_timeout: Period = Period::seconds(30),
    }
    ignored {
        http_listen_network, http_listen_conn_limit, grpc_listen_network, grpc_listen_address,
        grpc_listen_port, grpc_listen_conn_limit, tls_cipher_suites, tls_min_version, http_tls_config,
        grpc_tls_config, register_instrumentation, report_grpc_codes_in_instrumentation_label_enabled,
        http_server_idle_timeout, http_server_read_header_timeout, http_log_closed_connections_without_response_enabled,
        grpc_server_max_recv_msg_size, grpc_server_max_send_msg_size, grpc_server_max_concurrent_streams,
        grpc_server_max_connection_idle, grpc_server_max_connection_age, grpc_server_max_connection_age_grace,
        grpc_server_keepalive_time, grpc_server_keepalive_timeout, grpc_server_min_time_between_pings,
        grpc_server_ping_without_stream_allowed, grpc_server_num_workers, grpc_server_stats_tracking_enabled,
        grpc_server_recv_buffer_pools_enabled, log_format, log_source_ips_enabled, log_source_ips_full,
        log_source_ips_header, log_source_ips_regex, log_request_headers,
        log_request_at_info_level_enabled, log_request_exclude_headers_list, http_path_prefix,
        proxy_protocol_enabled, trace_request_headers, trace_request_exclude_headers_list,
        throughput_config,
    }
}

section! {
    CommonConfig {
        path_prefix: String = String::new(),
        storage: CommonStorage = CommonStorage::default(),
    }
    ignored {
        replication_factor, ring, instance_addr, instance_interface_names, instance_enable_ipv6, persist_tokens,
        compactor_address, compactor_grpc_address,
    }
}

section! {
    CommonStorage {
        filesystem: FilesystemConfig = FilesystemConfig::default(),
    }
    ignored { s3, gcs, azure, alibabacloud, bos, swift, hedging, cos, congestion_control, object_store }
}

section! {
    FilesystemConfig {
        chunks_directory: String = String::new(),
        rules_directory: String = String::new(),
    }
    ignored { }
}

section! {
    QuerierConfig {
        max_concurrent: usize = 4,
        tail_max_duration: Period = Period::seconds(3600),
    }
    ignored {
        extra_query_delay, query_ingesters_within, engine, query_store_only, query_ingester_only,
        multi_tenant_queries_enabled, per_request_limits_enabled, query_partition_ingesters,
        engine_v2, query_timeout,
    }
}

section! {
    CompactorConfig {
        working_directory: String = String::new(),
        retention_enabled: bool = false,
        delete_request_store: String = String::new(),
    }
    ignored {
        compaction_interval, apply_retention_interval, retention_delete_delay,
        retention_delete_worker_count, retention_table_timeout, retention_backoff_config,
        delete_request_store_key_prefix, delete_request_store_db_type, backup_delete_request_store_db_type,
        delete_batch_size, delete_request_cancel_period, delete_max_interval, max_compaction_parallelism,
        upload_parallelism, compactor_ring, tables_to_compact, skip_latest_n_tables, shared_store,
        shared_store_key_prefix, deletion_mode, horizontal_scaling_mode, worker_config, jobs_config,
        run_once,
    }
}

section! {
    SchemaConfig {
        configs: Vec<PeriodConfig> = Vec::new(),
    }
    ignored { }
}

section! {
    PeriodConfig {
        from: String = String::new(),
        store: String = String::new(),
        object_store: String = String::new(),
        schema: String = String::new(),
    }
    ignored { index, chunks, row_shards }
}

/// Retention of the streams that a selector picks.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionRule {
    pub matchers: Vec<Matcher>,
    /// The rule with the highest priority wins; of equals the shortest.
    pub priority: i64,
    pub period_ms: i64,
}

/// What the file says about storage, for whoever opens the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StorageNeeds {
    /// Where data lives; `None` leaves it to the program.
    pub directory: Option<PathBuf>,
    /// How long entries are kept; 0 keeps them for ever.
    pub retention_ms: i64,
    pub retention_rules: Vec<RetentionRule>,
}

impl Config {
    pub fn storage_needs(&self) -> StorageNeeds {
        let directories = [&self.common.path_prefix, &self.common.storage.filesystem.chunks_directory];
        let directory = directories.into_iter().find(|d| !d.is_empty()).map(PathBuf::from);
        if !self.compactor.retention_enabled {
            return StorageNeeds { directory, retention_ms: 0, retention_rules: Vec::new() };
        }
        let rules = self.limits_config.retention_stream.iter().filter_map(|rule| {
            let matchers = logql_syntax::parse_matchers(&rule.selector).ok()?;
            Some(RetentionRule { matchers, priority: rule.priority, period_ms: rule.period.as_ms() })
        });
        StorageNeeds {
            directory,
            retention_ms: self.limits_config.retention_period.as_ms(),
            retention_rules: rules.collect(),
        }
    }

    /// The settings in effect, as a file.
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).unwrap_or_else(|e| format!("# {e}\n"))
    }
}

impl config::Validate for Config {
    fn validate(&mut self) -> Result<(), String> {
        if self.auth_enabled {
            return Err(
                "auth_enabled: true is not supported: there is one tenant, and it needs no header".into()
            );
        }
        if self.target != "all" {
            return Err(format!("target: {} is not supported: all components run together", self.target));
        }
        for period in &self.schema_config.configs {
            let known = ["v9", "v10", "v11", "v12", "v13", "v14", ""];
            if !known.contains(&period.schema.as_str()) {
                return Err(format!("invalid schema version {:?}", period.schema));
            }
        }
        self.limits_config.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        ::config::parse::<Config>("loki.yml", text).map_err(|e| e.to_string())
    }

    #[test]
    fn the_default_file_of_the_stack_loads() {
        let text = include_str!("../../../../loki/loki-config.yml");
        let config = parse(&::config::expand_env(text, |_| None)).unwrap();
        let needs = config.storage_needs();
        assert_eq!(needs.directory, Some(PathBuf::from("data/loki_data")));
        assert_eq!(needs.retention_ms, 168 * 3_600_000);
        assert_eq!(config.limits_config.max_line_size.bytes(), 256 * 1024);
    }

    #[test]
    fn defaults_are_loki_s() {
        let config = parse("").unwrap();
        let limits = &config.limits_config;
        assert_eq!((config.server.http_listen_port, limits.max_query_series), (3100, 500));
        assert_eq!(limits.max_query_length.as_ms(), (30 * 24 + 1) * 3_600_000);
        assert_eq!(limits.max_entries_limit_per_query, 5000);
        assert_eq!(config.storage_needs().retention_ms, 0);
        assert!(config.to_yaml().contains("max_query_series: 500"));
    }

    #[test]
    fn wrong_files_are_refused_by_name() {
        let check = |text: &str, part: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("loki.yml") && error.contains(part), "{error}");
        };
        check("server:\n  http_listen_prot: 1\n", ":2:");
        check("server:\n  http_listen_prot: 1\n", "http_listen_prot");
        check("nonsense: 1\n", "nonsense");
        check("limits_config: {max_query_serie: 1}\n", "max_query_serie");
        check("auth_enabled: true\n", "auth_enabled");
        check("limits_config: {max_line_size: lots}\n", "lots");
        check("limits_config: {retention_stream: [{selector: '{', period: 24h}]}\n", "retention_stream");
        check("limits_config: {retention_stream: [{selector: '{a=\"b\"}', period: 1h}]}\n", "24h");
    }

    #[test]
    fn retention_rules_are_read() {
        let text = "compactor: {retention_enabled: true, delete_request_store: filesystem}\n\
            limits_config:\n  retention_period: 30d\n  retention_stream:\n\
            \x20 - {selector: '{job=\"audit\"}', priority: 2, period: 2160h}\n";
        let needs = parse(text).unwrap().storage_needs();
        assert_eq!(needs.retention_ms, 30 * 86_400_000);
        assert_eq!(
            (needs.retention_rules[0].priority, needs.retention_rules[0].period_ms),
            (2, 2160 * 3_600_000)
        );
    }
}
