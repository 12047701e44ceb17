//! Sorting alerts into groups.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use model::{Labels, TimestampNs};
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::group::Group;
use crate::manager::lock;
use crate::pipeline::Pipeline;
use crate::route::{RouteId, RouteTree};

/// All groups of one configuration. A new configuration gets a new dispatcher.
pub(crate) struct Dispatcher {
    pub routes: RouteTree,
    pub pipeline: Arc<Pipeline>,
    groups: Mutex<HashMap<(RouteId, Labels), Running>>,
    stop: CancellationToken,
}

struct Running {
    group: Arc<Group>,
    stop: CancellationToken,
}

impl Dispatcher {
    pub fn new(routes: RouteTree, pipeline: Arc<Pipeline>, stop: CancellationToken) -> Dispatcher {
        Dispatcher { routes, pipeline, groups: Mutex::default(), stop }
    }

    /// Puts an alert into the group of every route it takes. Must be called within a runtime.
    pub fn dispatch(&self, alert: &Arc<Alert>, now: TimestampNs) {
        for route in self.routes.matching(&alert.labels) {
            let labels = route.group_labels(&alert.labels);
            let mut groups = lock(&self.groups);
            let running = groups.entry((route.id, labels.clone())).or_insert_with(|| {
                let group = Arc::new(Group::new(route.clone(), labels));
                let stop = self.stop.child_token();
                tokio::spawn(group.clone().run(self.pipeline.clone(), stop.clone()));
                Running { group, stop }
            });
            running.group.insert(alert.clone(), now);
            self.pipeline.metrics.groups.set(groups.len() as f64);
        }
    }

    pub fn groups(&self) -> Vec<Arc<Group>> {
        lock(&self.groups).values().map(|running| running.group.clone()).collect()
    }

    /// Drops groups that have nothing left to tell.
    pub fn maintain(&self) {
        let mut groups = lock(&self.groups);
        groups.retain(|_, running| {
            let done = running.group.is_done();
            if done {
                running.stop.cancel();
            }
            !done
        });
        self.pipeline.metrics.groups.set(groups.len() as f64);
    }

    /// Stops all timers; what is being sent right now is abandoned and sent by the next dispatcher.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}
