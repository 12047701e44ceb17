//! Anchored patterns that need no engine: alternations of literals with `.*` or `.+` at their ends.
//!
//! Nearly all matchers people write are of this kind (`a|b`, `node_.+`, `.*timeout.*`). Comparing strings is
//! faster than any automaton, and compiling one takes longer than many a query.

/// Longer patterns are left to the engine, which has its own opinion on size.
const PATTERN_BYTES_MAX: usize = 4096;

/// One alternative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Branch {
    before: Rest,
    literal: String,
    after: Rest,
}

/// What may stand beside the literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// `.*`
    Anything,
    /// `.+`
    Something,
}

/// The alternatives of such a pattern; `None` for all others.
pub(crate) fn branches(pattern: &str) -> Option<Vec<Branch>> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return None;
    }
    let inner = pattern.strip_prefix('(').and_then(|p| p.strip_suffix(')')).unwrap_or(pattern);
    let inner = if inner.len() < pattern.len() { inner.strip_prefix("?:").unwrap_or(inner) } else { inner };
    inner.split('|').map(branch).collect()
}

fn branch(text: &str) -> Option<Branch> {
    let (before, text) = match (text.strip_prefix(".*"), text.strip_prefix(".+")) {
        (Some(text), _) => (Rest::Anything, text),
        (_, Some(text)) => (Rest::Something, text),
        _ => (Rest::Nothing, text),
    };
    let (after, text) = match (text.strip_suffix(".*"), text.strip_suffix(".+")) {
        (Some(text), _) => (Rest::Anything, text),
        (_, Some(text)) => (Rest::Something, text),
        _ => (Rest::Nothing, text),
    };
    let alone = text.is_empty() && before != Rest::Nothing && after != Rest::Nothing;
    let is_literal = !text.contains(|c| r"\.+*?()|[]{}^$".contains(c));
    (is_literal && !alone).then(|| Branch { before, literal: text.to_owned(), after })
}

impl Branch {
    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let least = |rest: Rest| usize::from(rest == Rest::Something);
        let literal = self.literal.as_str();
        match (self.before, self.after) {
            (Rest::Nothing, Rest::Nothing) => text == literal,
            (Rest::Nothing, after) => {
                text.strip_prefix(literal).is_some_and(|rest| rest.len() >= least(after))
            }
            (before, Rest::Nothing) => {
                text.strip_suffix(literal).is_some_and(|rest| rest.len() >= least(before))
            }
            (before, after) => {
                // The first place where it can be leaves the most behind it.
                let mut chars = text.chars();
                if before == Rest::Something && chars.next().is_none() {
                    return false;
                }
                let text = chars.as_str();
                text.find(literal).is_some_and(|at| text.len() - at - literal.len() >= least(after))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Regex;

    use super::*;

    #[test]
    fn agrees_with_the_engine() {
        let ends = ["", ".*", ".+"];
        let texts = [
            "", "a", "aa", "aaa", "aaaa", "ab", "ba", "bab", "\n", "a\n", "é", "éa", "aé", "éaé", "aba",
            "abab",
        ];
        let mut patterns = Vec::new();
        for before in ends {
            for after in ends {
                for literal in ["", "a", "aa", "ab", "é"] {
                    patterns.push(format!("{before}{literal}{after}"));
                }
            }
        }
        let pairs: Vec<String> = patterns.windows(2).map(|p| p.join("|")).collect();
        let grouped: Vec<String> =
            pairs.iter().flat_map(|p| [format!("({p})"), format!("(?:{p})")]).collect();
        for pattern in patterns.iter().chain(&pairs).chain(&grouped) {
            let engine = Regex::new(&format!("^(?s:{pattern})$")).unwrap();
            let ours = Regex::anchored(pattern).unwrap();
            for text in texts {
                assert_eq!(ours.is_match(text), engine.is_match(text), "{pattern} on {text:?}");
            }
        }
    }

    #[test]
    fn other_patterns_are_left_alone() {
        for pattern in
            ["a.b", r"a\.*", "a+", "(a)|(b)", "a.*b", "(?i:a)", "[ab]", "a.*?", "..*", "?:a", ".+.+", "a{2}"]
        {
            assert_eq!(branches(pattern), None, "{pattern}");
        }
        assert!(branches(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_none());
    }
}
