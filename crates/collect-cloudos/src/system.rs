//! CPU, memory, disks and network of the host, from the node collectors' families.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use collect_node::Sink;
use expfmt::{Family, LabelPairs, Metric, MetricValue};

/// The node collectors behind these figures.
pub const COLLECTORS: [&str; 4] = ["cpu", "filesystem", "meminfo", "netdev"];

/// Two scrapes closer together than this share one CPU figure: the kernel counts in hundredths of a second.
const WINDOW_MIN: Duration = Duration::from_secs(1);

/// CPU times of an earlier scrape, and the percentages they led to.
#[derive(Default)]
pub struct CpuWindow {
    at: Option<Instant>,
    /// Per CPU: busy and total seconds.
    times: BTreeMap<String, (f64, f64)>,
    percent: BTreeMap<String, f64>,
}

pub fn emit(host: &[Family<LabelPairs>], cpu: &mut CpuWindow, out: &mut Sink) {
    let find = |name: &str| host.iter().find(|f| f.name == name);
    if let Some(seconds) = find("node_cpu_seconds_total") {
        cpu.advance(times(seconds), Instant::now());
        for (core, percent) in &cpu.percent {
            let help = "CPU usage per core in percent since the scrape before.";
            out.gauge("cloudos_system_cpu_usage_percent", help, &[("cpu_core", core)], *percent);
        }
    }
    memory(&|field| number(find(&format!("node_memory_{field}_bytes"))?.metrics.first()?), out);
    disks(&find, out);
    for (family, direction) in
        [("node_network_receive_bytes_total", "rx"), ("node_network_transmit_bytes_total", "tx")]
    {
        for metric in find(family).map_or(&[][..], |f| &f.metrics) {
            if let Some(value) = number(metric) {
                let labels = [("interface", label(metric, "device")), ("direction", direction)];
                let help = "Bytes received and sent per network interface.";
                out.counter("cloudos_system_network_bytes_total", help, &labels, value);
            }
        }
    }
}

impl CpuWindow {
    /// The first figures cover the time since boot, later ones the time since the scrape before.
    fn advance(&mut self, times: BTreeMap<String, (f64, f64)>, now: Instant) {
        if self.at.is_some_and(|at| now.duration_since(at) < WINDOW_MIN) {
            return;
        }
        self.percent = times
            .iter()
            .map(|(core, (busy, total))| {
                let (busy_before, total_before) = self.times.get(core).copied().unwrap_or_default();
                let elapsed = total - total_before;
                let percent = if elapsed > 0.0 { 100.0 * (busy - busy_before) / elapsed } else { 0.0 };
                (core.clone(), percent.clamp(0.0, 100.0))
            })
            .collect();
        self.times = times;
        self.at = Some(now);
    }
}

/// Busy and total seconds per CPU. Waiting for a disk is idle time.
fn times(seconds: &Family<LabelPairs>) -> BTreeMap<String, (f64, f64)> {
    let mut times: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for metric in &seconds.metrics {
        let slot = times.entry(label(metric, "cpu").to_owned()).or_default();
        let value = number(metric).unwrap_or(0.0);
        if !matches!(label(metric, "mode"), "idle" | "iowait") {
            slot.0 += value;
        }
        slot.1 += value;
    }
    times
}

/// `used`, `free` and `cached` sum up to `total`: page cache, buffers and reclaimable kernel memory are cached.
fn memory(bytes: &dyn Fn(&str) -> Option<f64>, out: &mut Sink) {
    let (Some(total), Some(free)) = (bytes("MemTotal"), bytes("MemFree")) else { return };
    let cached: f64 = ["Cached", "Buffers", "SReclaimable"].iter().filter_map(|f| bytes(f)).sum();
    let used = (total - free - cached).max(0.0);
    for (kind, value) in [("total", total), ("used", used), ("free", free), ("cached", cached)] {
        let help = "Memory of the host by type.";
        out.gauge("cloudos_system_memory_usage_bytes", help, &[("type", kind)], value);
    }
}

fn disks<'a>(find: &dyn Fn(&str) -> Option<&'a Family<LabelPairs>>, out: &mut Sink) {
    let (Some(size), Some(free)) = (find("node_filesystem_size_bytes"), find("node_filesystem_free_bytes"))
    else {
        return;
    };
    // Both families list the same file systems in the same order.
    for (size, free) in size.metrics.iter().zip(&free.metrics).filter(|(a, b)| a.labels == b.labels) {
        let (Some(total), Some(free)) = (number(size), number(free)) else { continue };
        for (kind, value) in [("total", total), ("used", total - free), ("free", free)] {
            let labels = [
                ("device", label(size, "device")),
                ("mountpoint", label(size, "mountpoint")),
                ("type", kind),
            ];
            let help = "Space of mounted file systems by type.";
            out.gauge("cloudos_system_disk_usage_bytes", help, &labels, value);
        }
    }
}

fn label<'a>(metric: &'a Metric<LabelPairs>, name: &str) -> &'a str {
    metric.labels.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
}

fn number(metric: &Metric<LabelPairs>) -> Option<f64> {
    match metric.value {
        MetricValue::Number(v) => Some(v),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_cover_the_time_between_scrapes() {
        let times = |busy: f64, total: f64| BTreeMap::from([("0".to_owned(), (busy, total))]);
        let start = Instant::now();
        let mut window = CpuWindow::default();
        let mut check = |seconds: u64, busy: f64, total: f64, expected: f64| {
            window.advance(times(busy, total), start + Duration::from_secs(seconds));
            assert_eq!(window.percent["0"], expected, "after {seconds} s");
        };
        check(0, 25.0, 100.0, 25.0);
        check(10, 30.0, 110.0, 50.0);
        // Too close to the one before: the figure stays.
        check(10, 30.1, 110.1, 50.0);
        check(20, 30.0, 120.0, 0.0);
        // A CPU that was replaced counts from zero again.
        check(30, 1.0, 2.0, 0.0);
    }
}
