//! `/sys/class/thermal`: zone temperatures and the state of cooling devices.

use super::Scrape;
use crate::failure::Outcome;
use crate::read::{line, names, number_file};

pub fn update(s: &mut Scrape) -> Outcome {
    let base = s.settings.paths.sys("class/thermal");
    for name in names(&base).unwrap_or_default() {
        let dir = base.join(&name);
        let kind = line(&dir.join("type")).unwrap_or_default();
        if let Some(zone) = name.strip_prefix("thermal_zone") {
            // A zone whose sensor is off refuses to be read.
            if let Some(millidegrees) = number_file(&dir.join("temp")) {
                let labels = [("type", kind.as_str()), ("zone", zone)];
                s.out.gauge(
                    "node_thermal_zone_temp",
                    "Zone temperature in Celsius",
                    &labels,
                    millidegrees / 1000.0,
                );
            }
        } else if let Some(device) = name.strip_prefix("cooling_device") {
            let labels = [("name", device), ("type", kind.as_str())];
            for (file, metric, help) in [
                (
                    "cur_state",
                    "node_cooling_device_cur_state",
                    "Current throttle state of the cooling device",
                ),
                (
                    "max_state",
                    "node_cooling_device_max_state",
                    "Maximum throttle state of the cooling device",
                ),
            ] {
                if let Some(value) = number_file(&dir.join(file)) {
                    s.out.gauge(metric, help, &labels, value);
                }
            }
        }
    }
    Ok(())
}
