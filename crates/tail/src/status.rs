//! What is followed right now, for those who ask.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    pub targets: Vec<TargetStatus>,
    /// Targets that relabelling dropped, with the reason.
    pub dropped: Vec<DroppedTarget>,
}

impl Status {
    /// Whether anything is being followed.
    pub fn ready(&self) -> bool {
        self.targets.iter().any(|target| target.ready)
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct TargetStatus {
    pub job: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub ready: bool,
    pub labels: BTreeMap<String, String>,
    #[serde(rename = "discoveredLabels")]
    pub discovered_labels: BTreeMap<String, String>,
    /// Path and position of each file, or the journal's cursor.
    pub details: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct DroppedTarget {
    pub job: String,
    pub reason: String,
    #[serde(rename = "discoveredLabels")]
    pub discovered_labels: BTreeMap<String, String>,
}
