//! Sorting alerts into groups, and flushing these when they are due.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use model::{Labels, TimestampNs};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::group::Group;
use crate::manager::lock;
use crate::pipeline::Pipeline;
use crate::route::{RouteId, RouteTree};
use crate::schedule::Schedule;

/// All groups of one configuration. A new configuration gets a new dispatcher.
pub(crate) struct Dispatcher {
    pub routes: RouteTree,
    pub pipeline: Arc<Pipeline>,
    groups: Mutex<HashMap<(RouteId, Labels), Arc<Group>>>,
    schedule: Arc<Schedule>,
    stop: CancellationToken,
}

impl Dispatcher {
    /// No group is flushed before `start`. Must be called within a runtime.
    pub fn new(
        routes: RouteTree,
        pipeline: Arc<Pipeline>,
        start: Instant,
        stop: CancellationToken,
    ) -> Dispatcher {
        let schedule = Arc::new(Schedule::default());
        let dispatcher = Dispatcher { routes, pipeline, groups: Mutex::default(), schedule, stop };
        let (schedule, pipeline) = (dispatcher.schedule.clone(), dispatcher.pipeline.clone());
        let stop = dispatcher.stop.clone();
        tokio::spawn(async move {
            let flush = |due, group| flush(due, group, &schedule, &pipeline, &stop);
            schedule.run(start, stop.clone(), flush).await;
        });
        dispatcher
    }

    /// Puts alerts into the group of every route they take. New groups begin to run when all are in, so
    /// that alerts that came together are told together.
    pub fn dispatch(&self, alerts: &[Arc<Alert>], now: TimestampNs) {
        let mut due: Vec<Arc<Group>> = Vec::new();
        for alert in alerts {
            for route in self.routes.matching(&alert.labels) {
                let labels = route.group_labels(&alert.labels);
                // Held while the alert goes in: a group found here is not dropped before that.
                let mut groups = lock(&self.groups);
                let mut is_new = false;
                let group = groups.entry((route.id, labels)).or_insert_with_key(|(_, labels)| {
                    is_new = true;
                    Arc::new(Group::new(route.clone(), labels.clone()))
                });
                let hurries = group.insert(alert.clone(), now);
                if (is_new || hurries) && due.last().is_none_or(|last| !Arc::ptr_eq(last, group)) {
                    due.push(group.clone());
                }
                if is_new {
                    self.pipeline.metrics.groups.set(groups.len() as f64);
                }
            }
        }
        for group in due {
            self.schedule.add(group.due(), group);
        }
    }

    pub fn groups(&self) -> Vec<Arc<Group>> {
        lock(&self.groups).values().cloned().collect()
    }

    /// Drops groups that have nothing left to tell.
    pub fn maintain(&self) {
        let mut groups = lock(&self.groups);
        groups.retain(|_, group| !group.close_if_done());
        self.pipeline.metrics.groups.set(groups.len() as f64);
    }

    /// Stops all timers; what is being sent right now is abandoned and sent by the next dispatcher.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

/// Flushes a group whose time has come, in a task of its own.
fn flush(
    due: Instant,
    group: Arc<Group>,
    schedule: &Arc<Schedule>,
    pipeline: &Arc<Pipeline>,
    stop: &CancellationToken,
) {
    let Some((next, is_free)) = group.begin(due) else {
        return;
    };
    if is_free {
        let (group, pipeline, stop) = (group.clone(), pipeline.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = group.flush(&pipeline) => {}
            }
        });
    }
    schedule.add(next, group);
}
