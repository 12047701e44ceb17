//! Reading and writing matchers as Alertmanager does.
//!
//! There are two grammars. The classic one knows classic label names and takes nearly anything as a
//! value; the UTF-8 one allows any label name and wants values quoted or free of special characters.
//! By default both are tried and the classic reading wins where they differ, so old configurations keep
//! their meaning.

use model::labels::{is_classic_label_name, is_classic_metric_name, write_quoted};
use model::{MatchOp, Matcher};

/// Which grammar to read matchers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatcherMode {
    /// Both, the classic one first.
    #[default]
    Fallback,
    Classic,
    Utf8,
}

/// Characters that end an unquoted name or value.
const RESERVED: &str = "{}!=~,\\\"'`";

fn is_reserved(c: char) -> bool {
    c.is_whitespace() || RESERVED.contains(c)
}

/// Builds a matcher; the error is Go's text for the anchored pattern, as clients of the original see it.
pub fn new_matcher(op: MatchOp, name: &str, value: &str) -> Result<Matcher, String> {
    Matcher::new(op, name, value).map_err(|error| match re2::Regex::new(&format!("^(?:{value})$")) {
        Err(anchored) => anchored.to_string(),
        Ok(_) => error.to_string(),
    })
}

/// Reads one matcher.
pub fn parse_matcher(text: &str, mode: MatcherMode) -> Result<Matcher, String> {
    let all = match mode {
        MatcherMode::Classic => return classic_one(text),
        MatcherMode::Utf8 => utf8(text)?,
        MatcherMode::Fallback => {
            return match (utf8(text), classic_one(text)) {
                (_, Ok(classic)) => Ok(classic),
                (Ok(mut all), Err(error)) => match all.pop() {
                    Some(one) if all.is_empty() => Ok(one),
                    _ => Err(error),
                },
                (Err(_), Err(error)) => Err(error),
            };
        }
    };
    match <[Matcher; 1]>::try_from(all) {
        Ok([one]) => Ok(one),
        Err(all) => Err(format!("expected 1 matcher, found {}", all.len())),
    }
}

/// Reads a list of matchers, with or without braces.
pub fn parse_matchers(text: &str, mode: MatcherMode) -> Result<Vec<Matcher>, String> {
    match mode {
        MatcherMode::Classic => classic(text),
        MatcherMode::Utf8 => utf8(text),
        MatcherMode::Fallback => match (utf8(text), classic(text)) {
            (_, Ok(classic)) => Ok(classic),
            (Ok(utf8), Err(_)) => Ok(utf8),
            (Err(_), Err(error)) => Err(error),
        },
    }
}

/// `name="value"`, the name quoted when it needs to be.
pub fn format_matcher(matcher: &Matcher) -> String {
    let mut out = String::new();
    if matcher.name.contains(is_reserved) {
        // Writing to a string cannot fail.
        let _ = write_quoted(&mut out, &matcher.name);
    } else {
        out.push_str(&matcher.name);
    }
    out.push_str(matcher.op.as_str());
    out.push('"');
    out.push_str(&matcher.value.replace('\\', r"\\").replace('\n', r"\n").replace('"', "\\\""));
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

fn take_op(text: &str) -> Option<(MatchOp, &str)> {
    let ops =
        [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual), ("=", MatchOp::Equal)];
    ops.iter().find_map(|(sign, op)| text.strip_prefix(sign).map(|rest| (*op, rest)))
}

fn classic(text: &str) -> Result<Vec<Matcher>, String> {
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
            _ => escaped = false,
        }
        token.push(c);
    }
    if !token.trim().is_empty() {
        tokens.push(token.trim().to_owned());
    }
    tokens.iter().map(|token| classic_one(token)).collect()
}

fn classic_one(text: &str) -> Result<Matcher, String> {
    let bad = || format!("bad matcher format: {text}");
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).ok_or_else(bad)?;
    let (name, rest) = trimmed.split_at(end);
    if !is_classic_metric_name(name) {
        return Err(bad());
    }
    let (op, raw) = take_op(rest.trim_start()).ok_or_else(bad)?;
    let raw = raw.trim();
    let (body, mut awaits_quote) = match raw.strip_prefix('"') {
        Some(body) => (body, true),
        None => (raw, false),
    };
    let unescaped_quote = || format!("matcher value contains unescaped double quote: {raw}");
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
    new_matcher(op, name, &value)
}

fn utf8(text: &str) -> Result<Vec<Matcher>, String> {
    let mut parser = Utf8 { text, at: 0 };
    parser.space();
    let braces = parser.eat("{");
    let mut out = Vec::new();
    loop {
        parser.space();
        if parser.rest().is_empty() || parser.rest().starts_with('}') {
            break;
        }
        out.push(parser.matcher()?);
        parser.space();
        if !parser.eat(",") {
            break;
        }
    }
    parser.space();
    match (braces, parser.eat("}")) {
        (true, false) => return Err(parser.expected("expected close brace")),
        (false, true) => return Err(parser.expected("expected opening brace")),
        _ => parser.space(),
    }
    if !parser.rest().is_empty() {
        return Err(parser.expected("expected end of input"));
    }
    Ok(out)
}

struct Utf8<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Utf8<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, sign: &str) -> bool {
        let hit = self.rest().starts_with(sign);
        if hit {
            self.at += sign.len();
        }
        hit
    }

    fn expected(&self, what: &str) -> String {
        let column = self.text[..self.at].chars().count();
        let token: String = self.rest().chars().take(1).collect();
        if token.is_empty() {
            format!("{column}:{column}: end of input: {what}")
        } else {
            format!("{column}:{}: unexpected {token}: {what}", column + 1)
        }
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let name = self.word("expected label name")?;
        self.space();
        let Some((op, rest)) = take_op(self.rest()) else {
            return Err(self.expected("expected an operator such as '=', '!=', '=~' or '!~'"));
        };
        self.at = self.text.len() - rest.len();
        self.space();
        let value = self.word("expected label value")?;
        if name.is_empty() {
            return Err(self.expected("expected label name"));
        }
        new_matcher(op, &name, &value)
    }

    fn word(&mut self, what: &str) -> Result<String, String> {
        let rest = self.rest();
        if rest.starts_with('"') {
            let mut escaped = false;
            for (at, c) in rest.char_indices().skip(1) {
                match c {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    '"' => {
                        self.at += at + 1;
                        return unquote(&rest[1..at])
                            .ok_or_else(|| format!("{}: input is not valid: {}", self.at, &rest[..=at]));
                    }
                    _ => {}
                }
            }
            return Err(format!("{rest}: missing end \""));
        }
        let end = rest.find(is_reserved).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.expected(what));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }
}

fn unquote(inner: &str) -> Option<String> {
    let (mut out, mut chars) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            'x' => code_point(&mut chars, 2)?,
            'u' => code_point(&mut chars, 4)?,
            'U' => code_point(&mut chars, 8)?,
            c @ ('\\' | '"' | '\'') => c,
            _ => return None,
        });
    }
    Some(out)
}

fn code_point(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let code: String = chars.by_ref().take(digits).collect();
    u32::from_str_radix(&code, 16).ok().and_then(char::from_u32)
}

/// Whether a label name may be used in the given mode.
pub(crate) fn is_label_name(name: &str, mode: MatcherMode) -> bool {
    match mode {
        MatcherMode::Classic => is_classic_label_name(name),
        _ => !name.is_empty(),
    }
}
