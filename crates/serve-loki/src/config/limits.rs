//! `limits_config`. Defaults are Loki's, except that the ingestion rate is not limited unless the file
//! says so: a limit in bytes per second that nobody asked for only loses logs on one's own machine.

use serde::{Deserialize, Serialize};

use super::section::{Ignored, section};
use super::values::{ByteSize, Period};

/// Loki refuses shorter retention for single streams.
const RETENTION_STREAM_MIN: Period = Period::hours(24);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionStream {
    pub selector: String,
    #[serde(default)]
    pub priority: i64,
    pub period: Period,
}

section! {
    LimitsConfig {
        ingestion_rate_mb: Option<f64> = None,
        ingestion_burst_size_mb: Option<f64> = None,
        max_line_size: ByteSize = ByteSize::kib(256),
        max_line_size_truncate: bool = false,
        max_label_name_length: usize = 1024,
        max_label_value_length: usize = 2048,
        max_label_names_per_series: usize = 15,
        reject_old_samples: bool = true,
        reject_old_samples_max_age: Period = Period::hours(7 * 24),
        creation_grace_period: Period = Period::seconds(600),
        increment_duplicate_timestamp: bool = false,
        discover_log_levels: bool = true,
        discover_service_name: Vec<String> = default_service_names(),
        log_level_fields: Vec<String> = default_level_fields(),
        allow_structured_metadata: bool = true,
        max_structured_metadata_size: ByteSize = ByteSize::kib(64),
        max_structured_metadata_entries_count: usize = 128,
        max_query_series: usize = 500,
        max_entries_limit_per_query: usize = 5000,
        max_query_length: Period = Period::hours(30 * 24 + 1),
        max_query_range: Period = Period::ZERO,
        max_query_lookback: Period = Period::ZERO,
        query_timeout: Period = Period::seconds(60),
        max_concurrent_tail_requests: usize = 10,
        max_streams_matchers_per_query: usize = 1000,
        volume_enabled: bool = true,
        volume_max_series: usize = 1000,
        required_labels: Vec<String> = Vec::new(),
        minimum_labels_number: usize = 0,
        retention_period: Period = Period::ZERO,
        retention_stream: Vec<RetentionStream> = Vec::new(),
    }
    ignored {
        ingestion_rate_strategy, max_line_size_truncate_identifier, max_local_streams_per_user,
        max_global_streams_per_user, unordered_writes, per_stream_rate_limit, per_stream_rate_limit_burst,
        max_chunks_per_query, max_query_parallelism, tsdb_max_query_parallelism, tsdb_max_bytes_per_shard,
        tsdb_sharding_strategy, tsdb_precompute_chunks, cardinality_limit, max_cache_freshness_per_query,
        max_stats_cache_freshness, max_metadata_cache_freshness, max_queriers_per_tenant,
        max_query_capacity, query_ready_index_num_days, split_queries_by_interval,
        split_metadata_queries_by_interval, split_recent_metadata_queries_by_interval,
        recent_metadata_query_window, split_instant_metric_queries_by_interval,
        split_ingester_queries_by_interval, min_sharding_lookback, max_query_bytes_read,
        max_querier_bytes_read, ruler_evaluation_delay_duration, ruler_max_rules_per_rule_group,
        ruler_max_rule_groups_per_tenant, ruler_alertmanager_config, ruler_tenant_shard_size,
        ruler_remote_write_disabled, ruler_remote_write_url, ruler_remote_write_timeout,
        ruler_remote_write_headers, ruler_remote_write_relabel_configs,
        ruler_remote_write_queue_capacity, ruler_remote_write_queue_min_shards,
        ruler_remote_write_queue_max_shards, ruler_remote_write_queue_max_samples_per_send,
        ruler_remote_write_queue_batch_send_deadline, ruler_remote_write_queue_min_backoff,
        ruler_remote_write_queue_max_backoff, ruler_remote_write_queue_retry_on_ratelimit,
        ruler_remote_write_sigv4_config, ruler_remote_write_config, ruler_remote_evaluation_timeout,
        ruler_remote_evaluation_max_response_size, ruler_enable_wal_replay, deletion_mode,
        allow_deletes, per_tenant_override_config, per_tenant_override_period, shard_streams,
        blocked_queries, index_gateway_shard_size, bloom_gateway_enabled, bloom_gateway_shard_size,
        bloom_gateway_cache_key_interval, bloom_creation_enabled, bloom_planning_strategy,
        bloom_split_series_keyspace_by, bloom_build_max_builders, bloom_build_task_timeout,
        bloom_build_task_max_retries, bloom_build_target_series_chunks_size, bloom_block_encoding,
        bloom_max_block_size, bloom_max_bloom_size, bloom_ngram_length, bloom_ngram_skip,
        bloom_false_positive_rate, bloom_prefetch_blocks, bloom_compactor_enabled,
        bloom_gateway_blocks_downloading_parallelism, otlp_config, otlp_config_enabled,
        global_otlp_config, block_ingestion_until, block_ingestion_status_code, block_ingestion_policy_until,
        enforced_labels, policy_enforced_labels, policy_stream_mapping, policy_override_limits,
        simulated_push_latency, enable_multi_variant_queries, ingestion_partitions_tenant_shard_size,
        pattern_ingester_tokenizable_json_fields_default, pattern_ingester_tokenizable_json_fields_append,
        pattern_ingester_tokenizable_json_fields_delete, pattern_persistence_enabled,
        pattern_persistence_granularity, pattern_rate_threshold, metric_aggregation_enabled,
        s3_sse_type, s3_sse_kms_key_id, s3_sse_kms_encryption_context, log_push_request,
        log_push_request_streams, log_duplicate_metrics, log_duplicate_stream_info, shard_aggregations,
        enforce_metric_name, use_owned_stream_count, discover_generic_fields, debug_engine_tasks,
        debug_engine_streams, max_stats_series, filter_push_request_streams_ips, push_aggregation_enabled,
    }
}

impl LimitsConfig {
    pub fn validate(&self) -> Result<(), String> {
        for rule in &self.retention_stream {
            logql_syntax::parse_matchers(&rule.selector)
                .map_err(|e| format!("retention_stream: selector {:?}: {e}", rule.selector))?;
            if rule.period < RETENTION_STREAM_MIN {
                return Err(format!("retention_stream: period must be >= 24h, was {}", rule.period));
            }
        }
        for (key, value) in [
            ("ingestion_rate_mb", self.ingestion_rate_mb),
            ("ingestion_burst_size_mb", self.ingestion_burst_size_mb),
        ] {
            if value.is_some_and(|v| !v.is_finite() || v < 0.0) {
                return Err(format!("{key} must be a number of at least 0"));
            }
        }
        Ok(())
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn default_service_names() -> Vec<String> {
    owned(&[
        "service",
        "app",
        "application",
        "app_name",
        "name",
        "app_kubernetes_io_name",
        "container",
        "container_name",
        "k8s_container_name",
        "component",
        "workload",
        "job",
        "k8s_job_name",
    ])
}

fn default_level_fields() -> Vec<String> {
    owned(&[
        "level",
        "LEVEL",
        "Level",
        "log.level",
        "severity",
        "SEVERITY",
        "Severity",
        "SeverityText",
        "lvl",
        "LVL",
        "Lvl",
        "severity_text",
        "Severity_Text",
        "SEVERITY_TEXT",
    ])
}
