//! What every handler sees.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use alerting::{Alertmanager, MatcherMode};
use expfmt::Gauge;
use front::{Host, Reload};
use serde_json::Value as Json;

use crate::config::{Loaded, compile::ReceiverInfo};
use crate::gate::Gate;

/// Shared by all requests.
#[derive(Clone)]
pub struct Api {
    pub manager: Arc<Alertmanager>,
    pub shown: Arc<RwLock<Shown>>,
    pub reload: Reload,
    pub host: Host,
    pub mode: MatcherMode,
    /// Our place among other Alertmanagers, unless we are alone.
    pub cluster: Option<Arc<gossip::Member>>,
    pub gate: Gate,
}

/// What the API tells about the configuration in force.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub original: String,
    pub json: Json,
    pub receivers: Vec<ReceiverInfo>,
    /// Receiver labels by name.
    pub labels: BTreeMap<String, BTreeMap<String, String>>,
}

impl Shown {
    pub fn of(loaded: &Loaded) -> Shown {
        Shown {
            original: loaded.original.clone(),
            json: loaded.json.clone(),
            receivers: loaded.receivers.clone(),
            labels: loaded.receivers.iter().map(|r| (r.name.clone(), r.labels.clone())).collect(),
        }
    }
}

#[derive(Clone)]
pub struct ReloadMetrics {
    pub successful: Gauge,
    pub at: Gauge,
    pub hash: Gauge,
}

impl Api {
    pub fn shown(&self) -> Shown {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
