//! OpenTelemetry's names as Prometheus' names: units and types as suffixes, other characters escaped.

use crate::config::Strategy;

/// What a name says beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    MonotonicSum,
    Other,
}

/// UCUM units as people write them in metric names.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

/// The same behind a slash, where one is meant.
const PER_UNITS: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

fn translated(table: &[(&'static str, &'static str)], unit: &str) -> String {
    table.iter().find(|(short, _)| *short == unit).map_or(unit, |(_, long)| long).to_owned()
}

/// The unit and, after a slash, `per_` another. Units in braces are remarks, not units.
fn suffixes(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let meant = |unit: &str| !unit.is_empty() && !unit.contains(['{', '}']);
    let (main, per) = (main.trim(), per.trim());
    let main = if meant(main) { translated(UNITS, main) } else { String::new() };
    let per = if meant(per) { translated(PER_UNITS, per) } else { String::new() };
    (main, if per.is_empty() { per } else { format!("per_{per}") })
}

fn is_metric_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

/// A unit's text in the classic alphabet.
fn classic_unit(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len());
    for c in unit.chars().map(|c| if is_metric_char(c) { c } else { '_' }) {
        if c != '_' || !out.ends_with('_') {
            out.push(c);
        }
    }
    match out.strip_prefix('_') {
        Some(rest) => rest.to_owned(),
        None => out,
    }
}

/// A metric's unit for its metadata and the label `__unit__`.
pub fn unit(unit: &str) -> String {
    let (main, per) = suffixes(unit);
    let (main, per) = (classic_unit(&main), classic_unit(&per));
    let joined = match (main.is_empty(), per.is_empty() || per == "per_") {
        (false, false) => format!("{main}_{per}"),
        (true, false) => per,
        _ => main,
    };
    let joined = joined.strip_prefix('_').unwrap_or(&joined);
    joined.strip_suffix('_').unwrap_or(joined).to_owned()
}

/// A metric's name.
pub fn metric(name: &str, unit: &str, kind: Kind, strategy: Strategy) -> Result<String, String> {
    if !strategy.escapes() {
        return Ok(if strategy.adds_suffixes() { with_suffixes(name, unit, kind) } else { name.to_owned() });
    }
    let built = if strategy.adds_suffixes() { classic(name, unit, kind) } else { escaped(name) };
    let built = if built.starts_with(|c: char| c.is_ascii_digit()) { format!("_{built}") } else { built };
    if built.is_empty() {
        return Err(format!("normalization for metric {name:?} resulted in empty name"));
    }
    if built != name && built.bytes().all(|b| b == b'_') {
        return Err(format!("normalization for metric {name:?} resulted in invalid name {built:?}"));
    }
    Ok(built)
}

fn escaped(name: &str) -> String {
    let words = name.split(|c: char| !(is_metric_char(c) || c == '_'));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

fn classic(name: &str, unit: &str, kind: Kind) -> String {
    let mut words: Vec<String> =
        name.split(|c| !is_metric_char(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let (main, per) = suffixes(unit);
    let (mut main, mut per) = (classic_unit(&main), classic_unit(&per));
    if words.contains(&main) {
        main.clear();
    }
    if per == "per_" {
        per.clear();
    } else {
        per.truncate(per.strip_suffix('_').unwrap_or(&per).len());
        if words.contains(&per) {
            per.clear();
        }
    }
    if !per.is_empty() {
        main.truncate(main.strip_suffix('_').unwrap_or(&main).len());
    }
    words.extend([main, per].into_iter().filter(|suffix| !suffix.is_empty()));
    let last = match kind {
        Kind::MonotonicSum => Some("total"),
        Kind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| word != last);
        words.push(last.to_owned());
    }
    words.join("_")
}

/// Suffixes behind a name that stays as it is.
fn with_suffixes(name: &str, unit: &str, kind: Kind) -> String {
    let (main, per) = suffixes(unit);
    let last = match kind {
        Kind::MonotonicSum => "total",
        Kind::Gauge if unit == "1" => "ratio",
        _ => "",
    };
    let mut out = trimmed(trimmed(name, last), &per).to_owned();
    if !main.is_empty() && !out.ends_with(&main) {
        out = format!("{out}_{main}");
    }
    for suffix in [per.as_str(), last].into_iter().filter(|suffix| !suffix.is_empty()) {
        out = format!("{out}_{suffix}");
    }
    out
}

/// Without a suffix and the one character before it.
fn trimmed<'n>(name: &'n str, suffix: &str) -> &'n str {
    match name.strip_suffix(suffix) {
        Some(rest) if !suffix.is_empty() && rest.chars().count() > 1 => {
            let mut chars = rest.chars();
            chars.next_back();
            chars.as_str()
        }
        _ => name,
    }
}

/// How attribute names become label names.
#[derive(Debug, Clone, Copy)]
pub struct LabelNamer {
    pub escapes: bool,
    /// Names that begin with one underscore get `key` before it.
    pub underscore_sanitization: bool,
    pub keep_multiple_underscores: bool,
}

impl LabelNamer {
    pub fn name(&self, label: &str) -> Result<String, String> {
        if label.is_empty() {
            return Err("normalization for label name \"\" resulted in empty name".into());
        }
        if !self.escapes {
            return Ok(label.to_owned());
        }
        let reserved = label.starts_with("__") && label.ends_with("__") && label.len() > 4;
        let mut out = String::with_capacity(label.len() + 4);
        for c in label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }) {
            if c != '_' || self.keep_multiple_underscores || reserved || !out.ends_with('_') {
                out.push(c);
            }
        }
        if out.starts_with(|c: char| c.is_ascii_digit()) {
            out.insert_str(0, "key_");
        } else if self.underscore_sanitization && out.starts_with('_') && !out.starts_with("__") {
            out.insert_str(0, "key");
        }
        if out != label && out.bytes().all(|b| b == b'_') {
            return Err(format!("normalization for label name {label:?} resulted in invalid name {out:?}"));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names() {
        use Strategy::{
            NoTranslation, NoUTF8EscapingWithSuffixes, UnderscoreEscapingWithSuffixes,
            UnderscoreEscapingWithoutSuffixes,
        };
        let check = |name: &str, unit: &str, kind: Kind, expected: [&str; 4]| {
            let strategies = [
                UnderscoreEscapingWithSuffixes,
                UnderscoreEscapingWithoutSuffixes,
                NoUTF8EscapingWithSuffixes,
                NoTranslation,
            ];
            for (strategy, expected) in strategies.into_iter().zip(expected) {
                assert_eq!(metric(name, unit, kind, strategy).as_deref(), Ok(expected), "{strategy:?}");
            }
        };
        check(
            "http.server.duration",
            "s",
            Kind::Other,
            [
                "http_server_duration_seconds",
                "http_server_duration",
                "http.server.duration_seconds",
                "http.server.duration",
            ],
        );
        check(
            "requests",
            "1",
            Kind::MonotonicSum,
            ["requests_total", "requests", "requests_total", "requests"],
        );
        check("cpu.use", "1", Kind::Gauge, ["cpu_use_ratio", "cpu_use", "cpu.use_ratio", "cpu.use"]);
        check(
            "speed",
            "m/s",
            Kind::Gauge,
            ["speed_meters_per_second", "speed", "speed_meters_per_second", "speed"],
        );
        check(
            "sent_bytes_total",
            "By",
            Kind::MonotonicSum,
            ["sent_bytes_total", "sent_bytes_total", "sent_bytes_total", "sent_bytes_total"],
        );
        check("queue", "{items}", Kind::Gauge, ["queue", "queue", "queue", "queue"]);
        check("2xx", "", Kind::Gauge, ["_2xx", "_2xx", "2xx", "2xx"]);
        check("a__b", "foo bar", Kind::Gauge, ["a_b_foo_bar", "a__b", "a__b_foo bar", "a__b"]);
        assert!(metric("...", "", Kind::Gauge, UnderscoreEscapingWithSuffixes).is_err());
    }

    #[test]
    fn label_names() {
        let namer =
            LabelNamer { escapes: true, underscore_sanitization: true, keep_multiple_underscores: true };
        let check = |label: &str, expected: &str| assert_eq!(namer.name(label).as_deref(), Ok(expected));
        check("http.method", "http_method");
        check("1st", "key_1st");
        check("_x", "key_x");
        check("__reserved__", "__reserved__");
        check("a..b", "a__b");
        let collapsing = LabelNamer { keep_multiple_underscores: false, ..namer };
        assert_eq!(collapsing.name("a..b").as_deref(), Ok("a_b"));
        assert!(namer.name("").is_err() && namer.name("..").is_err());
        assert_eq!(LabelNamer { escapes: false, ..namer }.name("a.b").as_deref(), Ok("a.b"));
    }

    #[test]
    fn units() {
        for (given, expected) in
            [("s", "seconds"), ("By/s", "bytes_per_second"), ("{x}", ""), ("1", ""), ("/s", "per_second")]
        {
            assert_eq!(unit(given), expected, "{given}");
        }
    }
}
