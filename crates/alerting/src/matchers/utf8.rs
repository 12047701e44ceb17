//! The UTF-8 notation: names and values are quoted, or words without special characters.
//!
//! ```text
//! list    = [ "{" ] [ matcher { "," matcher } [ "," ] ] [ "}" ]       both braces or none
//! matcher = word ( "=" | "!=" | "=~" | "!~" ) word
//! word    = unquoted | quoted          quoted as a Go string, valid UTF-8
//! ```
//!
//! Errors start with the columns they are about.

use model::{MatchOp, Matcher};

use super::lexer::{Kind, Lexer, Token};
use super::new_matcher;

const END: &str = "end of input";

pub(super) fn matcher(text: &str) -> Result<Matcher, String> {
    let mut all = matchers(text)?;
    match (all.pop(), all.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err("no matchers".into()),
        (_, others) => Err(format!("expected 1 matcher, found {}", others + 1)),
    }
}

pub(super) fn matchers(text: &str) -> Result<Vec<Matcher>, String> {
    let mut parser = Parser { lexer: Lexer::new(text), braces: false };
    let mut out = Vec::new();
    match parser.lexer.peek()? {
        None => return Ok(out),
        Some(token) if token.kind == Kind::OpenBrace => {
            parser.lexer.take()?;
            parser.braces = true;
        }
        Some(_) => {}
    }
    let is_end = |token: Option<Token<'_>>| token.is_none_or(|token| token.kind == Kind::CloseBrace);
    if !is_end(parser.lexer.peek()?) {
        loop {
            out.push(parser.matcher()?);
            if !parser.comma()? {
                break;
            }
        }
    }
    parser.close()?;
    Ok(out)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    braces: bool,
}

impl<'a> Parser<'a> {
    /// Takes the next token if it is one of `kinds`; `or` says what was expected.
    fn expect(&mut self, kinds: &[Kind], or: &str) -> Result<Token<'a>, String> {
        let token = self.expect_peek(kinds).map_err(|error| format!("{error}: {or}"))?;
        self.lexer.take()?;
        Ok(token)
    }

    fn expect_peek(&mut self, kinds: &[Kind]) -> Result<Token<'a>, String> {
        match self.lexer.peek()? {
            None => Err(END.into()),
            Some(token) if kinds.contains(&token.kind) => Ok(token),
            Some(Token { text, columns: (from, to), .. }) => Err(format!("{from}:{to}: unexpected {text}")),
        }
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        const WORD: [Kind; 2] = [Kind::Quoted, Kind::Unquoted];
        const OPERATOR: [Kind; 4] = [Kind::Equals, Kind::NotEquals, Kind::Matches, Kind::NotMatches];
        let name = unquote(self.expect(&WORD, "expected label name")?)?;
        let op = self.expect(&OPERATOR, "expected an operator such as '=', '!=', '=~' or '!~'")?;
        let op = match op.kind {
            Kind::NotEquals => MatchOp::NotEqual,
            Kind::Matches => MatchOp::Regex,
            Kind::NotMatches => MatchOp::NotRegex,
            _ => MatchOp::Equal,
        };
        let value = unquote(self.expect(&WORD, "expected label value")?)?;
        new_matcher(op, &name, &value).map_err(|error| format!("failed to create matcher: {error}"))
    }

    /// Whether another matcher follows.
    fn comma(&mut self) -> Result<bool, String> {
        if self.lexer.peek().is_ok_and(|token| token.is_none()) {
            return Ok(false);
        }
        let token = self
            .expect_peek(&[Kind::Comma, Kind::CloseBrace])
            .map_err(|error| format!("{error}: expected a comma or close brace"))?;
        if token.kind == Kind::CloseBrace {
            return Ok(false);
        }
        self.lexer.take()?;
        if self.lexer.peek().is_ok_and(|token| token.is_none()) {
            return Ok(false);
        }
        let next = self
            .expect_peek(&[Kind::CloseBrace, Kind::Unquoted, Kind::Quoted])
            .map_err(|error| format!("{error}: expected a matcher or close brace after comma"))?;
        Ok(next.kind != Kind::CloseBrace)
    }

    /// The closing brace if there was an opening one, and then nothing more.
    fn close(&mut self) -> Result<(), String> {
        let closed = self.expect_peek(&[Kind::CloseBrace]);
        if closed.is_ok() {
            self.lexer.take()?;
        }
        let column = self.lexer.last_column;
        match (self.braces, closed) {
            (true, Err(error)) => return Err(format!("0:{column}: {error}: expected close brace")),
            (false, Ok(_)) => return Err(format!("0:{column}: }}: expected opening brace")),
            _ => {}
        }
        match self.lexer.take().map_err(|error| format!("{error}: expected {END}"))? {
            None => Ok(()),
            Some(Token { text, columns: (from, to), .. }) => {
                Err(format!("{from}:{to}: {text}: expected {END}"))
            }
        }
    }
}

/// The text of a word.
fn unquote(token: Token<'_>) -> Result<String, String> {
    let Token { kind, text, columns: (from, to) } = token;
    if kind == Kind::Unquoted {
        return Ok(text.to_owned());
    }
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    unescape(inner).ok_or_else(|| format!("{from}:{to}: {text}: invalid input"))
}

/// What is between the quotes of a Go string; `None` when that is none, or not UTF-8.
fn unescape(inner: &str) -> Option<String> {
    let (mut out, mut chars) = (Vec::with_capacity(inner.len()), inner.chars());
    while let Some(c) = chars.next() {
        if c == '\n' {
            return None;
        }
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next()? {
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'r' => out.push(b'\r'),
            'a' => out.push(0x07),
            'b' => out.push(0x08),
            'f' => out.push(0x0c),
            'v' => out.push(0x0b),
            '\\' => out.push(b'\\'),
            '"' => out.push(b'"'),
            'x' => out.push(u8::try_from(number(&mut chars, 2, 16)?).ok()?),
            'u' => push_char(&mut out, number(&mut chars, 4, 16)?)?,
            'U' => push_char(&mut out, number(&mut chars, 8, 16)?)?,
            first @ '0'..='7' => {
                let rest = number(&mut chars, 2, 8)?;
                out.push(u8::try_from(first.to_digit(8)? * 64 + rest).ok()?);
            }
            _ => return None,
        }
    }
    String::from_utf8(out).ok()
}

fn number(chars: &mut std::str::Chars<'_>, digits: usize, radix: u32) -> Option<u32> {
    let mut value = 0u32;
    for _ in 0..digits {
        value = value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(value)
}

fn push_char(out: &mut Vec<u8>, code: u32) -> Option<()> {
    out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}
