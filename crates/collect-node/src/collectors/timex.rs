//! The kernel's clock discipline, by `adjtimex`: is the clock synchronised, and how well.

use super::Scrape;
use crate::failure::{Failure, Outcome};

/// Return value when the clock is not synchronised.
const TIME_ERROR: i32 = 5;
/// Status bit: times below are in nanoseconds instead of microseconds.
const STA_NANO: i32 = 0x2000;
/// Frequencies are parts per million with a 16-bit fraction.
const PPM16: f64 = 1_000_000.0 * 65_536.0;
const MICROSECONDS: f64 = 1_000_000.0;

pub fn update(s: &mut Scrape) -> Outcome {
    // SAFETY: an all-zero structure is a valid request to read everything and change nothing.
    let (state, t) = unsafe {
        let mut t = std::mem::zeroed::<libc::timex>();
        (libc::adjtimex(&mut t), t)
    };
    if state < 0 {
        return Err(Failure::no_data("not collecting timex stats: not permitted"));
    }
    let divisor = if t.status & STA_NANO != 0 { 1_000_000_000.0 } else { MICROSECONDS };
    let synchronised = if state == TIME_ERROR { 0.0 } else { 1.0 };
    let gauges = [
        (
            "node_timex_sync_status",
            "Is clock synchronized to a reliable server (1 = yes, 0 = no).",
            synchronised,
        ),
        (
            "node_timex_offset_seconds",
            "Time offset in between local system and reference clock.",
            t.offset as f64 / divisor,
        ),
        (
            "node_timex_frequency_adjustment_ratio",
            "Local clock frequency adjustment.",
            1.0 + t.freq as f64 / PPM16,
        ),
        ("node_timex_maxerror_seconds", "Maximum error in seconds.", t.maxerror as f64 / MICROSECONDS),
        (
            "node_timex_estimated_error_seconds",
            "Estimated error in seconds.",
            t.esterror as f64 / MICROSECONDS,
        ),
        ("node_timex_status", "Value of the status array bits.", f64::from(t.status)),
        ("node_timex_loop_time_constant", "Phase-locked loop time constant.", t.constant as f64),
        ("node_timex_tick_seconds", "Seconds between clock ticks.", t.tick as f64 / MICROSECONDS),
        ("node_timex_pps_frequency_hertz", "Pulse per second frequency.", t.ppsfreq as f64 / PPM16),
        ("node_timex_pps_jitter_seconds", "Pulse per second jitter.", t.jitter as f64 / divisor),
        ("node_timex_pps_shift_seconds", "Pulse per second interval duration.", f64::from(t.shift)),
        (
            "node_timex_pps_stability_hertz",
            "Pulse per second stability, average of recent frequency changes.",
            t.stabil as f64 / PPM16,
        ),
        ("node_timex_tai_offset_seconds", "International Atomic Time (TAI) offset.", f64::from(t.tai)),
    ];
    for (name, help, value) in gauges {
        s.out.gauge(name, help, &[], value);
    }
    let counters = [
        ("node_timex_pps_jitter_total", "Pulse per second count of jitter limit exceeded events.", t.jitcnt),
        ("node_timex_pps_calibration_total", "Pulse per second count of calibration intervals.", t.calcnt),
        ("node_timex_pps_error_total", "Pulse per second count of calibration errors.", t.errcnt),
        (
            "node_timex_pps_stability_exceeded_total",
            "Pulse per second count of stability limit exceeded events.",
            t.stbcnt,
        ),
    ];
    for (name, help, value) in counters {
        s.out.counter(name, help, &[], value as f64);
    }
    Ok(())
}
