//! Sizes and durations as Loki's file writes them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// A duration: `30s`, `7d`, `1h30m`. Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(i64);

impl Period {
    pub const ZERO: Period = Period(0);

    pub const fn seconds(seconds: i64) -> Period {
        Period(seconds * 1_000_000_000)
    }

    pub const fn hours(hours: i64) -> Period {
        Period::seconds(hours * 3600)
    }

    pub const fn as_ns(self) -> i64 {
        self.0
    }

    pub const fn as_ms(self) -> i64 {
        self.0 / 1_000_000
    }

    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.unsigned_abs())
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&model::duration::format(self.as_ms()))
    }
}

/// A size in bytes: `256KB`, `1.5MB`, `42`. Units are binary, whatever their letters say, as in Loki.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    pub const fn kib(n: u64) -> ByteSize {
        ByteSize(n * 1024)
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }

    fn parse(text: &str) -> Option<ByteSize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let shift = match unit.trim().to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            "P" => 50,
            _ => return None,
        };
        number.checked_mul(1 << shift).map(ByteSize)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GB"), (20, "MB"), (10, "KB")];
        match units.iter().find(|(shift, _)| self.0 > 0 && self.0.is_multiple_of(1 << shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// Text or a bare number, handed on as text.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number with a unit")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, n: u64) -> Result<Scalar, E> {
                Ok(Scalar(n.to_string()))
            }

            fn visit_i64<E: Error>(self, n: i64) -> Result<Scalar, E> {
                Ok(Scalar(n.to_string()))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        let Scalar(text) = Scalar::deserialize(deserializer)?;
        logql_syntax::units::parse_query_duration(&text)
            .ok()
            .filter(|ns| *ns >= 0)
            .map(Period)
            .ok_or_else(|| D::Error::custom(format!("not a valid duration string: {text:?}")))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        let Scalar(text) = Scalar::deserialize(deserializer)?;
        ByteSize::parse(&text).ok_or_else(|| D::Error::custom(format!("not a valid size in bytes: {text:?}")))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary() {
        let check =
            |text: &str, bytes: Option<u64>| assert_eq!(ByteSize::parse(text).map(ByteSize::bytes), bytes);
        check("256KB", Some(262_144));
        check("256kib", Some(262_144));
        check("3MB", Some(3 << 20));
        check("42", Some(42));
        check("42B", Some(42));
        check("x", None);
        check("1XB", None);
        assert_eq!(ByteSize::kib(256).to_string(), "256KB");
    }
}
