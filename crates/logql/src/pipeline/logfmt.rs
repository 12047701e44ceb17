//! The `logfmt` parser: `level=info msg="all good" took=3ms`.

use std::borrow::Cow;

use logql_syntax::ast::LogfmtExtraction;

use super::labels::LabelState;
use super::parse::label_name;

pub(super) struct LogfmtParser {
    strict: bool,
    keep_empty: bool,
    extractions: Vec<LogfmtExtraction>,
}

impl LogfmtParser {
    pub fn new(strict: bool, keep_empty: bool, extractions: &[LogfmtExtraction]) -> LogfmtParser {
        LogfmtParser { strict, keep_empty, extractions: extractions.to_vec() }
    }

    pub fn parse(&self, line: &str, state: &mut LabelState) {
        // A label that is asked for and not there is set empty, as the original does.
        for extraction in &self.extractions {
            if state.get(&extraction.label).is_none() {
                state.set(&extraction.label, "");
            }
        }
        let outcome = pairs(line, &mut |key, value| {
            if self.extractions.is_empty() {
                if !value.is_empty() || self.keep_empty {
                    state.set_parsed(&label_name(key), &value);
                }
                return;
            }
            for extraction in self.extractions.iter().filter(|e| e.key == key) {
                state.set_parsed(&extraction.label, &value);
            }
        });
        if let Err(e) = outcome
            && self.strict
        {
            state.set_error("LogfmtParserErr", &e);
        }
    }
}

/// Visits key and value of each pair. Malformed pairs are passed over; the first one is the error.
pub(crate) fn pairs<'l>(line: &'l str, visit: &mut dyn FnMut(&'l str, Cow<'l, str>)) -> Result<(), String> {
    let mut error = None;
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c.is_control());
        if rest.is_empty() {
            break;
        }
        let mut fail = |rest: &str, what: &str| {
            let at = line.len() - rest.len() + 1;
            error.get_or_insert_with(|| format!("logfmt syntax error at pos {at} on line 1: {what}"));
        };
        let end = rest.find(|c: char| c <= ' ' || c == '=' || c == '"').unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        if key.is_empty() || after.starts_with('"') {
            fail(after, &format!("unexpected '{}'", after.chars().next().unwrap_or(' ')));
            rest = skip_word(after);
            continue;
        }
        let Some(after) = after.strip_prefix('=') else {
            visit(key, Cow::Borrowed(""));
            rest = after;
            continue;
        };
        if after.starts_with('"') {
            match quoted(after) {
                Some((value, after)) => {
                    visit(key, value);
                    rest = after;
                }
                None => {
                    fail(line, "unterminated quoted value");
                    rest = "";
                }
            }
            continue;
        }
        let end = after.find(|c: char| c <= ' ' || c == '=' || c == '"').unwrap_or(after.len());
        let (value, tail) = after.split_at(end);
        if tail.starts_with(['=', '"']) {
            fail(tail, &format!("unexpected '{}'", &tail[..1]));
            rest = skip_word(tail);
            continue;
        }
        visit(key, Cow::Borrowed(value));
        rest = tail;
    }
    error.map_or(Ok(()), Err)
}

/// What follows the next white space.
fn skip_word(text: &str) -> &str {
    text.find(|c: char| c <= ' ').map_or("", |at| &text[at..])
}

/// The quoted value at the start of `text` and what follows it.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let inner = text.get(1..)?;
    let first = inner.find(['"', '\\'])?;
    if inner[first..].starts_with('"') {
        return Some((Cow::Borrowed(&inner[..first]), &inner[first + 1..]));
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Cow::Owned(out), &inner[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'b' => out.push('\u{8}'),
                'f' => out.push('\u{c}'),
                'u' => {
                    let code: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    let c = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                    out.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => out.push(other),
            },
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_a_line() {
        let check = |line: &str, expected: &[(&str, &str)], ok: bool| {
            let mut found = Vec::new();
            let outcome = pairs(line, &mut |k, v| found.push((k.to_owned(), v.into_owned())));
            let expected: Vec<_> = expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!((found, outcome.is_ok()), (expected, ok), "{line}");
        };
        check("a=1 b=\"x y\" c", &[("a", "1"), ("b", "x y"), ("c", "")], true);
        check(r#"msg="say \"hi\"\n" t=3ms"#, &[("msg", "say \"hi\"\n"), ("t", "3ms")], true);
        check("a=  b=2", &[("a", ""), ("b", "2")], true);
        check("=x b=2", &[("b", "2")], false);
        check("a=b=c d=1", &[("d", "1")], false);
        check("a=\"open", &[], false);
        check("a\"b c=1", &[("c", "1")], false);
        check("", &[], true);
    }
}
