//! Processes and threads: how many, in which state, and the kernel's limits.

use std::collections::BTreeMap;
use std::path::Path;

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::{names, number_file};

/// Processes beyond this number are counted without their threads' states.
const DETAILED_MAX: usize = 20_000;

pub fn update(s: &mut Scrape) -> Outcome {
    let base = s.settings.paths.proc.clone();
    let (mut pids, mut threads) = (0usize, 0.0);
    let mut states: BTreeMap<char, u64> = BTreeMap::new();
    let mut thread_states: BTreeMap<char, u64> = BTreeMap::new();
    for pid in names(&base)?.iter().filter(|n| n.bytes().all(|b| b.is_ascii_digit())) {
        let dir = base.join(pid);
        // A process may end between the listing and the look at it.
        let Some((state, count)) = stat(s, &dir.join("stat")) else { continue };
        pids += 1;
        threads += count;
        *states.entry(state).or_default() += 1;
        if pids > DETAILED_MAX {
            continue;
        }
        if count == 1.0 && dir.join("task").is_dir() {
            // The only thread is the process itself.
            *thread_states.entry(state).or_default() += 1;
            continue;
        }
        for thread in names(&dir.join("task")).unwrap_or_default() {
            if let Some((state, _)) = stat(s, &dir.join("task").join(thread).join("stat")) {
                *thread_states.entry(state).or_default() += 1;
            }
        }
    }
    s.out.gauge("node_processes_threads", "Allocated threads in system", &[], threads);
    for (state, count) in states {
        let state = state.to_string();
        let help = "Number of processes in each state.";
        s.out.gauge("node_processes_state", help, &[("state", &state)], count as f64);
    }
    for (state, count) in thread_states {
        let state = state.to_string();
        let help = "Number of threads in each state.";
        s.out.gauge("node_processes_threads_state", help, &[("thread_state", &state)], count as f64);
    }
    s.out.gauge("node_processes_pids", "Number of PIDs", &[], pids as f64);
    for (file, name, help) in [
        ("sys/kernel/threads-max", "node_processes_max_threads", "Limit of threads in the system"),
        ("sys/kernel/pid_max", "node_processes_max_processes", "Number of max PIDs limit"),
    ] {
        let value = number_file(&base.join(file));
        let value = value.ok_or_else(|| Failure::broken(format!("cannot read {file}")))?;
        s.out.gauge(name, help, &[], value);
    }
    Ok(())
}

/// State and number of threads of a `stat` file. The command name may hold spaces and parentheses.
fn stat(s: &mut Scrape, path: &Path) -> Option<(char, f64)> {
    let text = s.reader.text(path).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 20 of proc(5); the state is field 3.
    let threads = fields.nth(16)?.parse().ok()?;
    Some((state, threads))
}
