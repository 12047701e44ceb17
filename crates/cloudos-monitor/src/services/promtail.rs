//! Promtail: this host's logs on their way to Loki.

use front::StartError;
use serve_promtail::{FLAGS, Settings};

use super::{Places, Service};

const NAME: &str = "promtail";

pub const SERVICE: Service = Service {
    name: NAME,
    aliases: &[],
    port: 9080,
    about: "log files, journal and containers, pushed to Loki",
    flags: FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("config.file", places.config_file("promtail/promtail-config.yml"));
        flags.set_default("config.expand-env", "true");
        flags.set_default("config.data-dir", places.data.display().to_string());
        flags.set_default("server.http-listen-address", places.listen_host.clone());
        flags.set_default("server.http-listen-port", (9080 + places.port_offset).to_string());
    },
    start: |flags, host| {
        Box::pin(async move {
            let fail = |e: String| StartError::new(NAME, e);
            let settings = Settings::from_flags(&flags).map_err(|e| fail(e.to_string()))?;
            if settings.check_only {
                super::config_is_valid();
            }
            Ok(serve_promtail::start(settings, &host).await?.into())
        })
    },
};
