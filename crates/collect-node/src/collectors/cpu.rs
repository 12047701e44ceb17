//! CPU time by mode from `/proc/stat`, thermal throttling and isolation from sysfs.

use std::collections::BTreeMap;

use super::{Scrape, cpuinfo};
use crate::failure::Outcome;
use crate::read::{line, names, number, number_file};

/// Ticks a second that the kernel shows to programs; fixed by its ABI.
const USER_HZ: f64 = 100.0;

/// When idle time jumps back by more than this, the CPU was taken out and put back: counting starts anew.
const JUMP_BACK_SECONDS: f64 = 3.0;

const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
const IDLE: usize = 3;
const FIELDS: usize = 10;

/// The highest figures seen per CPU. The kernel's own may step back a little (idle and iowait are
/// estimates on a tickless kernel), and a counter must not.
#[derive(Default)]
pub(crate) struct Seen {
    cpus: BTreeMap<u32, [f64; FIELDS]>,
}

impl Seen {
    fn advance(&mut self, cpu: u32, now: [f64; FIELDS]) -> [f64; FIELDS] {
        let kept = self.cpus.entry(cpu).or_insert(now);
        if now[IDLE] < kept[IDLE] - JUMP_BACK_SECONDS {
            *kept = now;
        }
        for (kept, now) in kept.iter_mut().zip(now) {
            *kept = kept.max(now);
        }
        *kept
    }
}

pub fn update(s: &mut Scrape) -> Outcome {
    if s.settings.cpu_info {
        cpuinfo::update(s)?;
    }
    seconds(s)?;
    topology(s);
    Ok(())
}

fn seconds(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("stat");
    let text = s.reader.text(&path)?;
    let mut seen = crate::lock(&s.state.cpu);
    let mut present = Vec::new();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        let Some(cpu) = fields.next().and_then(|f| f.strip_prefix("cpu")) else { continue };
        // The first line is the sum over all.
        let Ok(index) = cpu.parse::<u32>() else { continue };
        let mut now = [0.0; FIELDS];
        for slot in &mut now {
            // Old kernels have fewer columns.
            let Some(field) = fields.next() else { break };
            *slot = number(field, "stat")? / USER_HZ;
        }
        present.push(index);
        let now = seen.advance(index, now);
        for (mode, value) in MODES.iter().zip(now) {
            let labels = [("cpu", cpu), ("mode", mode)];
            s.out.counter("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.", &labels, value);
        }
        if s.settings.cpu_guest {
            for (mode, value) in ["user", "nice"].iter().zip(&now[MODES.len()..]) {
                let help = "Seconds the CPUs spent in guests (VMs) for each mode.";
                let labels = [("cpu", cpu), ("mode", mode)];
                s.out.counter("node_cpu_guest_seconds_total", help, &labels, *value);
            }
        }
    }
    // A CPU taken offline must not come back with old figures.
    seen.cpus.retain(|cpu, _| present.contains(cpu));
    Ok(())
}

/// What sysfs says about cores. Virtual machines lack most of it, which is no failure.
fn topology(s: &mut Scrape) {
    let base = s.settings.paths.sys("devices/system/cpu");
    let mut cores: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut packages: BTreeMap<String, f64> = BTreeMap::new();
    for name in names(&base).unwrap_or_default() {
        let digits = name.strip_prefix("cpu").unwrap_or("");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let dir = base.join(&name);
        let (Some(package), Some(core)) =
            (line(&dir.join("topology/physical_package_id")), line(&dir.join("topology/core_id")))
        else {
            continue;
        };
        // Hyper-threads of one core, and cores of one package, share their counters.
        if let Some(count) = number_file(&dir.join("thermal_throttle/core_throttle_count")) {
            cores.entry((package.clone(), core)).or_insert(count);
        }
        if let Some(count) = number_file(&dir.join("thermal_throttle/package_throttle_count")) {
            packages.entry(package).or_insert(count);
        }
    }
    for ((package, core), count) in &cores {
        let help = "Number of times this CPU core has been throttled.";
        let labels = [("package", package.as_str()), ("core", core.as_str())];
        s.out.counter("node_cpu_core_throttles_total", help, &labels, *count);
    }
    for (package, count) in &packages {
        let help = "Number of times this CPU package has been throttled.";
        s.out.counter("node_cpu_package_throttles_total", help, &[("package", package)], *count);
    }
    for cpu in cpu_list(&line(&base.join("isolated")).unwrap_or_default()) {
        let help = "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.";
        s.out.gauge("node_cpu_isolated", help, &[("cpu", &cpu.to_string())], 1.0);
    }
}

/// CPUs that one list may name; real machines have fewer, a damaged file may claim more.
const CPUS_MAX: u32 = 8192;

/// `1,3-5,9` as numbers.
fn cpu_list(text: &str) -> Vec<u32> {
    let mut cpus = Vec::new();
    for part in text.split(',').filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            cpus.extend(first..=last.min(CPUS_MAX));
        }
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_never_step_back_unless_the_cpu_was_replaced() {
        let mut seen = Seen::default();
        let at = |idle: f64, user: f64| {
            let mut v = [0.0; FIELDS];
            (v[0], v[IDLE]) = (user, idle);
            v
        };
        assert_eq!(seen.advance(0, at(100.0, 10.0)), at(100.0, 10.0));
        assert_eq!(seen.advance(0, at(99.0, 11.0)), at(100.0, 11.0));
        assert_eq!(seen.advance(0, at(5.0, 1.0)), at(5.0, 1.0));
    }

    #[test]
    fn cpu_lists() {
        let check = |text: &str, expected: &[u32]| assert_eq!(cpu_list(text), expected, "{text}");
        check("", &[]);
        check("1,3-5,9", &[1, 3, 4, 5, 9]);
        check("0-1", &[0, 1]);
        check("nonsense,2", &[2]);
        assert!(cpu_list("0-4294967295").len() <= CPUS_MAX as usize + 1);
    }
}
