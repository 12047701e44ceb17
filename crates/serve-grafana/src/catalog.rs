//! What exists now: data sources and dashboards, provisioned and saved, as one list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::provisioning::{dashboards, datasources};

/// A consistent picture; replaced as a whole.
#[derive(Default)]
pub struct Snapshot {
    pub datasources: Vec<datasources::Datasource>,
    pub providers: Vec<dashboards::Provider>,
    pub dashboards: BTreeMap<PathBuf, dashboards::Provisioned>,
}

impl Snapshot {
    pub fn datasource(&self, uid: &str) -> Option<&datasources::Datasource> {
        self.datasources.iter().find(|d| d.uid == uid)
    }

    /// By uid, by name, or the default one for an empty reference.
    pub fn resolve(&self, reference: &str) -> Option<&datasources::Datasource> {
        if reference.is_empty() || reference == "default" {
            let default = self.datasources.iter().find(|d| d.is_default);
            return default.or(self.datasources.first());
        }
        self.datasource(reference).or_else(|| self.datasources.iter().find(|d| d.name == reference))
    }

    pub fn dashboard(&self, uid: &str) -> Option<&dashboards::Provisioned> {
        self.dashboards.values().find(|d| d.uid == uid)
    }

    /// Folder titles by uid.
    pub fn folders(&self) -> BTreeMap<&str, &str> {
        let named = self.providers.iter().filter(|p| !p.folder_uid.is_empty());
        named.map(|p| (p.folder_uid.as_str(), p.folder.as_str())).collect()
    }
}

pub struct Catalog {
    base: PathBuf,
    current: ArcSwap<Snapshot>,
}

impl Catalog {
    /// Reads everything below `<base>/grafana`; fails when a provisioning file is broken.
    pub fn open(base: &Path) -> Result<Catalog, String> {
        let catalog = Catalog { base: base.to_owned(), current: ArcSwap::default() };
        catalog.reload()?;
        Ok(catalog)
    }

    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Re-reads provisioning files and dashboards; on an error everything stays as it was.
    pub fn reload(&self) -> Result<(), String> {
        let dir = self.base.join("grafana/provisioning");
        let datasources = datasources::load(&dir.join("datasources")).map_err(|e| e.to_string())?;
        let providers =
            dashboards::load_providers(&dir.join("dashboards"), &self.base).map_err(|e| e.to_string())?;
        self.apply(datasources, providers);
        Ok(())
    }

    /// Looks for changed dashboard files.
    pub fn rescan(&self) {
        let now = self.load();
        self.apply(now.datasources.clone(), now.providers.clone());
    }

    fn apply(&self, datasources: Vec<datasources::Datasource>, providers: Vec<dashboards::Provider>) {
        let before = self.load();
        let (dashboards, problems) = dashboards::scan(&providers, &datasources, &before.dashboards);
        for problem in problems {
            tracing::error!("dashboard refused, its last good version stays: {problem}");
        }
        self.current.store(Arc::new(Snapshot { datasources, providers, dashboards }));
    }

    /// How often to look for changed files: the shortest interval asked for, at least a second.
    pub fn interval(&self) -> Duration {
        let seconds = self.load().providers.iter().map(|p| p.update_interval_seconds).min().unwrap_or(10);
        Duration::from_secs(seconds.max(1))
    }
}
