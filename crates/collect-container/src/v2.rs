//! Reading a cgroup of the unified hierarchy: one directory with everything.

use std::path::Path;

use crate::Settings;
use crate::files::{number, pair, text, value};
use crate::stats::{BlockDevice, Cpu, DeviceNames, Memory, Pressure, Spec, Stats, stall};

pub fn read(dir: &Path, _settings: &Settings, devices: &DeviceNames) -> (Spec, Stats) {
    let processes = text(&dir.join("cgroup.procs"));
    let events = text(&dir.join("memory.events"));
    let stats = Stats {
        cpu: cpu(dir),
        memory: memory(dir),
        devices: block_devices(&text(&dir.join("io.stat")), devices),
        pressure: Pressure {
            cpu: stall(&text(&dir.join("cpu.pressure"))),
            memory: stall(&text(&dir.join("memory.pressure"))),
            io: stall(&text(&dir.join("io.pressure"))),
        },
        processes: Some(processes.lines().count() as f64),
        threads: number(&dir.join("pids.current")),
        threads_max: number(&dir.join("pids.max")),
        oom_events: value(&events, "oom_kill"),
        first_pid: processes.lines().next().map(str::to_owned),
        ..Stats::default()
    };
    (spec(dir), stats)
}

fn spec(dir: &Path) -> Spec {
    let cpu_max = text(&dir.join("cpu.max"));
    let mut cpu_max = cpu_max.split_ascii_whitespace();
    let (quota, period) = (cpu_max.next(), cpu_max.next());
    let limit = |file: &str| {
        let text = text(&dir.join(file));
        match text.trim() {
            "max" => Some(0.0),
            number => number.parse().ok(),
        }
    };
    Spec {
        created: dir.metadata().and_then(|m| m.modified()).ok(),
        cpu_period: period.and_then(|p| p.parse().ok()),
        cpu_quota: quota.and_then(|q| q.parse().ok()),
        cpu_shares: number(&dir.join("cpu.weight")).map(shares),
        memory_limit: limit("memory.max"),
        memory_swap_limit: limit("memory.swap.max"),
        memory_reservation: limit("memory.high"),
    }
}

/// CPU weight (1 to 10000, default 100) on the v1 scale of shares (2 to 262144), by the kernel's own formula.
fn shares(weight: f64) -> f64 {
    (2.0 + (weight - 1.0) * 262_142.0 / 9_999.0).trunc()
}

fn cpu(dir: &Path) -> Option<Cpu> {
    let stat = text(&dir.join("cpu.stat"));
    let seconds = |key: &str| value(&stat, key).map(|us| us / 1e6);
    Some(Cpu {
        usage: seconds("usage_usec")?,
        user: seconds("user_usec").unwrap_or(0.0),
        system: seconds("system_usec").unwrap_or(0.0),
        per_cpu: Vec::new(),
        periods: value(&stat, "nr_periods"),
        throttled_periods: value(&stat, "nr_throttled"),
        throttled: seconds("throttled_usec"),
        burst_periods: value(&stat, "nr_bursts"),
        burst: seconds("burst_usec"),
    })
}

fn memory(dir: &Path) -> Option<Memory> {
    let stat = text(&dir.join("memory.stat"));
    let usage = number(&dir.join("memory.current"));
    // The root has statistics but no current usage.
    if usage.is_none() && stat.is_empty() {
        return None;
    }
    let field = |key: &str| value(&stat, key).unwrap_or(0.0);
    Some(Memory {
        usage: usage.unwrap_or(0.0),
        max_usage: number(&dir.join("memory.peak")),
        cache: field("file"),
        rss: field("anon"),
        swap: number(&dir.join("memory.swap.current")).unwrap_or(0.0),
        mapped_file: field("file_mapped"),
        kernel: value(&stat, "kernel"),
        active_file: field("active_file"),
        inactive_file: field("inactive_file"),
        // The original has no count of limit hits on v2.
        fail_count: 0.0,
        page_faults: field("pgfault"),
        major_faults: field("pgmajfault"),
    })
}

/// Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`.
fn block_devices(text: &str, names: &DeviceNames) -> Vec<BlockDevice> {
    let mut devices = Vec::new();
    for line in text.lines() {
        let Some((number, figures)) = line.split_once(' ') else { continue };
        let Some((major, minor)) = number.split_once(':') else { continue };
        let list = |keys: [(&str, &str); 2]| {
            keys.iter()
                .filter_map(|(op, key)| Some(((*op).to_owned(), pair(figures, key)?)))
                .collect::<Vec<_>>()
        };
        let bytes = list([("Read", "rbytes"), ("Write", "wbytes")]);
        let requests = list([("Read", "rios"), ("Write", "wios")]);
        if bytes.is_empty() {
            continue;
        }
        let name = names.name(major, minor);
        devices.push(BlockDevice { major: major.to_owned(), minor: minor.to_owned(), name, bytes, requests });
    }
    devices
}

#[cfg(test)]
mod tests {
    #[test]
    fn weights_become_shares() {
        for (weight, expected) in [(1.0, 2.0), (39.0, 998.0), (100.0, 2597.0), (10_000.0, 262_144.0)] {
            assert_eq!(super::shares(weight), expected, "{weight}");
        }
    }
}
