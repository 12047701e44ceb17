//! Target groups: addresses with labels, the common currency of all mechanisms.

use std::collections::BTreeMap;

use model::Labels;
use serde::{Deserialize, Serialize};

pub const ADDRESS_LABEL: &str = "__address__";

/// Targets that share labels and a source.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetGroup {
    /// Names the group uniquely within its mechanism.
    pub source: String,
    /// Labels of each target, `__address__` among them.
    pub targets: Vec<Labels>,
    pub labels: Labels,
}

/// A group as written in `static_configs` and in the files of file discovery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StaticConfig {
    pub targets: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl StaticConfig {
    pub fn group(&self, source: impl Into<String>) -> TargetGroup {
        let target = |address: &String| Labels::from_pairs([(ADDRESS_LABEL, address.as_str())]);
        TargetGroup {
            source: source.into(),
            targets: self.targets.iter().map(target).collect(),
            labels: Labels::from_pairs(self.labels.iter().map(|(n, v)| (n.as_str(), v.as_str()))),
        }
    }

    pub fn validate(&self) -> Result<(), String> {
        for target in &self.targets {
            check_address(target)?;
        }
        match self.labels.keys().find(|name| name.is_empty()) {
            Some(name) => Err(format!("{name:?} is not a valid label name")),
            None => Ok(()),
        }
    }
}

/// An address is `host` or `host:port`, never a URL.
pub fn check_address(address: &str) -> Result<(), String> {
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    Ok(())
}
