//! Which group a series belongs to.

use std::collections::HashMap;

use model::{Labels, METRIC_NAME};

/// `by (…)`, `without (…)`, or one group for everything (`by` nothing).
#[derive(Debug, Clone)]
pub struct Grouping {
    labels: Vec<String>,
    without: bool,
}

impl Grouping {
    pub fn by(labels: Vec<String>) -> Grouping {
        Grouping { labels, without: false }
    }

    pub fn without(labels: Vec<String>) -> Grouping {
        Grouping { labels, without: true }
    }

    /// The labels of the group that `labels` falls into.
    pub fn group_of(&self, labels: &Labels) -> Labels {
        if self.without {
            labels.filter(|name| name != METRIC_NAME && !self.labels.iter().any(|l| l == name))
        } else if self.labels.is_empty() {
            Labels::empty()
        } else {
            labels.filter(|name| self.labels.iter().any(|l| l == name))
        }
    }
}

/// Groups in order of first appearance.
#[derive(Default)]
pub(super) struct Groups<T> {
    pub all: Vec<(Labels, bool, T)>,
    by_labels: HashMap<Labels, usize>,
}

impl<T> Groups<T> {
    pub fn new() -> Groups<T> {
        Groups { all: Vec::new(), by_labels: HashMap::new() }
    }

    /// The state of the group of these labels. A group loses its name if any member does.
    pub fn entry(&mut self, labels: Labels, drop_name: bool, make: impl FnOnce() -> T) -> &mut T {
        let at = match self.by_labels.get(&labels) {
            Some(&at) => at,
            None => {
                self.by_labels.insert(labels.clone(), self.all.len());
                self.all.push((labels, false, make()));
                self.all.len() - 1
            }
        };
        let (_, drop, state) = &mut self.all[at];
        *drop |= drop_name;
        state
    }
}
