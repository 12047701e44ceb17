//! Containers: how many in which state, and what each one uses.

use std::collections::BTreeMap;
use std::time::SystemTime;

use collect_container::{Cgroup, Snapshot};
use collect_node::Sink;

/// CPU seconds of each container at an earlier scrape, and the percentages they led to.
#[derive(Default)]
pub struct CpuWindow {
    at: Option<SystemTime>,
    usage: BTreeMap<String, f64>,
    percent: BTreeMap<String, f64>,
}

/// As for the host: closer scrapes share one figure.
const WINDOW_SECONDS_MIN: f64 = 1.0;

pub fn emit(snapshot: &Snapshot, cpu: &mut CpuWindow, out: &mut Sink) {
    let running: Vec<(&str, &Cgroup)> =
        snapshot.cgroups.iter().filter_map(|c| Some((c.container_id.as_deref()?, c))).collect();
    counts(snapshot, running.len(), out);
    let usage = running.iter().filter_map(|(id, c)| Some(((*id).to_owned(), c.stats.cpu.as_ref()?.usage)));
    cpu.advance(usage.collect(), snapshot.taken);
    for (id, cgroup) in running {
        let name = match &cgroup.container {
            Some(container) if !container.name.is_empty() => container.name.as_str(),
            // Nobody knows its name: the short form that engines show.
            _ => id.get(..12).unwrap_or(id),
        };
        let labels = [("container_id", id), ("container_name", name)];
        if let Some(percent) = cpu.percent.get(id) {
            let help = "CPU usage of a container in percent of one core.";
            out.gauge("cloudos_container_cpu_usage_percent", help, &labels, *percent);
        }
        if let Some(memory) = &cgroup.stats.memory {
            let help = "Memory a container uses, in bytes.";
            out.gauge("cloudos_container_memory_usage_bytes", help, &labels, memory.usage);
        }
    }
    for container in snapshot.engine.iter().flatten() {
        let labels = [("container_id", container.id.as_str()), ("container_name", &container.name)];
        let help = "Restarts of a container by its engine.";
        out.counter("cloudos_container_restart_count", help, &labels, container.restart_count as f64);
    }
}

/// With an engine: its states. Without one only running containers can be seen.
fn counts(snapshot: &Snapshot, running: usize, out: &mut Sink) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::from([("running", 0)]);
    match &snapshot.engine {
        None => {
            counts.insert("running", running);
        }
        Some(containers) => {
            // What an engine can have is shown at zero too, so that a change is seen.
            counts.extend([("exited", 0), ("paused", 0)]);
            for container in containers {
                *counts.entry(&container.state).or_default() += 1;
            }
        }
    }
    for (state, count) in counts {
        out.gauge("cloudos_container_count", "Containers by state.", &[("state", state)], count as f64);
    }
}

impl CpuWindow {
    fn advance(&mut self, usage: BTreeMap<String, f64>, now: SystemTime) {
        let elapsed = self.at.and_then(|at| now.duration_since(at).ok()).map(|d| d.as_secs_f64());
        if elapsed.is_some_and(|e| e < WINDOW_SECONDS_MIN) {
            return;
        }
        let percent = |(id, seconds): (&String, &f64)| {
            let before = self.usage.get(id)?;
            Some((id.clone(), (100.0 * (seconds - before) / elapsed?).max(0.0)))
        };
        self.percent = usage.iter().filter_map(percent).collect();
        self.usage = usage;
        self.at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_container_has_a_percentage_from_its_second_scrape_on() {
        let usage = |seconds: f64| BTreeMap::from([("a".to_owned(), seconds)]);
        let start = SystemTime::UNIX_EPOCH;
        let mut window = CpuWindow::default();
        window.advance(usage(5.0), start);
        assert!(window.percent.is_empty());
        window.advance(usage(7.0), start + Duration::from_secs(4));
        assert_eq!(window.percent["a"], 50.0);
        window.advance(BTreeMap::from([("b".to_owned(), 1.0)]), start + Duration::from_secs(8));
        assert!(window.percent.is_empty(), "a is gone, b is new");
    }
}
