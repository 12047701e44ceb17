//! A snapshot as metric families: cAdvisor's names, help texts, labels, and timestamps.
//!
//! Every container sample carries the union of all containers' labels, empty where one lacks a label, as
//! in the original. Figures carry the time of their measurement; specifications do not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use expfmt::{Family, LabelPairs, Metric, MetricValue};
use model::MetricType;

use crate::stats::{BlockDevice, Stats};
use crate::{Cgroup, Settings, Snapshot};

/// All families of a snapshot, sorted by name, their samples by label values.
pub fn families(snapshot: &Snapshot, settings: &Settings, version: &str) -> Vec<Family<LabelPairs>> {
    let timestamp = snapshot.taken.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let mut out = Out { families: BTreeMap::new(), timestamp };
    machine(&mut out, snapshot, version);
    let sets: Vec<BTreeMap<String, String>> =
        snapshot.cgroups.iter().map(|c| labels_of(c, settings)).collect();
    let names: BTreeSet<&String> = sets.iter().flat_map(BTreeMap::keys).collect();
    for (cgroup, set) in snapshot.cgroups.iter().zip(&sets) {
        let labels: LabelPairs =
            names.iter().map(|n| ((*n).clone(), set.get(*n).cloned().unwrap_or_default())).collect();
        spec(&mut out.of(&labels, None), cgroup);
        let mut row = out.of(&labels, Some(timestamp));
        figures(&mut row, cgroup, settings, timestamp);
    }
    out.finish()
}

fn labels_of(cgroup: &Cgroup, settings: &Settings) -> BTreeMap<String, String> {
    let mut set: BTreeMap<String, String> = ["image", "name"].map(|n| (n.to_owned(), String::new())).into();
    set.insert("id".into(), cgroup.id.clone());
    let Some(container) = &cgroup.container else { return set };
    set.insert("name".into(), container.name.clone());
    set.insert("image".into(), container.image.clone());
    for (key, value) in &container.labels {
        if settings.store_labels || settings.label_allow_list.contains(key) {
            set.insert(format!("container_label_{}", sanitize(key)), value.clone());
        }
    }
    if settings.store_labels && container.restart_count > 0 {
        set.insert("container_label_restartcount".into(), container.restart_count.to_string());
    }
    set
}

/// Characters that a label name cannot hold become underscores.
fn sanitize(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

struct Out {
    families: BTreeMap<&'static str, Family<LabelPairs>>,
    timestamp: i64,
}

impl Out {
    fn of<'a>(&'a mut self, labels: &'a LabelPairs, timestamp: Option<i64>) -> Row<'a> {
        Row { out: self, labels, timestamp }
    }

    fn finish(self) -> Vec<Family<LabelPairs>> {
        let mut families: Vec<_> = self.families.into_values().collect();
        for family in &mut families {
            let values = |m: &Metric<LabelPairs>| m.labels.iter().map(|l| l.1.clone()).collect::<Vec<_>>();
            family.metrics.sort_by_cached_key(values);
        }
        families
    }
}

/// Samples of one container.
struct Row<'a> {
    out: &'a mut Out,
    labels: &'a LabelPairs,
    timestamp: Option<i64>,
}

impl Row<'_> {
    fn gauge(
        &mut self,
        name: &'static str,
        help: &str,
        extra: &[(&str, &str)],
        value: impl Into<Option<f64>>,
    ) {
        self.push(name, help, MetricType::Gauge, extra, value.into());
    }

    fn counter(
        &mut self,
        name: &'static str,
        help: &str,
        extra: &[(&str, &str)],
        value: impl Into<Option<f64>>,
    ) {
        self.push(name, help, MetricType::Counter, extra, value.into());
    }

    fn push(
        &mut self,
        name: &'static str,
        help: &str,
        kind: MetricType,
        extra: &[(&str, &str)],
        value: Option<f64>,
    ) {
        let Some(value) = value else { return };
        let mut labels = self.labels.clone();
        labels.extend(extra.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        labels.sort_unstable();
        let metric = Metric { labels, value: MetricValue::Number(value), timestamp: self.timestamp };
        let family = self.out.families.entry(name).or_insert_with(|| Family {
            name: name.to_owned(),
            help: help.to_owned(),
            unit: String::new(),
            kind,
            metrics: Vec::new(),
        });
        family.metrics.push(metric);
    }
}

fn machine(out: &mut Out, snapshot: &Snapshot, version: &str) {
    let m = &snapshot.machine;
    let ids = [("boot_id", &m.boot_id), ("machine_id", &m.machine_id), ("system_uuid", &m.system_uuid)];
    let ids: LabelPairs = ids.map(|(n, v)| (n.to_owned(), v.clone())).into();
    let timestamp = Some(out.timestamp);
    let mut row = out.of(&ids, timestamp);
    row.gauge("machine_cpu_cores", "Number of logical CPU cores.", &[], m.cores as f64);
    row.gauge("machine_cpu_physical_cores", "Number of physical CPU cores.", &[], m.physical_cores as f64);
    row.gauge("machine_cpu_sockets", "Number of CPU sockets.", &[], m.sockets as f64);
    row.gauge("machine_memory_bytes", "Amount of memory installed on the machine.", &[], m.memory_bytes);
    row.gauge("machine_swap_bytes", "Amount of swap memory available on the machine.", &[], m.swap_bytes);
    let none = LabelPairs::new();
    let mut row = out.of(&none, None);
    let help = "1 if there was an error while getting machine metrics, 0 otherwise.";
    row.gauge("machine_scrape_error", help, &[], f64::from(u8::from(m.cores == 0)));
    let help = "1 if there was an error while getting container metrics, 0 otherwise";
    row.gauge("container_scrape_error", help, &[], f64::from(u8::from(snapshot.failed)));
    let help = "Control groups left out because of the limits on their number and depth.";
    row.gauge("cloudos_monitor_cgroups_skipped", help, &[], snapshot.skipped as f64);
    let help = "A metric with a constant '1' value labeled by kernel version, OS version, docker version, cadvisor version & cadvisor revision.";
    let labels = [
        ("kernelVersion", m.kernel_version.as_str()),
        ("osVersion", &m.os_version),
        ("dockerVersion", &snapshot.engine_version),
        ("cadvisorVersion", version),
        ("cadvisorRevision", ""),
    ];
    row.gauge("cadvisor_version_info", help, &labels, 1.0);
}

fn spec(row: &mut Row, cgroup: &Cgroup) {
    let made = cgroup.spec.created.and_then(|t: SystemTime| t.duration_since(UNIX_EPOCH).ok());
    let made = made.map_or(0.0, |d| d.as_secs() as f64);
    let engine = |time: fn(&crate::EngineContainer) -> f64| {
        cgroup.container.as_ref().map(time).filter(|t| *t > 0.0).unwrap_or(made)
    };
    let help = "Container creation time since unix epoch in seconds.";
    row.gauge("container_creation_time_seconds", help, &[], engine(|c| c.created));
    let help = "Start time of the container since unix epoch in seconds.";
    row.gauge("container_start_time_seconds", help, &[], engine(|c| c.started));
    let s = &cgroup.spec;
    row.gauge("container_spec_cpu_period", "CPU period of the container.", &[], s.cpu_period);
    row.gauge("container_spec_cpu_quota", "CPU quota of the container.", &[], s.cpu_quota);
    row.gauge("container_spec_cpu_shares", "CPU share of the container.", &[], s.cpu_shares);
    row.gauge("container_spec_memory_limit_bytes", "Memory limit for the container.", &[], s.memory_limit);
    let help = "Memory swap limit for the container.";
    row.gauge("container_spec_memory_swap_limit_bytes", help, &[], s.memory_swap_limit);
    let help = "Memory reservation limit for the container.";
    row.gauge("container_spec_memory_reservation_limit_bytes", help, &[], s.memory_reservation);
}

fn figures(row: &mut Row, cgroup: &Cgroup, settings: &Settings, timestamp: i64) {
    let stats = &cgroup.stats;
    let seen = (timestamp / 1000) as f64;
    row.gauge("container_last_seen", "Last time a container was seen by the exporter", &[], seen);
    let health = match cgroup.container.as_ref().map_or("", |c| c.health.as_str()) {
        "healthy" => 1.0,
        "" => -1.0,
        _ => 0.0,
    };
    row.gauge("container_health_state", "The result of the container's health check", &[], health);
    cpu(row, cgroup);
    memory(row, stats);
    disks(row, stats);
    network(row, stats);
    pressure(row, stats);
    let help = "Count of out of memory events observed for the container";
    row.counter("container_oom_events_total", help, &[], stats.oom_events);
    if settings.processes {
        let help = "Number of processes running inside the container.";
        row.gauge("container_processes", help, &[], stats.processes);
        row.gauge("container_threads", "Number of threads running inside the container", &[], stats.threads);
        let help = "Maximum number of threads allowed inside the container, infinity if value is zero";
        let max = stats.threads.map(|_| stats.threads_max.unwrap_or(0.0));
        row.gauge("container_threads_max", help, &[], max);
    }
}

fn cpu(row: &mut Row, cgroup: &Cgroup) {
    let Some(cpu) = &cgroup.stats.cpu else { return };
    let help = "Cumulative user cpu time consumed in seconds.";
    row.counter("container_cpu_user_seconds_total", help, &[], cpu.user);
    let help = "Cumulative system cpu time consumed in seconds.";
    row.counter("container_cpu_system_seconds_total", help, &[], cpu.system);
    let (name, help) = ("container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.");
    if cpu.per_cpu.is_empty() {
        row.counter(name, help, &[("cpu", "total")], cpu.usage);
    }
    for (index, seconds) in cpu.per_cpu.iter().enumerate().filter(|(_, s)| **s > 0.0) {
        row.counter(name, help, &[("cpu", &format!("cpu{index:02}"))], *seconds);
    }
    // Without a quota nothing is ever throttled.
    if cgroup.spec.cpu_quota.is_none() {
        return;
    }
    let help = "Number of elapsed enforcement period intervals.";
    row.counter("container_cpu_cfs_periods_total", help, &[], cpu.periods);
    let help = "Number of throttled period intervals.";
    row.counter("container_cpu_cfs_throttled_periods_total", help, &[], cpu.throttled_periods);
    let help = "Total time duration the container has been throttled.";
    row.counter("container_cpu_cfs_throttled_seconds_total", help, &[], cpu.throttled);
    let help = "Number of periods when burst occurs.";
    row.counter("container_cpu_cfs_burst_periods_total", help, &[], cpu.burst_periods);
    let help = "Total time duration when burst occurs.";
    row.counter("container_cpu_cfs_burst_seconds_total", help, &[], cpu.burst);
}

fn memory(row: &mut Row, stats: &Stats) {
    let Some(m) = &stats.memory else { return };
    row.gauge("container_memory_cache", "Number of bytes of page cache memory.", &[], m.cache);
    row.gauge("container_memory_rss", "Size of RSS in bytes.", &[], m.rss);
    let help = "Size of kernel memory allocated in bytes.";
    row.gauge("container_memory_kernel_usage", help, &[], m.kernel);
    row.gauge("container_memory_mapped_file", "Size of memory mapped files in bytes.", &[], m.mapped_file);
    row.gauge("container_memory_swap", "Container swap usage in bytes.", &[], m.swap);
    row.counter("container_memory_failcnt", "Number of memory usage hits limits", &[], m.fail_count);
    let help = "Current memory usage in bytes, including all memory regardless of when it was accessed";
    row.gauge("container_memory_usage_bytes", help, &[], m.usage);
    row.gauge("container_memory_max_usage_bytes", "Maximum memory usage recorded in bytes", &[], m.max_usage);
    row.gauge("container_memory_working_set_bytes", "Current working set in bytes.", &[], m.working_set());
    let help = "Current total active file in bytes.";
    row.gauge("container_memory_total_active_file_bytes", help, &[], m.active_file);
    let help = "Current total inactive file in bytes.";
    row.gauge("container_memory_total_inactive_file_bytes", help, &[], m.inactive_file);
    for (kind, value) in [("pgfault", m.page_faults), ("pgmajfault", m.major_faults)] {
        for scope in ["container", "hierarchy"] {
            let help = "Cumulative count of memory allocation failures.";
            row.counter(
                "container_memory_failures_total",
                help,
                &[("failure_type", kind), ("scope", scope)],
                value,
            );
        }
    }
}

fn disks(row: &mut Row, stats: &Stats) {
    let of = |list: &[(String, f64)], op: &str| list.iter().find(|(name, _)| name == op).map(|(_, v)| *v);
    for BlockDevice { major, minor, name, bytes, requests } in &stats.devices {
        let device = [("device", name.as_str())];
        let help = "Cumulative count of bytes read";
        row.counter("container_fs_reads_bytes_total", help, &device, of(bytes, "Read"));
        let help = "Cumulative count of bytes written";
        row.counter("container_fs_writes_bytes_total", help, &device, of(bytes, "Write"));
        let help = "Cumulative count of reads completed";
        row.counter("container_fs_reads_total", help, &device, of(requests, "Read"));
        let help = "Cumulative count of writes completed";
        row.counter("container_fs_writes_total", help, &device, of(requests, "Write"));
        for (operation, value) in bytes {
            let labels =
                [("device", name.as_str()), ("major", major), ("minor", minor), ("operation", operation)];
            row.counter("container_blkio_device_usage_total", "Blkio Device bytes usage", &labels, *value);
        }
    }
    for fs in &stats.file_systems {
        let device = [("device", fs.device.as_str())];
        let help = "Number of bytes that can be consumed by the container on this filesystem.";
        row.gauge("container_fs_limit_bytes", help, &device, fs.limit);
        let help = "Number of bytes that are consumed by the container on this filesystem.";
        row.gauge("container_fs_usage_bytes", help, &device, fs.usage);
        row.gauge("container_fs_inodes_total", "Number of Inodes", &device, fs.inodes);
        row.gauge("container_fs_inodes_free", "Number of available Inodes", &device, fs.inodes_free);
    }
}

const RECEIVE: [(&str, &str); 4] = [
    ("container_network_receive_bytes_total", "Cumulative count of bytes received"),
    ("container_network_receive_packets_total", "Cumulative count of packets received"),
    ("container_network_receive_errors_total", "Cumulative count of errors encountered while receiving"),
    (
        "container_network_receive_packets_dropped_total",
        "Cumulative count of packets dropped while receiving",
    ),
];

const TRANSMIT: [(&str, &str); 4] = [
    ("container_network_transmit_bytes_total", "Cumulative count of bytes transmitted"),
    ("container_network_transmit_packets_total", "Cumulative count of packets transmitted"),
    ("container_network_transmit_errors_total", "Cumulative count of errors encountered while transmitting"),
    (
        "container_network_transmit_packets_dropped_total",
        "Cumulative count of packets dropped while transmitting",
    ),
];

fn network(row: &mut Row, stats: &Stats) {
    for interface in &stats.network {
        let labels = [("interface", interface.name.as_str())];
        for (table, values) in [(&RECEIVE, &interface.receive), (&TRANSMIT, &interface.transmit)] {
            for ((name, help), value) in table.iter().zip(values) {
                row.counter(name, help, &labels, *value);
            }
        }
    }
}

fn pressure(row: &mut Row, stats: &Stats) {
    for (stall, names, what) in [
        (
            stats.pressure.cpu,
            ["container_pressure_cpu_waiting_seconds_total", "container_pressure_cpu_stalled_seconds_total"],
            "CPU",
        ),
        (
            stats.pressure.memory,
            [
                "container_pressure_memory_waiting_seconds_total",
                "container_pressure_memory_stalled_seconds_total",
            ],
            "memory",
        ),
        (
            stats.pressure.io,
            ["container_pressure_io_waiting_seconds_total", "container_pressure_io_stalled_seconds_total"],
            "IO",
        ),
    ] {
        let Some((waiting, stalled)) = stall else { continue };
        let help =
            format!("Total time duration tasks in the container have waited due to {what} congestion.");
        row.counter(names[0], &help, &[], waiting);
        let help = format!(
            "Total time duration no tasks in the container could make progress due to {what} congestion."
        );
        row.counter(names[1], &help, &[], stalled);
    }
}
