//! Pushgateway: metrics of jobs that end.

use serve_pushgateway::FLAGS;

use super::{Places, Service};

pub const SERVICE: Service = Service {
    name: "pushgateway",
    aliases: &["prometheus-pushgateway"],
    port: 9091,
    about: "metrics pushed by batch jobs",
    flags: FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("web.listen-address", places.listen(9091));
        flags.set_default("persistence.file", places.data_dir("prometheus_data/pushgateway.data"));
        // The original's five minutes are long for a push that was answered with success.
        flags.set_default("persistence.interval", "1s");
    },
    start: |flags, host| Box::pin(async move { Ok(serve_pushgateway::start(flags, host).await?.into()) }),
};
