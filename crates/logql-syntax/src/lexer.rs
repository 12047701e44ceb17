//! Query text to tokens.
//!
//! The lexer never fails by itself: what it cannot read becomes a [`TokenKind::Broken`], which the parser
//! reports when it gets there, so that an earlier mistake is told first.

use crate::token::{FUNCTIONS, RESERVED, SYMBOLS, Token, TokenKind};
use crate::units;

/// All tokens of `input`, ending in `End` or `Broken`.
pub(crate) fn tokens(input: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: input, line: 1, column: 1 };
    let mut out = Vec::with_capacity(input.len() / 4 + 2);
    loop {
        lexer.skip_blank();
        let (line, column) = (lexer.line, lexer.column);
        let kind = lexer.next();
        // The original reports ranges with line 0, and an empty query with no position at all.
        let line = match kind {
            TokenKind::Range(_) => 0,
            TokenKind::Broken(ref m) if m.contains("duration") => 0,
            _ => line,
        };
        let last = matches!(kind, TokenKind::Broken(_) | TokenKind::End);
        out.push(Token { kind, line, column });
        if last {
            break;
        }
    }
    if let [Token { kind: TokenKind::End, line, column }] = out.as_mut_slice() {
        (*line, *column) = (0, 0);
    }
    out
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Lexer<'a> {
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        for c in taken.chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn skip_blank(&mut self) {
        loop {
            let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.advance(blank);
            if !self.rest.starts_with('#') {
                return;
            }
            let comment = self.rest.find('\n').unwrap_or(self.rest.len());
            self.advance(comment);
        }
    }

    fn next(&mut self) -> TokenKind {
        let mut chars = self.rest.chars();
        let (Some(first), second) = (chars.next(), chars.next()) else { return TokenKind::End };
        match first {
            '"' => self.quoted(),
            '`' => self.raw(),
            '[' => self.range(),
            '-' if second == Some('-') && self.flag_length().is_some() => {
                let length = self.flag_length().unwrap_or(0);
                TokenKind::Flag(self.advance(length).to_owned())
            }
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(),
            c if c == '_' || c.is_alphabetic() => self.word(),
            c => match SYMBOLS.iter().find(|s| self.rest.starts_with(**s)) {
                Some(symbol) => {
                    self.advance(symbol.len());
                    TokenKind::Word(symbol)
                }
                None => TokenKind::Broken(format!("syntax error: unexpected {}", printable(c))),
            },
        }
    }

    fn flag_length(&self) -> Option<usize> {
        let name = self.rest.get(2..)?;
        let length = name.bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'-').count();
        (length > 0).then_some(length + 2)
    }

    fn quoted(&mut self) -> TokenKind {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    let text = self.advance(at + 1);
                    return match unquote(&text[1..at]) {
                        Some(value) => TokenKind::String(value),
                        None => TokenKind::Broken("invalid syntax".into()),
                    };
                }
                _ => {}
            }
        }
        TokenKind::Broken("literal not terminated".into())
    }

    fn raw(&mut self) -> TokenKind {
        match self.rest[1..].find('`') {
            Some(end) => {
                let text = self.advance(end + 2);
                // As in Go, carriage returns are not part of a raw string.
                TokenKind::String(text[1..=end].replace('\r', ""))
            }
            None => TokenKind::Broken("literal not terminated".into()),
        }
    }

    fn range(&mut self) -> TokenKind {
        let Some(end) = self.rest.find(']') else {
            return TokenKind::Broken("missing closing ']' in duration".into());
        };
        match units::parse_query_duration(&self.rest[1..end]) {
            Ok(ns) => {
                self.advance(end + 1);
                TokenKind::Range(ns)
            }
            Err(message) => TokenKind::Broken(message),
        }
    }

    /// A number, a duration or a byte size.
    fn number(&mut self) -> TokenKind {
        let run = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_'));
        let mut run = run.unwrap_or(self.rest.len());
        let exponent_open =
            self.rest[..run].ends_with(['e', 'E']) && self.rest[run..].starts_with(['+', '-']);
        if exponent_open && self.rest[..run - 1].bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            run += 1 + self.rest[run + 1..].bytes().take_while(u8::is_ascii_digit).count();
        }
        let text = &self.rest[..run];
        if let Some(value) = parse_number(text) {
            return TokenKind::Number(value, self.advance(run).to_owned());
        }
        if let Ok(ns) = units::parse_query_duration(text) {
            return TokenKind::Duration(ns, self.advance(run).to_owned());
        }
        if let Some(bytes) = units::parse_bytes(text) {
            return TokenKind::Bytes(bytes, self.advance(run).to_owned());
        }
        // Not one word then: the digits are a number and the parser will stumble over what follows.
        let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        match text[..digits].parse() {
            Ok(value) => TokenKind::Number(value, self.advance(digits).to_owned()),
            Err(_) => TokenKind::Broken(format!("syntax error: unexpected {text}")),
        }
    }

    fn word(&mut self) -> TokenKind {
        let end = self.rest.find(|c: char| !(c == '_' || c.is_alphanumeric())).unwrap_or(self.rest.len());
        let text = self.advance(end);
        let lower = text.to_ascii_lowercase();
        if let Some(word) = RESERVED.iter().find(|w| **w == lower) {
            return TokenKind::Word(word);
        }
        match FUNCTIONS.iter().find(|w| **w == lower) {
            Some(name) if self.is_call() => TokenKind::Function(name),
            _ => TokenKind::Identifier(text.to_owned()),
        }
    }

    /// Whether what follows a name makes it a function: `(`, or a grouping with its `(`.
    fn is_call(&self) -> bool {
        let mut ahead = Lexer { rest: self.rest, line: 0, column: 0 };
        ahead.skip_blank();
        let lower: String = ahead.rest.chars().take(8).collect::<String>().to_ascii_lowercase();
        if lower.starts_with('(') {
            return true;
        }
        let grouping = ["by", "without"].into_iter().find(|w| lower.starts_with(w));
        grouping.is_some_and(|w| {
            ahead.rest = &ahead.rest[w.len()..];
            ahead.skip_blank();
            ahead.rest.starts_with('(')
        })
    }
}

fn printable(c: char) -> String {
    if c.is_control() { format!("U+{:04X}", c as u32) } else { c.to_string() }
}

fn parse_number(text: &str) -> Option<f64> {
    if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok().map(|v| v as f64);
    }
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    text.parse().ok()
}

/// The content of a double-quoted string with Go's escapes resolved; `None` when one is malformed.
fn unquote(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut buffer = [0u8; 4];
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        let escape = chars.next()?;
        let mut code = |digits: usize, radix: u32, seed: Option<char>| {
            let text: String = seed.into_iter().chain(chars.by_ref().take(digits)).collect();
            let full = text.len() == digits + usize::from(seed.is_some());
            full.then(|| u32::from_str_radix(&text, radix).ok()).flatten()
        };
        match escape {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            '\\' => bytes.push(b'\\'),
            '"' => bytes.push(b'"'),
            'x' => bytes.push(code(2, 16, None)? as u8),
            '0'..='7' => bytes.push(u8::try_from(code(2, 8, Some(escape))?).ok()?),
            'u' | 'U' => {
                let c = char::from_u32(code(if escape == 'u' { 4 } else { 8 }, 16, None)?)?;
                bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            }
            _ => return None,
        }
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}
