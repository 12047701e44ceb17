//! The number functions of alert templates: `humanize` and its relatives.

use crate::functions::{Functions, Kind};
use crate::printf::sprintf;
use crate::time::{Duration, Time};
use crate::value::Value;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// Adds `humanize`, `humanize1024`, `humanizeDuration`, `humanizePercentage`, `humanizeTimestamp`,
/// `toTime` and `toDuration`.
pub fn install(functions: &mut Functions) {
    functions.add("humanize", &[Kind::Any], |call| Ok(humanize(to_float(call.arg(0))?).into()));
    functions.add("humanize1024", &[Kind::Any], |call| Ok(humanize_1024(to_float(call.arg(0))?).into()));
    functions
        .add("humanizeDuration", &[Kind::Any], |call| Ok(humanize_duration(to_float(call.arg(0))?).into()));
    functions.add("humanizePercentage", &[Kind::Any], |call| {
        Ok(format!("{}%", four_digits(to_float(call.arg(0))? * 100.0)).into())
    });
    functions.add("humanizeTimestamp", &[Kind::Any], |call| {
        let v = to_float(call.arg(0))?;
        if !v.is_finite() {
            return Ok(four_digits(v).into());
        }
        Ok(to_time(v)?.to_string().into())
    });
    functions.add("toTime", &[Kind::Any], |call| Ok(Value::Time(to_time(to_float(call.arg(0))?)?)));
    functions.add("toDuration", &[Kind::Any], |call| {
        Ok(Value::Duration(Duration((to_float(call.arg(0))? * 1e9) as i64)))
    });
}

/// A number from anything that looks like one.
pub fn to_float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(v) => Ok(*v),
        Value::Int(n) => Ok(*n as f64),
        Value::Duration(d) => Ok(d.0 as f64 / 1e9),
        Value::Str(s) => {
            let plain = s.trim_start_matches(['+', '-']).to_ascii_lowercase();
            let number: Result<f64, _> = match plain.as_str() {
                "inf" | "infinity" | "nan" => s.to_ascii_lowercase().parse(),
                _ if plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') => s.parse(),
                _ => "".parse(),
            };
            number.map_err(|_| format!("strconv.ParseFloat: parsing {}: invalid syntax", crate::quote(s)))
        }
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

fn to_time(seconds: f64) -> Result<Time, String> {
    let ns = seconds * 1e9;
    if !ns.is_finite() || ns.abs() >= 9.223_372_036_854_776e18 {
        let shown = model::float::format_g(seconds);
        return Err(format!(
            "{shown} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    Ok(Time::from_ns(ns as i64))
}

fn four_digits(v: f64) -> String {
    sprintf("%.4g", &[Value::Float(v)])
}

fn humanize(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return four_digits(v);
    }
    if v.abs() < 1.0 {
        return smaller(v);
    }
    scaled(v, 1000.0, &LARGE.map(str::to_owned))
}

fn humanize_1024(v: f64) -> String {
    if v.abs() <= 1.0 || !v.is_finite() {
        return four_digits(v);
    }
    scaled(v, 1024.0, &LARGE.map(|p| format!("{p}i")))
}

fn scaled(mut v: f64, step: f64, prefixes: &[String]) -> String {
    let mut prefix = "";
    for p in prefixes {
        if v.abs() < step {
            break;
        }
        prefix = p;
        v /= step;
    }
    format!("{}{prefix}", four_digits(v))
}

fn smaller(mut v: f64) -> String {
    let mut prefix = "";
    for p in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        prefix = p;
        v *= 1000.0;
    }
    format!("{}{prefix}", four_digits(v))
}

fn humanize_duration(v: f64) -> String {
    if !v.is_finite() {
        return four_digits(v);
    }
    if v == 0.0 {
        return format!("{}s", four_digits(v));
    }
    if v.abs() < 1.0 {
        return format!("{}s", smaller(v));
    }
    let (sign, v) = (if v < 0.0 { "-" } else { "" }, v.abs());
    let whole = v as i64;
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", four_digits(v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let mut functions = Functions::new();
        install(&mut functions);
        let check = |expression: &str, expected: &str| {
            let mut set = crate::Set::new(functions.clone());
            set.parse("t", &format!("{{{{ {expression} }}}}")).unwrap();
            assert_eq!(set.execute("t", &Value::Nil).unwrap(), expected, "{expression}");
        };
        check("humanize 0.0", "0");
        check("humanize 1.0", "1");
        check("humanize 1234567.0", "1.235M");
        check("humanize 0.12", "120m");
        check("humanize \"-1e6\"", "-1M");
        check("humanize1024 1048576.0", "1Mi");
        check("humanize1024 0.5", "0.5");
        check("humanizeDuration 0", "0s");
        check("humanizeDuration 59.5", "59.5s");
        check("humanizeDuration 3661", "1h 1m 1s");
        check("humanizeDuration 90061", "1d 1h 1m 1s");
        check("humanizeDuration -60", "-1m 0s");
        check("humanizeDuration 0.1", "100ms");
        check("humanizePercentage 0.1234567", "12.35%");
        check("humanizeTimestamp 1435065584.128", "2015-06-23 13:19:44.128 +0000 UTC");
        check("(toTime \"1500000000\").Unix", "1500000000");
        check("toDuration 1.5", "1.5s");
        let mut set = crate::Set::new(functions.clone());
        set.parse("t", "{{ humanize \"x\" }}").unwrap();
        assert!(set.execute("t", &Value::Nil).unwrap_err().to_string().ends_with("invalid syntax"));
    }
}
