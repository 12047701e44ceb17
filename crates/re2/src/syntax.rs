//! From Go's pattern syntax to Rust's.

use std::fmt;

/// Repetition counts above this are refused by Go.
const REPEAT_MAX: u32 = 1000;

/// Why a pattern is not a Go regular expression; prints Go's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
}

impl Error {
    fn new(kind: &str, at: &str) -> Error {
        Error { message: format!("error parsing regexp: {kind}: `{at}`") }
    }

    /// Turns an engine refusal into Go's nearest wording.
    pub(crate) fn from_engine(pattern: &str, error: &regex_automata::meta::BuildError) -> Error {
        if error.size_limit().is_some() {
            return Error::new("expression too large", pattern);
        }
        let text = error.syntax_error().map(ToString::to_string).unwrap_or_default();
        let kind = [
            ("unclosed group", "missing closing )"),
            ("unopened group", "unexpected )"),
            ("unclosed character class", "missing closing ]"),
            ("invalid character class range", "invalid character class range"),
            ("nest", "expression nests too deeply"),
            ("capture group name", "invalid named capture"),
            ("repetition operator missing", "missing argument to repetition operator"),
        ]
        .iter()
        .find(|(needle, _)| text.contains(needle))
        .map_or("invalid escape sequence", |(_, kind)| kind);
        Error::new(kind, pattern)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Rewrites a Go pattern into one the engine reads the same way.
pub(crate) fn translate(pattern: &str) -> Result<String, Error> {
    let mut t = Translator { pattern, rest: pattern, out: String::with_capacity(pattern.len() + 16) };
    t.run()?;
    Ok(t.out)
}

struct Translator<'a> {
    pattern: &'a str,
    rest: &'a str,
    out: String,
}

impl<'a> Translator<'a> {
    fn run(&mut self) -> Result<(), Error> {
        let mut depth = 0usize;
        // The operator text of a repetition that ended right before the cursor.
        let mut repeated: Option<&'a str> = None;
        let mut can_repeat = false;
        while let Some(c) = self.rest.chars().next() {
            let here = self.rest;
            match c {
                '\\' => {
                    self.escape(false)?;
                    (can_repeat, repeated) = (true, None);
                }
                '[' => {
                    self.class()?;
                    (can_repeat, repeated) = (true, None);
                }
                '(' => {
                    depth += 1;
                    self.group()?;
                    (can_repeat, repeated) = (false, None);
                }
                ')' => {
                    depth = depth.checked_sub(1).ok_or_else(|| Error::new("unexpected )", self.pattern))?;
                    self.copy(1);
                    (can_repeat, repeated) = (true, None);
                }
                '|' => {
                    self.copy(1);
                    (can_repeat, repeated) = (false, None);
                }
                '*' | '+' | '?' => {
                    let mut len = 1;
                    if self.rest[1..].starts_with('?') {
                        len = 2;
                    }
                    self.repeat(here, len, can_repeat, &mut repeated)?;
                }
                '{' => match repetition(self.rest) {
                    Some((len, min, max)) => {
                        let op = &here[..len];
                        if min > REPEAT_MAX || max.is_some_and(|m| m > REPEAT_MAX || m < min) {
                            return Err(Error::new("invalid repeat count", op));
                        }
                        let len = len + usize::from(self.rest[len..].starts_with('?'));
                        self.repeat(here, len, can_repeat, &mut repeated)?;
                    }
                    None => {
                        self.out.push_str("\\{");
                        self.rest = &self.rest[1..];
                        (can_repeat, repeated) = (true, None);
                    }
                },
                '}' | ']' => {
                    self.out.push('\\');
                    self.copy(1);
                    (can_repeat, repeated) = (true, None);
                }
                c => {
                    self.copy(c.len_utf8());
                    (can_repeat, repeated) = (true, None);
                }
            }
        }
        if depth > 0 {
            return Err(Error::new("missing closing )", self.pattern));
        }
        Ok(())
    }

    fn copy(&mut self, bytes: usize) {
        let (now, rest) = self.rest.split_at(bytes);
        self.out.push_str(now);
        self.rest = rest;
    }

    fn repeat(
        &mut self,
        here: &'a str,
        len: usize,
        can_repeat: bool,
        repeated: &mut Option<&'a str>,
    ) -> Result<(), Error> {
        if let Some(previous) = repeated {
            let both = previous.len() - here.len() + len;
            return Err(Error::new("invalid nested repetition operator", &previous[..both]));
        }
        if !can_repeat {
            return Err(Error::new("missing argument to repetition operator", &here[..len]));
        }
        *repeated = Some(here);
        self.copy(len);
        Ok(())
    }

    /// `(`, `(?flags)`, `(?flags:`, `(?P<name>`, `(?<name>`.
    fn group(&mut self) -> Result<(), Error> {
        let Some(inside) = self.rest.strip_prefix("(?") else {
            self.copy(1);
            return Ok(());
        };
        if inside.starts_with("P<") || inside.starts_with('<') {
            let open = inside.find('<').unwrap_or(0);
            let Some(close) = inside.find('>') else {
                return Err(Error::new("invalid named capture", self.rest));
            };
            let name = &inside[open + 1..close];
            let valid = !name.is_empty() && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
            if !valid {
                return Err(Error::new("invalid named capture", &self.rest[..close + 3]));
            }
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                // Legal in Go, not in the engine; such a group can only be reached by number anyway.
                self.out.push('(');
            } else {
                self.out.push_str(&self.rest[..close + 3]);
            }
            self.rest = &self.rest[close + 3..];
            return Ok(());
        }
        let end = inside.find([':', ')']).unwrap_or(inside.len());
        let flags = &inside[..end];
        if end == inside.len() {
            return Err(Error::new("missing argument to repetition operator", "?"));
        }
        let valid = flags.chars().all(|c| "imsU-".contains(c))
            && flags.matches('-').count() <= 1
            && !flags.ends_with('-');
        if !valid || (flags.is_empty() && inside.starts_with(')')) {
            return Err(Error::new(
                "invalid or unsupported Perl syntax",
                &self.rest[..(end + 3).min(self.rest.len())],
            ));
        }
        // The closing parenthesis of a bare flag group is left for `run` to count.
        self.copy(if inside[end..].starts_with(')') { end + 2 } else { end + 3 });
        Ok(())
    }

    /// An escape; `in_class` inside brackets.
    fn escape(&mut self, in_class: bool) -> Result<(), Error> {
        let after = &self.rest[1..];
        let Some(c) = after.chars().next() else {
            return Err(Error {
                message: "error parsing regexp: trailing backslash at end of expression: ``".into(),
            });
        };
        let ascii = |inside: &'static str, outside: &'static str| if in_class { inside } else { outside };
        let replacement = match c {
            'd' => ascii("0-9", "[0-9]"),
            'D' => ascii("[^0-9]", "[^0-9]"),
            'w' => ascii("0-9A-Za-z_", "[0-9A-Za-z_]"),
            'W' => ascii("[^0-9A-Za-z_]", "[^0-9A-Za-z_]"),
            's' => ascii(r"\t\n\x0C\r ", r"[\t\n\x0C\r ]"),
            'S' => ascii(r"[^\t\n\x0C\r ]", r"[^\t\n\x0C\r ]"),
            'b' if !in_class => r"(?-u:\b)",
            // A half-ASCII "not a word boundary" could split a character; the Unicode one is the nearest.
            'B' if !in_class => r"\B",
            'A' if !in_class => r"\A",
            'z' if !in_class => r"\z",
            'C' if !in_class => "(?s:.)",
            _ => "",
        };
        if !replacement.is_empty() {
            self.out.push_str(replacement);
            self.rest = &after[1..];
            return Ok(());
        }
        match c {
            'Q' if !in_class => {
                let body = &after[1..];
                let (literal, rest) = body.split_once("\\E").unwrap_or((body, ""));
                for c in literal.chars() {
                    push_literal(&mut self.out, c);
                }
                self.rest = rest;
                Ok(())
            }
            'a' | 'f' | 't' | 'n' | 'r' | 'v' => {
                self.copy(2);
                Ok(())
            }
            'p' | 'P' | 'x' => {
                let braced = after[1..].starts_with('{');
                let len = match (braced, c) {
                    (true, _) => after.find('}').map(|end| end + 1),
                    (false, 'x') => after.is_char_boundary(3.min(after.len())).then_some(3),
                    (false, _) => after[1..].chars().next().map(|c| 1 + c.len_utf8()),
                };
                match len {
                    Some(len) if len <= after.len() => {
                        self.copy(len + 1);
                        Ok(())
                    }
                    _ => Err(Error::new("invalid escape sequence", self.rest)),
                }
            }
            '0'..='7' => {
                let digits = after.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                if c != '0' && digits < 2 {
                    return Err(Error::new("invalid escape sequence", &self.rest[..2]));
                }
                let code = u32::from_str_radix(&after[..digits], 8).unwrap_or(0);
                push_literal(&mut self.out, char::from_u32(code).unwrap_or('\0'));
                self.rest = &after[digits..];
                Ok(())
            }
            c if c.is_ascii_punctuation() => {
                push_literal(&mut self.out, c);
                self.rest = &after[1..];
                Ok(())
            }
            c => Err(Error::new("invalid escape sequence", &self.rest[..1 + c.len_utf8()])),
        }
    }

    /// A bracket class: nested brackets and set operators are literals in Go.
    fn class(&mut self) -> Result<(), Error> {
        let start = self.rest;
        self.copy(1);
        if self.rest.starts_with('^') {
            self.copy(1);
        }
        let mut first = true;
        loop {
            let Some(c) = self.rest.chars().next() else {
                return Err(Error::new("missing closing ]", start));
            };
            match c {
                ']' if !first => {
                    self.copy(1);
                    return Ok(());
                }
                '[' if self.rest.starts_with("[:") && self.rest.contains(":]") => {
                    let end = self.rest.find(":]").unwrap_or(0) + 2;
                    let name = &self.rest[2..end - 2].trim_start_matches('^');
                    if !name.bytes().all(|b| b.is_ascii_lowercase()) {
                        return Err(Error::new("invalid character class range", &self.rest[..end]));
                    }
                    self.copy(end);
                }
                '\\' => self.escape(true)?,
                '-' => {
                    self.copy(1);
                    // A doubled dash is set difference to the engine.
                    if self.rest.starts_with('-') {
                        self.out.push('\\');
                        self.copy(1);
                    }
                }
                '[' | ']' | '&' | '~' => {
                    self.out.push('\\');
                    self.copy(1);
                }
                c => self.copy(c.len_utf8()),
            }
            first = false;
        }
    }
}

fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() && c != '_' && c != '<' && c != '>' {
        out.push('\\');
    }
    if c.is_control() {
        out.push_str(&format!("\\x{{{:x}}}", c as u32));
    } else {
        out.push(c);
    }
}

/// `{n}`, `{n,}` or `{n,m}` at the start of `s`: its length, minimum and maximum. Anything else is literal.
fn repetition(s: &str) -> Option<(usize, u32, Option<u32>)> {
    let end = s.find('}')?;
    let body = &s[1..end];
    let number = |t: &str| {
        let digits = !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| t.parse().unwrap_or(u32::MAX))
    };
    let (min, max) = match body.split_once(',') {
        None => (number(body)?, Some(number(body)?)),
        Some((min, "")) => (number(min)?, None),
        Some((min, max)) => (number(min)?, Some(number(max)?)),
    };
    Some((end + 1, min, max))
}

#[cfg(test)]
mod tests {
    use crate::Regex;

    #[test]
    fn go_dialect_matches() {
        let check = |pattern: &str, text: &str, expected: bool| match Regex::new(pattern) {
            Ok(re) => assert_eq!(re.is_match(text), expected, "{pattern} on {text:?}"),
            Err(e) => panic!("{pattern}: {e}"),
        };
        check(r"^\d$", "٣", false);
        check(r"^\w$", "é", false);
        check(r"^[\w.]+$", "a.b_1", true);
        check(r"a\b", "aé", true);
        check(r"^\Qa.b\E$", "a.b", true);
        check(r"^\Qa.b\Ec$", "axbc", false);
        check(r"^a{,3}$", "a{,3}", true);
        check(r"^{$", "{", true);
        check(r"^a{2$", "a{2", true);
        check(r"^[a[b]$", "[", true);
        check(r"^[a&&b]$", "&", true);
        check(r"^[]a]$", "]", true);
        check(r"^[[:alpha:]]+$", "abc", true);
        check(r"^\<foo$", "<foo", true);
        check(r"^\101$", "A", true);
        check(r"^a{2,3}$", "aaa", true);
        check(r"(?i)ERROR", "an error", true);
        check(r"^x(?:y|z)$", "xz", true);
        check(r"^\x41\.$", "A.", true);
        check(r"^a]$", "a]", true);
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        let check = |pattern: &str, expected: &str| match Regex::new(pattern) {
            Ok(_) => panic!("{pattern} was accepted"),
            Err(e) => assert_eq!(e.to_string(), expected, "{pattern}"),
        };
        check("(", "error parsing regexp: missing closing ): `(`");
        check("a)", "error parsing regexp: unexpected ): `a)`");
        check("*", "error parsing regexp: missing argument to repetition operator: `*`");
        check("a**", "error parsing regexp: invalid nested repetition operator: `**`");
        check("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`");
        check("[a", "error parsing regexp: missing closing ]: `[a`");
        check(r"\y", "error parsing regexp: invalid escape sequence: `\\y`");
        check("(?x)a", "error parsing regexp: invalid or unsupported Perl syntax: `(?x)`");
        check("a\\", "error parsing regexp: trailing backslash at end of expression: ``");
    }
}
