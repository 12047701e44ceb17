//! CPU frequencies and governors from sysfs; the kernel reports kilohertz.

use super::Scrape;
use crate::failure::Outcome;
use crate::read::{line, names, number_file};

const FREQUENCIES: &[(&str, &str, &str)] = &[
    ("cpuinfo_cur_freq", "node_cpu_frequency_hertz", "Current CPU thread frequency in hertz."),
    ("cpuinfo_min_freq", "node_cpu_frequency_min_hertz", "Minimum CPU thread frequency in hertz."),
    ("cpuinfo_max_freq", "node_cpu_frequency_max_hertz", "Maximum CPU thread frequency in hertz."),
    ("scaling_cur_freq", "node_cpu_scaling_frequency_hertz", "Current scaled CPU thread frequency in hertz."),
    (
        "scaling_min_freq",
        "node_cpu_scaling_frequency_min_hertz",
        "Minimum scaled CPU thread frequency in hertz.",
    ),
    (
        "scaling_max_freq",
        "node_cpu_scaling_frequency_max_hertz",
        "Maximum scaled CPU thread frequency in hertz.",
    ),
];

pub fn update(s: &mut Scrape) -> Outcome {
    let base = s.settings.paths.sys("devices/system/cpu");
    for name in names(&base)? {
        let Some(cpu) = name.strip_prefix("cpu").filter(|n| n.bytes().all(|b| b.is_ascii_digit())) else {
            continue;
        };
        let dir = base.join(&name).join("cpufreq");
        for (file, metric, help) in FREQUENCIES {
            if let Some(kilohertz) = number_file(&dir.join(file)) {
                s.out.gauge(metric, help, &[("cpu", cpu)], kilohertz * 1000.0);
            }
        }
        let (Some(current), Some(available)) =
            (line(&dir.join("scaling_governor")), line(&dir.join("scaling_available_governors")))
        else {
            continue;
        };
        for governor in available.split_ascii_whitespace() {
            let on = f64::from(u8::from(governor == current));
            let labels = [("cpu", cpu), ("governor", governor)];
            s.out.gauge("node_cpu_scaling_governor", "Current enabled CPU frequency governor.", &labels, on);
        }
    }
    Ok(())
}
