//! When groups are evaluated: every group at its own moment of the interval, the same after every restart
//! and on every server that reads the same file.

const NS_PER_MS: i64 = 1_000_000;

/// The original's schedule of one group, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phase {
    interval_ns: i64,
    offset_ns: i64,
}

impl Phase {
    pub fn new(file: &str, name: &str, interval_ms: i64) -> Phase {
        let interval_ns = interval_ms.max(1).saturating_mul(NS_PER_MS);
        let hash = xxhash_rust::xxh64::xxh64(&identity(file, name), 0);
        Phase { interval_ns, offset_ns: (hash % interval_ns.unsigned_abs()) as i64 }
    }

    /// The group's last moment at or before `now_ns`.
    pub fn slot_ns(self, now_ns: i64) -> i64 {
        let adjusted = now_ns - self.offset_ns;
        adjusted - adjusted % self.interval_ns + self.offset_ns
    }

    /// The same in milliseconds, cut off as sample times are.
    pub fn slot_ms(self, now_ms: i64) -> i64 {
        self.slot_ns(now_ms.saturating_mul(NS_PER_MS)).div_euclid(NS_PER_MS)
    }

    pub fn interval_ns(self) -> i64 {
        self.interval_ns
    }
}

/// The label set `{file, name}` in the bytes the original hashes: each string behind its length, which is one
/// byte, or 255 and three bytes for long strings.
fn identity(file: &str, name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len() + name.len() + 16);
    for text in ["file", file, "name", name] {
        match u8::try_from(text.len()) {
            Ok(length) if length < 255 => out.push(length),
            _ => {
                out.push(255);
                out.extend_from_slice(&text.len().to_le_bytes()[..3]);
            }
        }
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_of_the_original() {
        // Seen of Prometheus 3.5.3: the group `one` of `r.yml`, every two seconds.
        let seen = 1_795_419_792_690_489_225;
        let phase = Phase::new("r.yml", "one", 2_000);
        assert_eq!(phase.slot_ns(seen), seen);
        assert_eq!(phase.slot_ns(seen + 1_999_999_999), seen);
        assert_eq!(phase.slot_ns(seen - 1), seen - 2_000_000_000);
        assert_eq!(phase.slot_ms(1_795_419_793_000), 1_795_419_792_690);
    }

    #[test]
    fn long_names_have_long_lengths() {
        let long = "x".repeat(300);
        assert_eq!(identity(&long, "a")[5..9], [255, 44, 1, 0]);
        assert!(Phase::new(&long, "a", 0).interval_ns() > 0);
    }
}
