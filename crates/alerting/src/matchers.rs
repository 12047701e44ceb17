//! Reading and writing matchers as Alertmanager does.
//!
//! There are two grammars. The [`classic`] one knows classic label names and takes nearly anything as a
//! value; the [`utf8`] one allows any label name and wants values quoted or free of special characters.
//! By default both are tried and the classic reading wins where they differ, so old configurations keep
//! their meaning.

mod classic;
mod lexer;
mod utf8;

#[cfg(test)]
mod tests;

use model::labels::{is_classic_label_name, write_quoted};
use model::{MatchOp, Matcher};

use lexer::is_reserved;

/// Which grammar to read matchers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatcherMode {
    /// Both, the classic one first.
    #[default]
    Fallback,
    Classic,
    Utf8,
}

/// Builds a matcher; the error is Go's text for the anchored pattern, as clients of the original see it.
pub fn new_matcher(op: MatchOp, name: &str, value: &str) -> Result<Matcher, String> {
    Matcher::new(op, name, value).map_err(|error| match re2::Regex::new(&format!("^(?:{value})$")) {
        Err(anchored) => anchored.to_string(),
        Ok(_) => error.to_string(),
    })
}

/// Reads one matcher, without braces.
pub fn parse_matcher(text: &str, mode: MatcherMode) -> Result<Matcher, String> {
    if mode == MatcherMode::Classic {
        return classic::matcher(text);
    }
    if text.starts_with('{') || text.ends_with('}') {
        return Err(format!("unexpected open or close brace: {text}"));
    }
    match mode {
        MatcherMode::Utf8 => utf8::matcher(text),
        _ => fall_back(text, utf8::matcher(text), classic::matcher(text), format_matcher),
    }
}

/// Reads a list of matchers, with or without braces.
pub fn parse_matchers(text: &str, mode: MatcherMode) -> Result<Vec<Matcher>, String> {
    match mode {
        MatcherMode::Classic => classic::matchers(text),
        MatcherMode::Utf8 => utf8::matchers(text),
        MatcherMode::Fallback => fall_back(text, utf8::matchers(text), classic::matchers(text), |all| {
            all.iter().map(format_matcher).collect::<Vec<_>>().join(",")
        }),
    }
}

/// Chooses between the two readings of `text` and says so when they differ.
fn fall_back<T: PartialEq>(
    text: &str,
    utf8: Result<T, String>,
    classic: Result<T, String>,
    show: impl Fn(&T) -> String,
) -> Result<T, String> {
    match (utf8, classic) {
        (Ok(utf8), Err(_)) => Ok(utf8),
        (Err(_), Err(error)) => Err(error),
        (Err(error), Ok(classic)) => {
            tracing::warn!(
                input = text,
                error,
                suggestion = show(&classic),
                "matchers are not written in the UTF-8 notation, the classic one is used"
            );
            Ok(classic)
        }
        (Ok(utf8), Ok(classic)) => {
            if utf8 != classic {
                tracing::warn!(
                    input = text,
                    "matchers mean one thing in the classic notation and another in the UTF-8 one"
                );
            }
            Ok(classic)
        }
    }
}

/// `name="value"`; name and value are quoted as Go does when the name is not a plain word.
pub fn format_matcher(matcher: &Matcher) -> String {
    let (name, op, value) = (&matcher.name, matcher.op.as_str(), &matcher.value);
    let mut out = String::with_capacity(name.len() + value.len() + 6);
    if name.contains(is_reserved) {
        // Writing to a string cannot fail.
        let _ = write_quoted(&mut out, name);
        out.push_str(op);
        let _ = write_quoted(&mut out, value);
        return out;
    }
    out.push_str(name);
    out.push_str(op);
    out.push('"');
    for c in value.chars() {
        match c {
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"\n"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `{a="b",c=~"d"}`
pub fn format_matchers(matchers: &[Matcher]) -> String {
    let parts: Vec<String> = matchers.iter().map(format_matcher).collect();
    format!("{{{}}}", parts.join(","))
}

/// Orders matchers by name, value and operator, the order in route keys.
pub(crate) fn sort(matchers: &mut [Matcher]) {
    let rank = |op: MatchOp| match op {
        MatchOp::Equal => 0,
        MatchOp::NotEqual => 1,
        MatchOp::Regex => 2,
        MatchOp::NotRegex => 3,
    };
    matchers.sort_by(|a, b| (&a.name, &a.value, rank(a.op)).cmp(&(&b.name, &b.value, rank(b.op))));
}

/// Whether a label name may be used in the given mode.
pub fn is_label_name(name: &str, mode: MatcherMode) -> bool {
    match mode {
        MatcherMode::Classic => is_classic_label_name(name),
        _ => !name.is_empty(),
    }
}
