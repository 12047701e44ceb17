//! The three exporters of this host.

use front::StartError;
use serve_exporters::{cadvisor, cloudos_exporter, default_peers, node_exporter};

use super::{Places, Service};

pub const NODE: Service = Service {
    name: "node-exporter",
    aliases: &["prometheus-node-exporter"],
    port: 9100,
    about: "metrics of this host",
    flags: node_exporter::FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("web.listen-address", places.listen(9100));
        // Off in the original; the dashboards show it and it costs little.
        flags.set_default("collector.processes", "true");
    },
    start: |flags, host| {
        Box::pin(async move {
            let settings = node_exporter::Settings::from_flags(&flags);
            let settings = settings.map_err(|e| StartError::new("node-exporter", e))?;
            Ok(node_exporter::start(settings, &host).await?.into())
        })
    },
};

pub const CADVISOR: Service = Service {
    name: "cadvisor",
    aliases: &[],
    port: 8080,
    about: "metrics of containers and slices",
    flags: cadvisor::FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("listen_ip", places.listen_host.clone());
        flags.set_default("port", (8080 + places.port_offset).to_string());
        for (name, value) in cadvisor::UP_DEFAULTS {
            flags.set_default(name, *value);
        }
    },
    start: |flags, host| {
        Box::pin(async move {
            let settings =
                cadvisor::Settings::from_flags(&flags).map_err(|e| StartError::new("cadvisor", e))?;
            Ok(cadvisor::start(settings, &host).await?.into())
        })
    },
};

pub const CLOUDOS: Service = Service {
    name: "cloudos-exporter",
    aliases: &[],
    port: 9200,
    about: "cloudos_* metrics of this host and the stack",
    flags: cloudos_exporter::FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("web.listen-address", places.listen(9200));
        flags.set_default("cluster.peers", default_peers(&places.listen_host, places.port_offset));
    },
    start: |flags, host| {
        Box::pin(async move {
            let settings = cloudos_exporter::Settings::from_flags(&flags);
            let settings = settings.map_err(|e| StartError::new("cloudos-exporter", e))?;
            Ok(cloudos_exporter::start(settings, &host).await?.into())
        })
    },
};
