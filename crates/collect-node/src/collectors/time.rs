//! The host's clock, time zone and clock sources.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::{line, names};

pub fn update(s: &mut Scrape) -> Outcome {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
    s.out.gauge("node_time_seconds", "System time in seconds since epoch (1970).", &[], now);
    let (zone, offset) = zone(now as i64).ok_or_else(|| Failure::broken("no local time"))?;
    let help = "System time zone offset in seconds.";
    s.out.gauge("node_time_zone_offset_seconds", help, &[("time_zone", &zone)], offset);

    let base = s.settings.paths.sys("devices/system/clocksource");
    for name in names(&base).unwrap_or_default() {
        let Some(device) = name.strip_prefix("clocksource") else { continue };
        let dir = base.join(&name);
        for source in line(&dir.join("available_clocksource")).unwrap_or_default().split_ascii_whitespace() {
            let help = "Available clocksources read from '/sys/devices/system/clocksource'.";
            let labels = [("clocksource", source), ("device", device)];
            s.out.gauge("node_time_clocksource_available_info", help, &labels, 1.0);
        }
        if let Some(source) = line(&dir.join("current_clocksource")) {
            let help = "Current clocksource read from '/sys/devices/system/clocksource'.";
            let labels = [("clocksource", source.as_str()), ("device", device)];
            s.out.gauge("node_time_clocksource_current_info", help, &labels, 1.0);
        }
    }
    Ok(())
}

/// Name and offset of the local time zone.
fn zone(now: i64) -> Option<(String, f64)> {
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call, which fills the structure or returns null.
    let parts = unsafe {
        if libc::localtime_r(&now, parts.as_mut_ptr()).is_null() {
            return None;
        }
        parts.assume_init()
    };
    if parts.tm_zone.is_null() {
        return Some(("UTC".into(), 0.0));
    }
    // SAFETY: the C library keeps zone names alive and ends them with a zero byte.
    let name = unsafe { std::ffi::CStr::from_ptr(parts.tm_zone) };
    Some((name.to_string_lossy().into_owned(), parts.tm_gmtoff as f64))
}
