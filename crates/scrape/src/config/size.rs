//! Sizes in bytes: `15MB`, `1KiB`; every unit is a power of 1024, as in the original.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const UNITS: [&str; 7] = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<ByteSize, String> {
        if text == "0" {
            return Ok(ByteSize(0));
        }
        let bad = || format!("units: invalid {text:?}");
        let at = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| format!("units: missing unit in {text:?}"))?;
        let (number, unit) = text.split_at(at);
        let number: f64 = number.parse().map_err(|_| bad())?;
        let unit = unit.replace('i', "");
        let power = UNITS
            .iter()
            .position(|u| *u == unit)
            .ok_or_else(|| format!("units: unknown unit {unit} in {text:?}"))?;
        Ok(ByteSize((number * 1024f64.powi(power as i32)) as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut power = 0;
        let mut rest = self.0;
        while rest >= 1024 && rest.is_multiple_of(1024) && power + 1 < UNITS.len() {
            rest /= 1024;
            power += 1;
        }
        let unit = if power == 0 { "B".to_owned() } else { UNITS[power].replace('B', "iB") };
        write!(f, "{rest}{unit}")
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
