//! `/proc/interrupts` and `/proc/softirqs`: counts per CPU.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::number;

/// In the order of the `softirq` line of `/proc/stat`.
pub const SOFTIRQ_VECTORS: [&str; 10] =
    ["hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"];

pub fn interrupts(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("interrupts");
    let text = s.reader.text(&path)?;
    let mut lines = text.lines();
    let head = lines.next().ok_or_else(|| Failure::broken("/proc/interrupts is empty"))?;
    let cpus: Vec<&str> = head.split_ascii_whitespace().map(|c| c.trim_start_matches("CPU")).collect();
    for line in lines {
        let Some((name, rest)) = line.split_once(':') else { continue };
        let (name, mut fields) = (name.trim(), rest.split_ascii_whitespace().peekable());
        let mut values = Vec::with_capacity(cpus.len());
        while values.len() < cpus.len() {
            let Some(Ok(value)) = fields.peek().map(|f| f.parse::<f64>()) else { break };
            values.push(value);
            fields.next();
        }
        // ERR and MIS are one number for the whole machine.
        if values.len() < cpus.len() {
            continue;
        }
        let rest: Vec<&str> = fields.collect();
        // Numbered lines: controller, pin and trigger, then the devices. Named ones: a description.
        let numbered = name.bytes().all(|b| b.is_ascii_digit());
        let (info, devices) = match (numbered, rest.split_first()) {
            (true, Some((controller, devices))) => ((*controller).to_owned(), devices.join(" ")),
            _ => (rest.join(" "), String::new()),
        };
        let device_filter = &s.settings.interrupt_names;
        if device_filter.ignores(&format!("{name};{info};{devices}")) {
            continue;
        }
        for (cpu, value) in cpus.iter().zip(values) {
            if value == 0.0 && !s.settings.interrupt_zeros {
                continue;
            }
            let labels =
                [("cpu", *cpu), ("devices", devices.as_str()), ("info", info.as_str()), ("type", name)];
            s.out.counter("node_interrupts_total", "Interrupt details.", &labels, value);
        }
    }
    Ok(())
}

pub fn softirqs(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("softirqs");
    let text = s.reader.text(&path)?;
    for line in text.lines().skip(1) {
        let Some((kind, values)) = line.split_once(':') else { continue };
        for (cpu, value) in values.split_ascii_whitespace().enumerate() {
            let cpu = cpu.to_string();
            let labels = [("cpu", cpu.as_str()), ("type", kind.trim())];
            let value = number(value, "softirqs")?;
            s.out.counter("node_softirqs_functions_total", "Softirq counts per CPU.", &labels, value);
        }
    }
    Ok(())
}
