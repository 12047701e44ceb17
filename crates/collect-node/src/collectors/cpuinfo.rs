//! `/proc/cpuinfo`: model, frequency, flags and bugs. Off unless asked for.

use super::Scrape;
use crate::failure::Outcome;
use crate::read::number;

/// Line of `/proc/cpuinfo` and label of `node_cpu_info`.
const LABELS: &[(&str, &str)] = &[
    ("processor", "cpu"),
    ("physical id", "package"),
    ("core id", "core"),
    ("vendor_id", "vendor"),
    ("cpu family", "family"),
    ("model", "model"),
    ("model name", "model_name"),
    ("microcode", "microcode"),
    ("stepping", "stepping"),
    ("cache size", "cachesize"),
];

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("cpuinfo");
    let text = s.reader.text(&path)?;
    let frequency = s.settings.enabled.contains("cpufreq");
    for (index, block) in text.split("\n\n").filter(|b| b.contains(':')).enumerate() {
        let field = |key: &str| {
            block
                .lines()
                .find_map(|l| l.split_once(':').filter(|(k, _)| k.trim() == key))
                .map_or("", |(_, v)| v.trim())
        };
        let labels: Vec<(&str, &str)> = LABELS.iter().map(|(key, label)| (*label, field(key))).collect();
        s.out.gauge("node_cpu_info", "CPU information from /proc/cpuinfo.", &labels, 1.0);
        let megahertz = field("cpu MHz");
        if frequency && !megahertz.is_empty() {
            let help = "CPU frequency in hertz from /proc/cpuinfo.";
            let value = number(megahertz, "cpuinfo")? * 1e6;
            s.out.gauge("node_cpu_frequency_hertz", help, &labels[..3], value);
        }
        if index > 0 {
            continue;
        }
        for (key, label, filter) in
            [("flags", "flag", &s.settings.cpu_flags), ("bugs", "bug", &s.settings.cpu_bugs)]
        {
            let Some(filter) = filter else { continue };
            let help =
                format!("The `{key}` field of CPU information from /proc/cpuinfo taken from the first core.");
            for word in field(key).split_ascii_whitespace().filter(|w| filter.is_match(w)) {
                s.out.gauge(&format!("node_cpu_{label}_info"), &help, &[(label, word)], 1.0);
            }
        }
    }
    Ok(())
}
