//! Reading a cgroup of the v1 hierarchies: one directory per controller.

use std::path::PathBuf;

use crate::Settings;
use crate::files::{number, text, value};
use crate::stats::{BlockDevice, Cpu, DeviceNames, Memory, Spec, Stats};

/// Ticks a second of `cpuacct.stat`; fixed by the kernel's ABI.
const USER_HZ: f64 = 100.0;
/// Limits above this are "none": the kernel rounds its largest number to pages.
const MEMORY_MAX: f64 = (1u64 << 62) as f64;

pub fn read(
    dir: &dyn Fn(&str) -> Option<PathBuf>,
    settings: &Settings,
    devices: &DeviceNames,
) -> (Spec, Stats) {
    let mut stats = Stats { cpu: cpu(dir, settings), memory: memory(dir), ..Stats::default() };
    if let Some(dir) = dir("blkio") {
        stats.devices = block_devices(&dir, devices);
    }
    if let Some(dir) = dir("memory") {
        stats.oom_events = value(&text(&dir.join("memory.oom_control")), "oom_kill");
    }
    if let Some(dir) = dir("pids") {
        stats.threads = number(&dir.join("pids.current"));
        stats.threads_max = number(&dir.join("pids.max"));
    }
    let lists = ["cpuacct", "cpu", "memory", "pids"].iter().filter_map(|c| dir(c));
    let processes = lists.map(|d| text(&d.join("cgroup.procs"))).find(|t| !t.is_empty()).unwrap_or_default();
    stats.processes = Some(processes.lines().count() as f64);
    stats.first_pid = processes.lines().next().map(str::to_owned);
    (spec(dir), stats)
}

fn spec(dir: &dyn Fn(&str) -> Option<PathBuf>) -> Spec {
    let file = |controller: &str, name: &str| number(&dir(controller)?.join(name));
    let limit = |name: &str| file("memory", name).map(|v| if v > MEMORY_MAX { 0.0 } else { v });
    let made =
        ["cpu", "cpuacct", "memory", "pids"].iter().filter_map(|c| dir(c)?.metadata().ok()?.modified().ok());
    Spec {
        created: made.min(),
        cpu_period: file("cpu", "cpu.cfs_period_us"),
        cpu_quota: file("cpu", "cpu.cfs_quota_us").filter(|q| *q > 0.0),
        cpu_shares: file("cpu", "cpu.shares"),
        memory_limit: limit("memory.limit_in_bytes"),
        memory_swap_limit: limit("memory.memsw.limit_in_bytes"),
        memory_reservation: limit("memory.soft_limit_in_bytes"),
    }
}

fn cpu(dir: &dyn Fn(&str) -> Option<PathBuf>, settings: &Settings) -> Option<Cpu> {
    let accounting = dir("cpuacct")?;
    let usage = number(&accounting.join("cpuacct.usage"))? / 1e9;
    let split = text(&accounting.join("cpuacct.stat"));
    let mut per_cpu = Vec::new();
    if settings.per_cpu {
        let text = text(&accounting.join("cpuacct.usage_percpu"));
        per_cpu = text.split_ascii_whitespace().map(|f| f.parse().unwrap_or(0.0) / 1e9).collect();
    }
    let throttle = dir("cpu").map(|d| text(&d.join("cpu.stat"))).unwrap_or_default();
    Some(Cpu {
        usage,
        user: value(&split, "user").unwrap_or(0.0) / USER_HZ,
        system: value(&split, "system").unwrap_or(0.0) / USER_HZ,
        per_cpu,
        periods: value(&throttle, "nr_periods"),
        throttled_periods: value(&throttle, "nr_throttled"),
        throttled: value(&throttle, "throttled_time").map(|ns| ns / 1e9),
        burst_periods: value(&throttle, "nr_bursts"),
        burst: value(&throttle, "burst_time").map(|ns| ns / 1e9),
    })
}

fn memory(dir: &dyn Fn(&str) -> Option<PathBuf>) -> Option<Memory> {
    let dir = dir("memory")?;
    let usage = number(&dir.join("memory.usage_in_bytes"))?;
    let stat = text(&dir.join("memory.stat"));
    // With hierarchical accounting (always on since Linux 5.16) the totals include the children.
    let field =
        |key: &str| value(&stat, &format!("total_{key}")).or_else(|| value(&stat, key)).unwrap_or(0.0);
    Some(Memory {
        usage,
        max_usage: number(&dir.join("memory.max_usage_in_bytes")),
        cache: field("cache"),
        rss: field("rss"),
        swap: field("swap"),
        mapped_file: field("mapped_file"),
        kernel: number(&dir.join("memory.kmem.usage_in_bytes")),
        active_file: field("active_file"),
        inactive_file: field("inactive_file"),
        fail_count: number(&dir.join("memory.failcnt")).unwrap_or(0.0),
        page_faults: value(&stat, "pgfault").unwrap_or(0.0),
        major_faults: value(&stat, "pgmajfault").unwrap_or(0.0),
    })
}

/// Lines of `8:0 Read 4096`, and a sum that is no device.
fn block_devices(dir: &std::path::Path, names: &DeviceNames) -> Vec<BlockDevice> {
    let mut devices: Vec<BlockDevice> = Vec::new();
    for (files, requests) in [
        (["blkio.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"], false),
        (["blkio.io_serviced_recursive", "blkio.throttle.io_serviced"], true),
    ] {
        // Which of the two counts depends on the I/O scheduler.
        let texts = files.map(|f| text(&dir.join(f)));
        let Some(text) = texts.iter().find(|t| t.contains(':')) else { continue };
        for line in text.lines() {
            let mut fields = line.split_ascii_whitespace();
            let (Some(number), Some(operation), Some(value)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let (Some((major, minor)), Ok(value)) = (number.split_once(':'), value.parse()) else { continue };
            let at = devices.iter().position(|d| d.major == major && d.minor == minor).unwrap_or_else(|| {
                devices.push(BlockDevice {
                    major: major.to_owned(),
                    minor: minor.to_owned(),
                    name: names.name(major, minor),
                    ..BlockDevice::default()
                });
                devices.len() - 1
            });
            let list = if requests { &mut devices[at].requests } else { &mut devices[at].bytes };
            list.push((operation.to_owned(), value));
        }
    }
    devices
}
