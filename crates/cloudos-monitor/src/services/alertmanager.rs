//! Alertmanager: routes, silences, notifications.

use front::StartError;
use serve_alertmanager::{FLAGS, Parts, Settings};

use super::{Places, Service};

const NAME: &str = "alertmanager";

pub const SERVICE: Service = Service {
    name: NAME,
    aliases: &["prometheus-alertmanager"],
    port: 9093,
    about: "alerts: routing, grouping, silences, notifications",
    flags: FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("config.file", places.config_file("alertmanager/alertmanager.yml"));
        flags.set_default("storage.path", places.data_dir("alertmanager_data"));
        flags.set_default("web.listen-address", places.listen(9093));
        // Alone among the other services; a cluster is asked for by name.
        flags.set_default("cluster.listen-address", "");
    },
    start: |flags, host| {
        Box::pin(async move {
            let settings = Settings::from_flags(&flags).map_err(|e| StartError::new(NAME, e))?;
            Ok(serve_alertmanager::start(settings, Parts::default(), &host).await?.into())
        })
    },
};
