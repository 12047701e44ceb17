//! Which cgroup hierarchies the host has, and which cgroups are in them.
//!
//! v2: one tree at the mount point. v1: one tree per controller (or per group of controllers, such as
//! `cpu,cpuacct`); a cgroup's id is the same path in each. Hybrid hosts, where v2 is mounted at `unified` for
//! systemd's own use, keep their resource figures in v1 and are read as v1.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::stats::{DeviceNames, Spec, Stats};
use crate::{Settings, v1, v2};

/// At most this many cgroups are shown. A machine with more has an engine gone wild, and every cgroup is about
/// sixty series.
pub const CGROUPS_MAX: usize = 2000;

/// How deep below the root cgroups are looked for; Kubernetes nests five levels.
pub const DEPTH_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    V1,
    V2,
}

#[derive(Debug, Clone)]
pub enum Hierarchy {
    V1 {
        /// Controller name to the root of its tree.
        controllers: BTreeMap<String, PathBuf>,
    },
    V2 {
        root: PathBuf,
    },
}

/// The result of a walk.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Sorted, the root first.
    pub ids: Vec<String>,
    pub skipped: usize,
}

impl Hierarchy {
    pub fn detect(mount: &Path) -> Option<Hierarchy> {
        if mount.join("cgroup.controllers").exists() {
            return Some(Hierarchy::V2 { root: mount.to_owned() });
        }
        let mut controllers = BTreeMap::new();
        for entry in std::fs::read_dir(mount).ok()?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // `unified` and `systemd` hold no resource figures.
            if matches!(name.as_str(), "unified" | "systemd") || !entry.path().is_dir() {
                continue;
            }
            for controller in name.split(',') {
                controllers.entry(controller.to_owned()).or_insert_with(|| entry.path());
            }
        }
        (!controllers.is_empty()).then_some(Hierarchy::V1 { controllers })
    }

    pub fn kind(&self) -> Kind {
        match self {
            Hierarchy::V1 { .. } => Kind::V1,
            Hierarchy::V2 { .. } => Kind::V2,
        }
    }

    /// All cgroups within the limits: on v1 the union over the trees that count resources.
    pub fn list(&self) -> Listing {
        let mut walk = Walk { ids: BTreeSet::new(), skipped: 0 };
        match self {
            Hierarchy::V2 { root } => walk.tree(root, "/", 0),
            Hierarchy::V1 { controllers } => {
                let mut seen = BTreeSet::new();
                for name in ["cpuacct", "cpu", "memory", "blkio", "pids"] {
                    if let Some(root) = controllers.get(name)
                        && seen.insert(root)
                    {
                        walk.tree(root, "/", 0);
                    }
                }
            }
        }
        Listing { ids: walk.ids.into_iter().collect(), skipped: walk.skipped }
    }

    /// Reads one cgroup. Files that do not exist leave their figures out.
    pub fn read(&self, id: &str, settings: &Settings, devices: &DeviceNames) -> (Spec, Stats) {
        let below = |root: &Path| root.join(id.trim_start_matches('/'));
        match self {
            Hierarchy::V2 { root } => v2::read(&below(root), settings, devices),
            Hierarchy::V1 { controllers } => {
                let dir = |controller: &str| controllers.get(controller).map(|root| below(root));
                v1::read(&dir, settings, devices)
            }
        }
    }
}

struct Walk {
    ids: BTreeSet<String>,
    skipped: usize,
}

impl Walk {
    fn tree(&mut self, dir: &Path, id: &str, depth: usize) {
        if !self.ids.contains(id) {
            if self.ids.len() >= CGROUPS_MAX || depth > DEPTH_MAX {
                self.skipped += 1;
                return;
            }
            self.ids.insert(id.to_owned());
        }
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        for entry in entries.flatten() {
            // Links would lead out of the tree, or round in it.
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                let child = if id == "/" { format!("/{name}") } else { format!("{id}/{name}") };
                self.tree(&entry.path(), &child, depth + 1);
            }
        }
    }
}
