//! Durations and byte sizes, in queries and in label values.

/// Nanoseconds per unit of Go's durations.
const GO_UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// The units that queries know and Go does not.
const LONG_UNITS: [(&str, f64); 3] = [("d", 86_400e9), ("w", 604_800e9), ("y", 31_536_000e9)];

/// A duration in a query: Go's notation with days, weeks and years added. Nanoseconds.
pub fn parse_query_duration(text: &str) -> Result<i64, String> {
    parse(text, |unit| GO_UNITS.iter().chain(&LONG_UNITS).find(|(u, _)| *u == unit).map(|(_, ns)| *ns))
}

/// A duration in a label value, as Go's `time.ParseDuration` reads it. Nanoseconds.
/// The error is Go's, without its `time: ` prefix.
pub fn parse_go_duration(text: &str) -> Result<i64, String> {
    parse(text, |unit| GO_UNITS.iter().find(|(u, _)| *u == unit).map(|(_, ns)| *ns))
}

fn parse(text: &str, unit_ns: impl Fn(&str) -> Option<f64>) -> Result<i64, String> {
    let invalid = || format!("invalid duration {text:?}");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0i128;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() || number == "." {
            return Err(invalid());
        }
        let letters = after.bytes().take_while(|b| !b.is_ascii_digit() && *b != b'.').count();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(format!("missing unit in duration {text:?}"));
        }
        let ns = unit_ns(unit).ok_or_else(|| format!("unknown unit {unit:?} in duration {text:?}"))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') {
            return Err(invalid());
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let fraction: f64 =
            if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().map_err(|_| invalid())? };
        total = whole
            .checked_mul(ns as i128)
            .and_then(|whole| total.checked_add(whole + (fraction * ns) as i128))
            .filter(|total| *total <= i128::from(i64::MAX))
            .ok_or_else(invalid)?;
        rest = after;
    }
    let total = i64::try_from(total).map_err(|_| invalid())?;
    Ok(if negative { -total } else { total })
}

/// A byte size such as `10KB` (decimal), `1.5MiB` (binary) or `42`. Case and inner spaces do not matter.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')).count();
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.replace(',', "").parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    let power = |letter: &str| "kmgtpe".find(letter).map(|at| at as i32 + 1);
    let factor = match unit.as_str() {
        "" | "b" => 1.0,
        u => match (u.strip_suffix("ib").or(u.strip_suffix('i')), u.strip_suffix('b').unwrap_or(u)) {
            (Some(letter), _) if letter.len() == 1 => 1024f64.powi(power(letter)?),
            (None, letter) if letter.len() == 1 => 1000f64.powi(power(letter)?),
            _ => return None,
        },
    };
    let bytes = number * factor;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Prints nanoseconds as Go's `time.Duration.String`: `1m30s`, `1.5s`, `250ms`, `0s`.
pub fn format_go_duration(ns: i64) -> String {
    let magnitude = ns.unsigned_abs();
    let sign = if ns < 0 { "-" } else { "" };
    let fraction = |unit: u64| {
        let text = format!("{}", magnitude / unit);
        let rest = magnitude % unit;
        if rest == 0 {
            return text;
        }
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        format!("{text}.{}", digits.trim_end_matches('0'))
    };
    match magnitude {
        0 => "0s".into(),
        1..1_000 => format!("{sign}{magnitude}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(1_000_000)),
        _ => {
            let minutes_total = magnitude / 60_000_000_000;
            let (hours, minutes) = (minutes_total / 60, minutes_total % 60);
            let rest = magnitude % 60_000_000_000;
            let digits = format!("{:09}", rest % 1_000_000_000);
            let digits = digits.trim_end_matches('0');
            let point = if digits.is_empty() { "" } else { "." };
            let seconds = format!("{}{point}{digits}s", rest / 1_000_000_000);
            match (hours, minutes) {
                (0, 0) => format!("{sign}{seconds}"),
                (0, m) => format!("{sign}{m}m{seconds}"),
                (h, m) => format!("{sign}{h}h{m}m{seconds}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, expected: Result<i64, &str>| {
            assert_eq!(parse_query_duration(text).map_err(|e| e.to_string()), expected.map_err(String::from));
        };
        check("5m", Ok(300_000_000_000));
        check("1h30m", Ok(5_400_000_000_000));
        check("1.5s", Ok(1_500_000_000));
        check("1d", Ok(86_400_000_000_000));
        check("-5ms", Ok(-5_000_000));
        check("0", Ok(0));
        check("5minutes", Err(r#"unknown unit "minutes" in duration "5minutes""#));
        check("30m:5m", Err(r#"unknown unit "m:" in duration "30m:5m""#));
        check("5", Err(r#"missing unit in duration "5""#));
        check("", Err(r#"invalid duration """#));
        check("9999999999h", Err(r#"invalid duration "9999999999h""#));
        assert!(parse_go_duration("1d").is_err());
    }

    #[test]
    fn byte_sizes() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(parse_bytes(text), expected, "{text}");
        check("10", Some(10));
        check("1KB", Some(1000));
        check("1KiB", Some(1024));
        check("2.5 MiB", Some(2_621_440));
        check("1k", Some(1000));
        check("1Gi", Some(1 << 30));
        check("20b", Some(20));
        check("x", None);
        check("1XB", None);
        check("1bb", None);
    }

    #[test]
    fn durations_print_like_go() {
        let check = |ns: i64, expected: &str| assert_eq!(format_go_duration(ns), expected);
        check(0, "0s");
        check(1, "1ns");
        check(1_500, "1.5µs");
        check(250_000_000, "250ms");
        check(1_500_000_000, "1.5s");
        check(90_000_000_000, "1m30s");
        check(3_600_000_000_000, "1h0m0s");
        check(-60_000_000_000, "-1m0s");
    }
}
