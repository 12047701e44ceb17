//! Docker discovery: the containers of one engine, with their networks and ports (Engine API, `/containers/json`
//! and `/networks`).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration as Patience;

use client::{Client, HttpClientConfig};
use config::Duration;
use model::Labels;
use serde::Deserialize;

use crate::group::{ADDRESS_LABEL, TargetGroup};
use crate::reply::{escaped, get_json, host_port, sanitized};

/// How long the engine has for one answer.
const PATIENCE: Patience = Patience::from_secs(30);

#[derive(Debug, Clone, PartialEq)]
pub struct DockerSdConfig {
    /// `unix:///var/run/docker.sock`, `tcp://host:port`, `http://…` or `https://…`.
    pub host: String,
    pub port: u16,
    pub filters: Vec<Filter>,
    pub host_networking_host: String,
    pub match_first_network: bool,
    pub refresh_interval: Duration,
    pub client: HttpClientConfig,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

impl Default for DockerSdConfig {
    fn default() -> DockerSdConfig {
        DockerSdConfig {
            host: String::new(),
            port: 80,
            filters: Vec::new(),
            host_networking_host: "localhost".into(),
            match_first_network: true,
            refresh_interval: Duration::from_secs(60),
            client: HttpClientConfig::default(),
        }
    }
}

config::section!(DockerSdConfig {
    host,
    port,
    filters,
    host_networking_host,
    match_first_network,
    refresh_interval,
} inline { client });

impl DockerSdConfig {
    pub fn validate(&self) -> Result<(), String> {
        if self.host.is_empty() {
            return Err("host missing".into());
        }
        match self.host.split_once("://") {
            Some(("unix" | "tcp" | "http" | "https", rest)) if !rest.is_empty() => self.client.validate(),
            _ => Err(format!("unable to parse docker host `{}`", self.host)),
        }
    }

    /// A client for the engine and the address in front of its paths.
    pub(crate) fn connect(&self) -> Result<(Client, String), String> {
        match self.host.split_once("://") {
            Some(("unix", path)) => {
                let client = Client::for_socket(&self.client, false, Path::new(path))?;
                Ok((client, "http://localhost".into()))
            }
            Some(("tcp", address)) => Ok((Client::new(&self.client, false)?, format!("http://{address}"))),
            _ => Ok((Client::new(&self.client, false)?, self.host.trim_end_matches('/').to_owned())),
        }
    }

    pub(crate) async fn fetch(&self, client: &Client, base: &str) -> Result<Vec<TargetGroup>, String> {
        let filters: BTreeMap<&str, &Vec<String>> =
            self.filters.iter().map(|f| (f.name.as_str(), &f.values)).collect();
        let filters = serde_json::to_string(&filters).map_err(|e| e.to_string())?;
        let list = |path: &str| format!("{base}{path}");
        let url = match self.filters.is_empty() {
            true => list("/containers/json"),
            false => list(&format!("/containers/json?filters={}", escaped(&filters))),
        };
        let containers: Vec<Container> = get_json(client, &url, PATIENCE)
            .await
            .map_err(|e| format!("error while listing containers: {e}"))?;
        let networks: Vec<Network> = get_json(client, &list("/networks"), PATIENCE)
            .await
            .map_err(|e| format!("error while computing network labels: {e}"))?;
        Ok(vec![self.group(&containers, &networks)])
    }

    fn group(&self, containers: &[Container], networks: &[Network]) -> TargetGroup {
        let by_id: HashMap<&str, &Container> = containers.iter().map(|c| (c.id.as_str(), c)).collect();
        let networks: HashMap<&str, &Network> = networks.iter().map(|n| (n.id.as_str(), n)).collect();
        let mut targets = Vec::new();
        for container in containers {
            let Some(name) = container.names.first() else { continue };
            let mut common = vec![
                ("__meta_docker_container_id".to_owned(), container.id.clone()),
                ("__meta_docker_container_name".to_owned(), name.clone()),
                ("__meta_docker_container_network_mode".to_owned(), container.host.network_mode.clone()),
            ];
            for (name, value) in container.labels.iter().flatten() {
                common.push((format!("__meta_docker_container_label_{}", sanitized(name)), value.clone()));
            }
            let mut own = shared_networks(container, &by_id);
            if self.match_first_network {
                own.truncate(1);
            }
            for network in own {
                let mut labels = common.clone();
                labels.push(("__meta_docker_network_ip".to_owned(), network.ip_address.clone()));
                if let Some(known) = networks.get(network.network_id.as_str()) {
                    known.labels(&mut labels);
                }
                let mut ports = container.ports.iter().flatten().filter(|p| p.kind == "tcp").peekable();
                if ports.peek().is_none() {
                    let address = match container.host.network_mode.as_str() {
                        "host" => self.host_networking_host.clone(),
                        _ => host_port(&network.ip_address, self.port),
                    };
                    labels.push((ADDRESS_LABEL.to_owned(), address));
                    targets.push(Labels::from_pairs(labels));
                    continue;
                }
                for port in ports {
                    let mut labels = labels.clone();
                    labels.push(("__meta_docker_port_private".into(), port.private.to_string()));
                    if let Some(public) = port.public.filter(|p| *p > 0) {
                        labels.push(("__meta_docker_port_public".into(), public.to_string()));
                        let ip = port.ip.clone().unwrap_or_default();
                        labels.push(("__meta_docker_port_public_ip".into(), ip));
                    }
                    labels.push((ADDRESS_LABEL.into(), host_port(&network.ip_address, port.private)));
                    targets.push(Labels::from_pairs(labels));
                }
            }
        }
        TargetGroup { source: "Docker".into(), targets, labels: Labels::empty() }
    }
}

/// A container's networks by name; one that shares another's (`--network container:…`) has those.
fn shared_networks<'c>(container: &'c Container, by_id: &HashMap<&str, &'c Container>) -> Vec<&'c Endpoint> {
    let mut container = container;
    // A chain cannot be longer than there are containers.
    for _ in 0..=by_id.len() {
        let networks = container.network_settings.networks.iter().flatten();
        let own: Vec<&Endpoint> = networks.filter_map(|(_, endpoint)| endpoint.as_ref()).collect();
        if !own.is_empty() {
            return own;
        }
        let Some(other) = container.host.network_mode.strip_prefix("container:") else { break };
        let Some(next) = by_id.get(other) else { break };
        container = next;
    }
    Vec::new()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Container {
    id: String,
    names: Vec<String>,
    labels: Option<BTreeMap<String, String>>,
    ports: Option<Vec<Port>>,
    #[serde(rename = "HostConfig")]
    host: HostConfig,
    network_settings: NetworkSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    network_mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Option<Endpoint>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "NetworkID")]
    network_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    #[serde(rename = "IP")]
    ip: Option<String>,
    #[serde(rename = "PrivatePort")]
    private: u16,
    #[serde(rename = "PublicPort")]
    public: Option<u16>,
    #[serde(rename = "Type")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    id: String,
    name: String,
    scope: String,
    internal: bool,
    ingress: bool,
    labels: Option<BTreeMap<String, String>>,
}

impl Network {
    fn labels(&self, out: &mut Vec<(String, String)>) {
        out.push(("__meta_docker_network_id".into(), self.id.clone()));
        out.push(("__meta_docker_network_name".into(), self.name.clone()));
        out.push(("__meta_docker_network_scope".into(), self.scope.clone()));
        out.push(("__meta_docker_network_internal".into(), self.internal.to_string()));
        out.push(("__meta_docker_network_ingress".into(), self.ingress.to_string()));
        for (name, value) in self.labels.iter().flatten() {
            out.push((format!("__meta_docker_network_label_{}", sanitized(name)), value.clone()));
        }
    }
}
