//! `os-release`: which distribution and version runs.

use super::Scrape;
use crate::failure::{Failure, Outcome};

const FIELDS: &[&str] = &[
    "build_id",
    "id",
    "id_like",
    "image_id",
    "image_version",
    "name",
    "pretty_name",
    "variant",
    "variant_id",
    "version",
    "version_codename",
    "version_id",
];

const HELP: &str = "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, \
    image_version, name, pretty_name, variant, variant_id, version, version_codename, version_id.";

pub fn update(s: &mut Scrape) -> Outcome {
    let candidates = ["etc/os-release", "usr/lib/os-release"].map(|p| s.settings.paths.root(p));
    let path =
        candidates.iter().find(|p| p.exists()).ok_or_else(|| Failure::no_data("no os-release file"))?;
    let text = s.reader.text(path)?;
    let values: Vec<String> = FIELDS.iter().map(|f| value(text, &f.to_ascii_uppercase())).collect();
    let labels: Vec<(&str, &str)> = FIELDS.iter().zip(&values).map(|(f, v)| (*f, v.as_str())).collect();
    s.out.gauge("node_os_info", HELP, &labels, 1.0);
    if let Some(version) =
        value(text, "VERSION_ID").split_inclusive('.').take(2).collect::<String>().leading_number()
    {
        let labels: Vec<_> =
            labels.iter().filter(|(n, _)| matches!(*n, "id" | "id_like" | "name")).copied().collect();
        let help = "Metric containing the major.minor part of the OS version.";
        s.out.gauge("node_os_version", help, &labels, version);
    }
    Ok(())
}

trait LeadingNumber {
    fn leading_number(&self) -> Option<f64>;
}

impl LeadingNumber for String {
    /// `20.04.` and `8-stream` begin with a number.
    fn leading_number(&self) -> Option<f64> {
        let end = self.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(self.len());
        self[..end].trim_end_matches('.').parse().ok()
    }
}

/// The value of `KEY=value` or `KEY="value"`, with the shell's backslashes undone.
fn value(text: &str, key: &str) -> String {
    let found = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
    let raw = found.unwrap_or("").trim();
    let quoted = raw.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let quoted = quoted.or_else(|| raw.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')));
    let mut out = String::with_capacity(raw.len());
    let mut chars = quoted.unwrap_or(raw).chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_values() {
        let text = "NAME=\"A \\\"B\\\"\"\nID=debian\nVERSION_ID='12'\n";
        assert_eq!(value(text, "NAME"), "A \"B\"");
        assert_eq!(
            (value(text, "ID"), value(text, "VERSION_ID"), value(text, "X")),
            ("debian".into(), "12".into(), String::new())
        );
        let check =
            |text: &str, expected: Option<f64>| assert_eq!(text.to_owned().leading_number(), expected);
        check("20.04.", Some(20.04));
        check("8-stream", Some(8.0));
        check("rolling", None);
    }
}
