//! Container metrics with cAdvisor's names, labels and units, read from control groups.
//!
//! A collection is one pass: list the cgroups (`hierarchy`), read each one's kernel files (`v1`, `v2`), ask
//! the container engine's socket who is who (`engine`), and turn the result into families (`families`).
//! Nothing runs between scrapes. A host without any engine still shows `/` and every slice.
//!
//! Words: a *cgroup id* is its path below the hierarchy's root, as cAdvisor shows it in the label `id`
//! (`/`, `/system.slice`, `/docker/<64 hex>`). A *container* is a cgroup whose last name holds an engine's
//! 64-digit id.

mod engine;
mod families;
mod files;
mod hierarchy;
mod http;
mod machine;
mod network;
mod stats;
mod v1;
mod v2;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

pub use engine::{EngineContainer, EngineError};
pub use families::families;
pub use hierarchy::{CGROUPS_MAX, DEPTH_MAX, Kind};
pub use machine::Machine;
pub use stats::{BlockDevice, Cpu, FileSystem, Interface, Memory, Pressure, Spec, Stats};

use engine::Engine;
use hierarchy::Hierarchy;

/// After an engine failed to answer it is left alone for this long: scrapes must not wait for it each time.
const ENGINE_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub struct Settings {
    pub cgroup: PathBuf,
    pub proc: PathBuf,
    pub sys: PathBuf,
    pub root: PathBuf,
    /// Unix sockets that speak Docker's API, in the order they are tried.
    pub engines: Vec<PathBuf>,
    /// Show the root and engine containers only, not every slice.
    pub docker_only: bool,
    /// One series a CPU on cgroup v1, as the original by default.
    pub per_cpu: bool,
    /// `container_processes` and `container_threads`, off in the original by default.
    pub processes: bool,
    /// Whether every engine label becomes a metric label.
    pub store_labels: bool,
    /// Engine labels that are kept when `store_labels` is off.
    pub label_allow_list: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            cgroup: "/sys/fs/cgroup".into(),
            proc: "/proc".into(),
            sys: "/sys".into(),
            root: "/".into(),
            engines: vec!["/var/run/docker.sock".into(), "/run/podman/podman.sock".into()],
            docker_only: false,
            per_cpu: true,
            processes: false,
            store_labels: true,
            label_allow_list: Vec::new(),
        }
    }
}

/// Everything one collection found.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub taken: SystemTime,
    pub machine: Machine,
    pub cgroups: Vec<Cgroup>,
    /// Containers as the engine knows them, stopped ones included; `None` where no engine answers.
    pub engine: Option<Vec<EngineContainer>>,
    pub engine_version: String,
    /// Cgroups left out because of [`CGROUPS_MAX`] and [`DEPTH_MAX`].
    pub skipped: usize,
    /// Whether the cgroup file system could not be read at all.
    pub failed: bool,
}

/// One cgroup and what is known about it.
#[derive(Debug, Clone)]
pub struct Cgroup {
    /// Its path below the hierarchy's root.
    pub id: String,
    /// The engine's 64-digit id, for containers.
    pub container_id: Option<String>,
    /// What the engine tells; `None` for slices and where no engine answers.
    pub container: Option<EngineContainer>,
    pub spec: Spec,
    pub stats: Stats,
}

/// Reads cgroups; remembers only whether the engine was of use lately.
pub struct ContainerCollector {
    settings: Settings,
    hierarchy: Option<Hierarchy>,
    engine_pause: Mutex<Option<Instant>>,
}

impl ContainerCollector {
    pub fn new(settings: Settings) -> ContainerCollector {
        let hierarchy = Hierarchy::detect(&settings.cgroup);
        if hierarchy.is_none() {
            tracing::warn!(
                service = "cadvisor",
                "no cgroup hierarchy below {}: only machine metrics can be shown",
                settings.cgroup.display()
            );
        }
        ContainerCollector { settings, hierarchy, engine_pause: Mutex::default() }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Which kind of hierarchy the host has; `None` when it has none.
    pub fn kind(&self) -> Option<Kind> {
        self.hierarchy.as_ref().map(Hierarchy::kind)
    }

    /// One pass over all cgroups. Blocking.
    pub fn collect(&self) -> Snapshot {
        let machine = Machine::read(&self.settings);
        let (engine, engine_version) = self.ask_engine();
        let mut snapshot = Snapshot {
            taken: SystemTime::now(),
            machine,
            cgroups: Vec::new(),
            engine: None,
            engine_version,
            skipped: 0,
            failed: self.hierarchy.is_none(),
        };
        if let Some(hierarchy) = &self.hierarchy {
            let listing = hierarchy.list();
            snapshot.skipped = listing.skipped;
            let by_id: BTreeMap<&str, &EngineContainer> =
                engine.iter().flatten().map(|c| (c.id.as_str(), c)).collect();
            let devices = stats::DeviceNames::new(&self.settings.sys);
            for id in listing.ids {
                let container_id = container_id(&id);
                if self.settings.docker_only && container_id.is_none() && id != "/" {
                    continue;
                }
                // A mount unit of systemd carries the id of the container it belongs to; it is none itself.
                if id.ends_with(".mount") {
                    continue;
                }
                let container = container_id.and_then(|id| by_id.get(id)).map(|c| (*c).clone());
                let (spec, mut stats) = hierarchy.read(&id, &self.settings, &devices);
                let (id_is_root, is_container) = (id == "/", container_id.is_some());
                if id_is_root {
                    stats::fill_root(&mut stats, &self.settings);
                } else if is_container {
                    stats.network =
                        network::of_container(&self.settings.proc, container.as_ref(), &stats.first_pid);
                }
                let container_id = container_id.map(str::to_owned);
                snapshot.cgroups.push(Cgroup { id, container_id, container, spec, stats });
            }
        }
        snapshot.engine = engine;
        snapshot
    }

    /// The engine's containers and version, unless it failed a moment ago.
    fn ask_engine(&self) -> (Option<Vec<EngineContainer>>, String) {
        let pause = *self.engine_pause.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if pause.is_some_and(|until| Instant::now() < until) {
            return (None, String::new());
        }
        let mut failed = false;
        for socket in self.settings.engines.iter().filter(|s| s.exists()) {
            match Engine::new(socket).containers() {
                Ok((containers, version)) => return (Some(containers), version),
                Err(e) => {
                    failed = true;
                    tracing::warn!(
                        service = "cadvisor",
                        "the container engine at {} does not answer, names are missing: {e}",
                        socket.display()
                    );
                }
            }
        }
        let until = failed.then(|| Instant::now() + ENGINE_PAUSE);
        *self.engine_pause.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = until;
        (None, String::new())
    }
}

/// The engine's id in the last name of a cgroup path: `<id>`, `docker-<id>.scope`, `libpod-<id>.scope`,
/// `cri-containerd-<id>.scope`, `crio-<id>`.
fn container_id(cgroup: &str) -> Option<&str> {
    let name = cgroup.rsplit('/').next()?;
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let id = name.rsplit(['-', ':']).next()?;
    (id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
}

#[cfg(test)]
mod tests;
