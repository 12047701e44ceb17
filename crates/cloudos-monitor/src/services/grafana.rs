//! Grafana: pages, dashboards, data source proxy.

use front::StartError;
use serve_grafana::{FLAGS, Settings};

use super::{Places, Service};

const NAME: &str = "grafana";

pub const SERVICE: Service = Service {
    name: NAME,
    aliases: &["grafana-server"],
    port: 3000,
    about: "dashboards, explore, and the web app",
    flags: FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("config.dir", places.config.display().to_string());
        flags.set_default("data.path", places.data_dir("grafana_data"));
        flags.set_default("web.listen-address", places.listen(3000));
    },
    start: |flags, host| {
        Box::pin(async move {
            let settings = Settings::from_flags(&flags).map_err(|e| StartError::new(NAME, e))?;
            Ok(serve_grafana::start(settings, &host).await?.into())
        })
    },
};
