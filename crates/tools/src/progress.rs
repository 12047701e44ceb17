//! How far long work has come, on standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A terminal shows one line that changes.
const TERMINAL_INTERVAL: Duration = Duration::from_millis(200);
/// A file gets lines, so fewer.
const FILE_INTERVAL: Duration = Duration::from_secs(10);

pub struct Progress {
    terminal: bool,
    shown: Option<Instant>,
    width: usize,
}

impl Progress {
    pub fn new() -> Progress {
        Progress { terminal: std::io::stderr().is_terminal(), shown: None, width: 0 }
    }

    /// Shows a state, if the last one has been seen for a while.
    pub fn show(&mut self, text: impl FnOnce() -> String) {
        let interval = if self.terminal { TERMINAL_INTERVAL } else { FILE_INTERVAL };
        if self.shown.is_none_or(|shown| shown.elapsed() >= interval) {
            self.shown = Some(Instant::now());
            self.write(&text());
        }
    }

    /// Shows a line that stays.
    pub fn line(&mut self, text: &str) {
        self.write(text);
        if self.terminal {
            let _ = writeln!(std::io::stderr());
            self.width = 0;
        }
    }

    fn write(&mut self, text: &str) {
        let mut out = std::io::stderr();
        if self.terminal {
            // Blanks over what was there before.
            let _ = write!(out, "\r{text:width$}", width = self.width);
            self.width = text.chars().count();
        } else {
            let _ = writeln!(out, "{text}");
        }
    }
}

/// `12.3 M`: counts for people.
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..10_000_000 => format!("{:.1} k", n as f64 / 1e3),
        _ => format!("{:.1} M", n as f64 / 1e6),
    }
}

/// `12.3 MiB`: bytes for people.
pub fn bytes(n: u64) -> String {
    let (unit, divisor) = match n {
        0..0x400 => return format!("{n} B"),
        0x400..0x10_0000 => ("KiB", 1024.0),
        0x10_0000..0x4000_0000 => ("MiB", 1024.0 * 1024.0),
        _ => ("GiB", 1024.0 * 1024.0 * 1024.0),
    };
    format!("{:.1} {unit}", n as f64 / divisor)
}

/// `2023-11-14T22:13:20Z`
pub fn time(t: model::TimestampMs) -> String {
    let c = model::civil::Civil::of_unix(t.div_euclid(1000));
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
}
