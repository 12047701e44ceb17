//! The ten services: names, ports, flag tables, and how each is wired and started.

mod alertmanager;
mod exporters;
pub mod grafana;
mod jaeger;
mod kernel_metrics;
mod loki;
mod prometheus;
mod promtail;
mod pushgateway;
mod tsdb_metrics;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use flags::{Flag, Flags};
use front::{CancellationToken, Host, Running, StartError};

/// One row of the service table.
pub struct Service {
    pub name: &'static str,
    /// Other names it answers to, as a command or a symbolic link.
    pub aliases: &'static [&'static str],
    pub port: u16,
    pub about: &'static str,
    pub flags: &'static [Flag],
    /// Flags that `up` (or a start without configuration) sets, given the places of the stack.
    pub defaults: fn(&mut Flags, &Places),
    pub start: fn(Flags, Host) -> Starting,
}

pub type Starting = Pin<Box<dyn Future<Output = Result<Started, StartError>> + Send>>;

/// A running service and what must be closed after it has stopped.
pub struct Started {
    pub running: Running,
    pub close: Vec<Box<dyn FnOnce() + Send>>,
}

impl From<Running> for Started {
    fn from(running: Running) -> Started {
        Started { running, close: Vec::new() }
    }
}

/// Where the stack keeps its things.
pub struct Places {
    pub config: PathBuf,
    pub data: PathBuf,
    /// Host part of the listen addresses.
    pub listen_host: String,
    /// Added to every port: lets several stacks live on one machine.
    pub port_offset: u16,
}

impl Places {
    pub fn listen(&self, port: u16) -> String {
        format!("{}:{}", self.listen_host, self.port(port))
    }

    /// Where a service's usual port is in this stack.
    pub fn port(&self, usual: u16) -> u16 {
        usual.saturating_add(self.port_offset)
    }

    pub fn config_file(&self, path: &str) -> String {
        self.config.join(path).display().to_string()
    }

    pub fn data_dir(&self, name: &str) -> String {
        self.data.join(name).display().to_string()
    }
}

pub const ALL: &[Service] = &[
    prometheus::SERVICE,
    grafana::SERVICE,
    alertmanager::SERVICE,
    loki::SERVICE,
    promtail::SERVICE,
    jaeger::SERVICE,
    exporters::NODE,
    exporters::CADVISOR,
    exporters::CLOUDOS,
    pushgateway::SERVICE,
];

/// Taken by every service beside its own flags.
pub const WEB_CONFIG: Flag =
    Flag::value("web.config.file", "", "Path to configuration file that can enable TLS or authentication.");

/// A service's flags and those that all services take.
pub fn flags_of(service: &Service) -> Vec<Flag> {
    let mut table = service.flags.to_vec();
    if !table.iter().any(|flag| flag.name == WEB_CONFIG.name) {
        table.push(WEB_CONFIG);
    }
    table
}

/// Finds a service by name or alias, in any of the usual spellings.
pub fn find(name: &str) -> Option<&'static Service> {
    let name = name.replace('_', "-").to_ascii_lowercase();
    ALL.iter().find(|s| s.name == name || s.aliases.contains(&name.as_str()))
}

/// What a service sees of the process.
pub fn host(service: &'static str, flags: &Flags, shutdown: &CancellationToken) -> Result<Host, StartError> {
    let web = match flags.get(WEB_CONFIG.name) {
        "" => None,
        path => Some(front::Web::load(path.as_ref()).map_err(|e| StartError::new(service, e))?),
    };
    let shown: BTreeMap<String, String> =
        flags.iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Host {
        web,
        shutdown: shutdown.clone(),
        registry: expfmt::Registry::new(),
        flags: Arc::new(shown),
        started: std::time::SystemTime::now(),
        dashboards: None,
        version: crate::VERSION,
    })
}

/// Opens a store off the event loop: it may have a log to replay.
async fn open_store<T: Send + 'static>(
    service: &'static str,
    open: impl FnOnce() -> Result<T, storage::StoreError> + Send + 'static,
) -> Result<T, StartError> {
    let opened = tokio::task::spawn_blocking(open).await.map_err(|e| StartError::new(service, e))?;
    opened.map_err(|e| StartError::new(service, format!("cannot open the store: {e}")))
}

/// The end of a run that was only asked to check a configuration file.
fn config_is_valid() -> ! {
    println!("config is valid");
    std::process::exit(0)
}
