//! Which labels two series must share to match.

use model::{Labels, METRIC_NAME};

/// `on (…)` or `ignoring (…)`.
#[derive(Debug, Clone)]
pub struct Signature {
    pub labels: Vec<String>,
    pub on: bool,
}

impl Signature {
    fn names(&self, name: &str) -> bool {
        self.labels.iter().any(|l| l == name)
    }

    /// The labels that count. The metric's name never does, unless `on` names it.
    pub fn of(&self, labels: &Labels) -> Labels {
        if self.on {
            labels.filter(|name| self.names(name))
        } else {
            labels.filter(|name| name != METRIC_NAME && !self.names(name))
        }
    }
}
