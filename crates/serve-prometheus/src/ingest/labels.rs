//! Label sets as they come from outside: any order, any bytes.

use std::fmt;

use model::{Labels, METRIC_NAME};

/// Collects the labels of one series; used again for the next.
#[derive(Default)]
pub struct LabelScratch<'a> {
    pairs: Vec<(&'a str, &'a str)>,
    invalid: bool,
}

/// What is wrong with a series' labels.
#[derive(Debug, PartialEq, Eq)]
pub enum BadLabels {
    /// No metric name, an empty label name, or bytes that are no UTF-8. With what could be read of them.
    Invalid(String),
    Duplicate {
        labels: String,
        name: String,
    },
}

impl fmt::Display for BadLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadLabels::Invalid(labels) => write!(f, "invalid metric name or labels, got {labels}"),
            BadLabels::Duplicate { labels, name } => {
                write!(f, "invalid labels for series, labels {labels}, duplicated label {name}")
            }
        }
    }
}

impl<'a> LabelScratch<'a> {
    pub fn clear(&mut self) {
        self.pairs.clear();
        self.invalid = false;
    }

    pub fn push(&mut self, name: &'a [u8], value: &'a [u8]) {
        match (std::str::from_utf8(name), std::str::from_utf8(value)) {
            (Ok(name), Ok(value)) => self.push_text(name, value),
            _ => self.invalid = true,
        }
    }

    pub fn push_text(&mut self, name: &'a str, value: &'a str) {
        self.pairs.push((name, value));
    }

    pub fn remove(&mut self, names: &[&str]) {
        self.pairs.retain(|(name, _)| !names.contains(name));
    }

    /// The label set of a series: sorted, empty values left out.
    pub fn build(&mut self) -> Result<Labels, BadLabels> {
        self.check()?;
        Ok(Labels::from_sorted(self.pairs.iter().copied()))
    }

    /// The same for exemplars, which need no metric name.
    pub fn build_any(&mut self) -> Result<Labels, BadLabels> {
        self.check_any()?;
        Ok(Labels::from_sorted(self.pairs.iter().copied()))
    }

    /// Puts the packed form of checked labels into `out` (see [`Labels::as_packed`]).
    pub fn pack(&self, out: &mut Vec<u8>) {
        out.clear();
        for text in self.pairs.iter().filter(|(_, v)| !v.is_empty()).flat_map(|(n, v)| [n, v]) {
            let mut length = text.len();
            while length >= 0x80 {
                out.push(length as u8 | 0x80);
                length >>= 7;
            }
            out.push(length as u8);
            out.extend_from_slice(text.as_bytes());
        }
    }

    /// Sorts and judges the labels of a series.
    pub fn check(&mut self) -> Result<(), BadLabels> {
        let named = self.pairs.iter().any(|(name, value)| *name == METRIC_NAME && !value.is_empty());
        if !named {
            return Err(BadLabels::Invalid(self.shown()));
        }
        self.check_any()
    }

    fn check_any(&mut self) -> Result<(), BadLabels> {
        if !self.pairs.is_sorted_by(|a, b| a.0 <= b.0) {
            self.pairs.sort_by_key(|(name, _)| *name);
        }
        if self.invalid || self.pairs.iter().any(|(name, _)| name.is_empty()) {
            return Err(BadLabels::Invalid(self.shown()));
        }
        if let Some(twice) = self.pairs.array_windows().find(|[a, b]| a.0 == b.0) {
            return Err(BadLabels::Duplicate { labels: self.shown(), name: twice[0].0.to_owned() });
        }
        Ok(())
    }

    /// As the original prints a label set.
    pub fn shown(&self) -> String {
        let pairs: Vec<String> = self.pairs.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{{{}}}", pairs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_judged() {
        let build = |pairs: &[(&[u8], &[u8])]| {
            let mut scratch = LabelScratch::default();
            pairs.iter().for_each(|(name, value)| scratch.push(name, value));
            scratch.build()
        };
        let good = build(&[(b"z", b"1"), (b"__name__", b"up"), (b"a", b"")]).unwrap();
        assert_eq!(good, Labels::from_pairs([("__name__", "up"), ("z", "1")]));
        let (mut scratch, mut packed) = (LabelScratch::default(), vec![1]);
        let long = "v".repeat(300);
        [("__name__", "up"), ("a", ""), ("z", &*long)].iter().for_each(|(n, v)| scratch.push_text(n, v));
        scratch.pack(&mut packed);
        assert_eq!(packed, scratch.build().unwrap().as_packed());
        let invalid: [&[(&[u8], &[u8])]; 5] = [
            &[(b"a", b"b")],
            &[(b"__name__", b"")],
            &[(b"__name__", b"up"), (b"", b"x")],
            &[(b"__name__", b"up"), (b"\xff", b"x")],
            &[(b"__name__", b"up"), (b"x", b"\xff")],
        ];
        for pairs in invalid {
            assert!(matches!(build(pairs), Err(BadLabels::Invalid(_))), "{pairs:?}");
        }
        assert_eq!(
            build(&[(b"__name__", b"up"), (b"a", b"1"), (b"a", b"1")]),
            Err(BadLabels::Duplicate { labels: r#"{__name__="up", a="1", a="1"}"#.into(), name: "a".into() })
        );
    }
}
