//! Label matchers: `name op "value"`, the leaves of every selector.

use std::fmt;

use crate::labels::{is_classic_label_name, write_quoted};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    pub fn as_str(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        }
    }
}

/// One label matcher. Regular expressions are Go's (RE2) and anchored at both ends.
#[derive(Debug, Clone)]
pub struct Matcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
    regex: Option<re2::Regex>,
}

impl Matcher {
    /// Fails with Go's error text when `value` is not a regular expression and `op` wants one.
    pub fn new(
        op: MatchOp,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Matcher, re2::Error> {
        let value = value.into();
        let regex = match op {
            MatchOp::Regex | MatchOp::NotRegex => Some(re2::Regex::anchored(&value)?),
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Matcher { name: name.into(), op, value, regex })
    }

    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Matcher {
        Matcher { name: name.into(), op: MatchOp::Equal, value: value.into(), regex: None }
    }

    pub fn not_equal(name: impl Into<String>, value: impl Into<String>) -> Matcher {
        Matcher { name: name.into(), op: MatchOp::NotEqual, value: value.into(), regex: None }
    }

    /// Whether a label value matches; an absent label is the empty string.
    pub fn matches(&self, value: &str) -> bool {
        match (self.op, &self.regex) {
            (MatchOp::Equal, _) => self.value == value,
            (MatchOp::NotEqual, _) => self.value != value,
            (MatchOp::Regex, Some(re)) => re.is_match(value),
            (MatchOp::NotRegex, Some(re)) => !re.is_match(value),
            // `new` always compiles a regular expression for these two.
            (MatchOp::Regex | MatchOp::NotRegex, None) => false,
        }
    }

    /// Whether a series without this label matches.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The compiled expression of a regex matcher, for prefix and literal-set shortcuts.
    pub fn regex(&self) -> Option<&re2::Regex> {
        self.regex.as_ref()
    }

    /// Whether every matcher of `all` accepts `labels`.
    pub fn all_match(all: &[Matcher], labels: &crate::Labels) -> bool {
        all.iter().all(|m| m.matches(labels.get(&m.name)))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op && self.name == other.name && self.value == other.value
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_classic_label_name(&self.name) {
            f.write_str(&self.name)?;
        } else {
            write_quoted(f, &self.name)?;
        }
        f.write_str(self.op.as_str())?;
        write_quoted(f, &self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_sees_absent_labels_as_empty() {
        let check = |op, value: &str, input: &str, expected: bool| {
            let m = Matcher::new(op, "l", value).unwrap();
            assert_eq!(m.matches(input), expected, "{m} on {input:?}");
        };
        check(MatchOp::Equal, "a", "a", true);
        check(MatchOp::Equal, "", "", true);
        check(MatchOp::NotEqual, "a", "", true);
        check(MatchOp::Regex, "a|b", "b", true);
        check(MatchOp::Regex, "a", "ab", false);
        check(MatchOp::Regex, ".*", "", true);
        check(MatchOp::NotRegex, "a.*", "abc", false);
        assert!(Matcher::new(MatchOp::Regex, "l", "(").is_err());
    }
}
