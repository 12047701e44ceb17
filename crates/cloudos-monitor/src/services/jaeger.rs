//! Jaeger: the trace store behind its door.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use front::StartError;
use serve_jaeger::{FLAGS, Parts, Settings};
use store_traces::{TraceStoreSettings, Traces};

use super::{Places, Service, Started, kernel_metrics, open_store};

const NAME: &str = "jaeger";

pub const SERVICE: Service = Service {
    name: NAME,
    aliases: &["jaeger-all-in-one", "jaeger-query"],
    port: 16686,
    about: "traces: OTLP on 4317 and 4318, query API and pages",
    flags: FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("config", places.config_file("jaeger/jaeger.yml"));
        flags.set_default("storage.path", places.data_dir("jaeger_data"));
        flags.set_default("query.http-server.host-port", places.listen(16686));
        flags.set_default("collector.otlp.grpc.host-port", places.listen(4317));
        flags.set_default("collector.otlp.http.host-port", places.listen(4318));
    },
    start: |flags, host| {
        Box::pin(async move {
            let settings = Settings::from_flags(&flags).map_err(|e| StartError::new(NAME, e))?;
            let directory = settings.storage_path.clone();
            let retention = Duration::from_millis(settings.retention_ms.max(0) as u64);
            let store = open_store(NAME, move || {
                let settings = TraceStoreSettings { retention, ..TraceStoreSettings::default() };
                Traces::open(Path::new(&directory), settings, Arc::new(platform::SystemClock::new()))
            })
            .await?;
            let store = Arc::new(store);
            let metrics = store.clone();
            kernel_metrics::register(&host.registry, NAME, move |read| read(metrics.kernel_metrics()));
            let running = serve_jaeger::start(settings, Parts { store: store.clone() }, &host).await?;
            let close = Box::new(move || {
                if let Err(e) = store.close() {
                    tracing::error!(service = NAME, "closing the trace store: {e}");
                }
            });
            Ok(Started { running, close: vec![close] })
        })
    },
};
