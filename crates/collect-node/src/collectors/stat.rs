//! `/proc/stat` without its CPU lines: interrupts, context switches, forks, boot time, run queue.

use super::Scrape;
use super::interrupts::SOFTIRQ_VECTORS;
use crate::failure::Outcome;
use crate::read::number;

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("stat");
    let text = s.reader.text(&path)?;
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        let key = fields.next().unwrap_or("");
        let mut first = || number(fields.next().unwrap_or(""), "stat");
        match key {
            "intr" => {
                s.out.counter("node_intr_total", "Total number of interrupts serviced.", &[], first()?);
            }
            "ctxt" => {
                let help = "Total number of context switches.";
                s.out.counter("node_context_switches_total", help, &[], first()?);
            }
            "processes" => s.out.counter("node_forks_total", "Total number of forks.", &[], first()?),
            "btime" => s.out.gauge("node_boot_time_seconds", "Node boot time, in unixtime.", &[], first()?),
            "procs_running" => {
                let help = "Number of processes in runnable state.";
                s.out.gauge("node_procs_running", help, &[], first()?);
            }
            "procs_blocked" => {
                let help = "Number of processes blocked waiting for I/O to complete.";
                s.out.gauge("node_procs_blocked", help, &[], first()?);
            }
            "softirq" if s.settings.stat_softirq => {
                let _total = first()?;
                for vector in SOFTIRQ_VECTORS {
                    let value = number(fields.next().unwrap_or(""), "stat")?;
                    let help = "Number of softirq calls.";
                    s.out.counter("node_softirqs_total", help, &[("vector", vector)], value);
                }
            }
            _ => {}
        }
    }
    Ok(())
}
