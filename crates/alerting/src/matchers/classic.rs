//! The classic notation: a label name, an operator, and whatever follows as the value.
//!
//! The value may be quoted; inside, `\"`, `\\` and `\n` are escapes and any other backslash stands for
//! itself. An empty value needs no quotes. Lists are separated by commas outside quotes.

use model::labels::is_classic_metric_name;
use model::{MatchOp, Matcher};

use super::new_matcher;

pub(super) fn matchers(text: &str) -> Result<Vec<Matcher>, String> {
    let inner = text.strip_prefix('{').unwrap_or(text);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut tokens, mut token) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for c in inner.chars() {
        match c {
            ',' if !quoted => {
                tokens.push(std::mem::take(&mut token));
                continue;
            }
            '"' if escaped => escaped = false,
            '"' => quoted = !quoted,
            '\\' => escaped = !escaped,
            // A comma inside quotes leaves a pending backslash alone, as the original does.
            ',' => {}
            _ => escaped = false,
        }
        token.push(c);
    }
    if !token.trim().is_empty() {
        tokens.push(token.trim().to_owned());
    }
    tokens.iter().map(|token| matcher(token)).collect()
}

pub(super) fn matcher(text: &str) -> Result<Matcher, String> {
    let bad = || format!("bad matcher format: {text}");
    let trimmed = text.trim_matches(is_space);
    let end = trimmed.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).ok_or_else(bad)?;
    let (name, rest) = trimmed.split_at(end);
    if !is_classic_metric_name(name) {
        return Err(bad());
    }
    let (op, raw) = take_op(rest.trim_start_matches(is_space)).ok_or_else(bad)?;
    let value = unescape(raw.trim_start_matches(is_space))?;
    new_matcher(op, name, &value)
}

fn unescape(raw: &str) -> Result<String, String> {
    let unescaped_quote = || format!("matcher value contains unescaped double quote: {raw}");
    let (body, mut awaits_quote) = match raw.strip_prefix('"') {
        Some(body) => (body, true),
        None => (raw, false),
    };
    let (mut value, mut escaped) = (String::with_capacity(body.len()), false);
    for (at, c) in body.char_indices() {
        let is_last = at + c.len_utf8() == body.len();
        match c {
            'n' if escaped => value.push('\n'),
            '"' | '\\' if escaped => value.push(c),
            c if escaped => {
                value.push('\\');
                value.push(c);
            }
            '\\' if !is_last => {
                escaped = true;
                continue;
            }
            '"' if !awaits_quote || !is_last => return Err(unescaped_quote()),
            '"' => awaits_quote = false,
            c => value.push(c),
        }
        escaped = false;
    }
    if awaits_quote {
        return Err(unescaped_quote());
    }
    Ok(value)
}

fn take_op(text: &str) -> Option<(MatchOp, &str)> {
    let ops =
        [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual), ("=", MatchOp::Equal)];
    ops.iter().find_map(|(sign, op)| text.strip_prefix(sign).map(|rest| (*op, rest)))
}

/// White space as regular expressions know it.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ')
}
