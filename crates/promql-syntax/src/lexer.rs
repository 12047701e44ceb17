//! Characters to tokens.
//!
//! Three places have their own rules, as in the original: ordinary text, the inside of `{…}` (where no
//! word is a keyword) and the inside of `[…]` (where only durations and their functions live). A token
//! of kind [`Kind::Error`] is always the last one.

use crate::PosRange;
use crate::quote::{quote, quote_char};
use crate::token::{Kind, Token};

pub(crate) fn lex(input: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        input,
        pos: 0,
        tokens: Vec::new(),
        parens: 0,
        in_braces: false,
        in_brackets: false,
        got_colon: false,
    };
    while lexer.step() {}
    lexer.tokens
}

struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    tokens: Vec<Token>,
    parens: i64,
    in_braces: bool,
    in_brackets: bool,
    got_colon: bool,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.peek_at(self.pos)
    }

    fn peek_at(&self, pos: usize) -> Option<char> {
        self.input.get(pos..)?.chars().next()
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) {
        while let Some(c) = self.peek().filter(|c| accept(*c)) {
            self.pos += c.len_utf8();
        }
    }

    fn emit(&mut self, kind: Kind, start: usize) -> bool {
        let text = self.input.get(start..self.pos).unwrap_or_default().to_owned();
        self.tokens.push(Token { kind, pos: PosRange::new(start, self.pos), text });
        true
    }

    fn fail(&mut self, start: usize, message: String) -> bool {
        let pos = PosRange::new(start, self.input.len());
        self.tokens.push(Token { kind: Kind::Error, pos, text: message });
        false
    }

    /// Emits at most one token; false at the end.
    fn step(&mut self) -> bool {
        self.take_while(is_space);
        let start = self.pos;
        let Some(c) = self.peek() else { return self.end(start) };
        if c == '#' {
            self.take_while(|c| c != '\n' && c != '\r');
            return true;
        }
        if self.in_braces {
            return self.inside_braces(start, c);
        }
        if c.is_ascii_digit() || (c == '.' && self.peek_at(start + 1).is_some_and(|c| c.is_ascii_digit())) {
            return self.number_or_duration(start);
        }
        if is_alpha(c) || c == ':' {
            return if self.in_brackets { self.duration_word(start, c) } else { self.word(start) };
        }
        if matches!(c, '"' | '\'' | '`') {
            return self.string(start, c);
        }
        self.pos += c.len_utf8();
        match c {
            ',' => self.emit(Kind::Comma, start),
            '*' => self.emit(Kind::Mul, start),
            '/' => self.emit(Kind::Div, start),
            '%' => self.emit(Kind::Mod, start),
            '+' => self.emit(Kind::Add, start),
            '-' => self.emit(Kind::Sub, start),
            '^' => self.emit(Kind::Pow, start),
            '@' => self.emit(Kind::At, start),
            '=' => match self.peek() {
                Some('=') => self.emit_longer(Kind::EqualEqual, start),
                Some('~') => self.fail(start, "unexpected character after '=': '~'".into()),
                _ => self.emit(Kind::Equal, start),
            },
            '!' => match self.peek() {
                Some('=') => self.emit_longer(Kind::NotEqual, start),
                next => self.fail(start, format!("unexpected character after '!': {}", quote_next(next))),
            },
            '<' => match self.peek() {
                Some('=') => self.emit_longer(Kind::LessEqual, start),
                Some('/') => self.emit_longer(Kind::TrimUpper, start),
                _ => self.emit(Kind::Less, start),
            },
            '>' => match self.peek() {
                Some('=') => self.emit_longer(Kind::GreaterEqual, start),
                Some('/') => self.emit_longer(Kind::TrimLower, start),
                _ => self.emit(Kind::Greater, start),
            },
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen, start)
            }
            ')' => {
                self.parens -= 1;
                if self.parens < 0 {
                    // Reported just behind it, as the original does.
                    return self.fail(start + 1, "unexpected right parenthesis ')'".into());
                }
                self.emit(Kind::RightParen, start)
            }
            '{' => {
                self.in_braces = true;
                self.emit(Kind::LeftBrace, start)
            }
            '[' if self.in_brackets => self.fail(start, "unexpected left bracket '['".into()),
            '[' => {
                self.in_brackets = true;
                self.got_colon = false;
                self.emit(Kind::LeftBracket, start)
            }
            ']' if !self.in_brackets => self.fail(start, "unexpected right bracket ']'".into()),
            ']' => {
                self.in_brackets = false;
                self.emit(Kind::RightBracket, start)
            }
            c => self.fail(start, format!("unexpected character: {}", quote_char(c))),
        }
    }

    fn emit_longer(&mut self, kind: Kind, start: usize) -> bool {
        self.pos += 1;
        self.emit(kind, start)
    }

    fn end(&mut self, start: usize) -> bool {
        if self.in_braces {
            return self.fail(start, "unexpected end of input inside braces".into());
        }
        if self.parens != 0 {
            return self.fail(start, "unclosed left parenthesis".into());
        }
        if self.in_brackets {
            let text = match self.expects_duration() {
                true => "unexpected end of input in duration expression",
                false => "unclosed left bracket",
            };
            return self.fail(start, text.into());
        }
        self.emit(Kind::Eof, start);
        false
    }

    /// Whether a duration has to begin here: after the bracket or an operator.
    fn expects_duration(&self) -> bool {
        let kind = self.tokens.last().map(|t| t.kind);
        kind.is_some_and(|k| {
            matches!(k, Kind::LeftBracket | Kind::LeftParen | Kind::Comma) || k.is_operator()
        })
    }

    /// A word with a colon is a metric name; of the others some are keywords.
    fn word(&mut self, start: usize) -> bool {
        self.take_while(|c| is_alphanumeric(c) || c == ':');
        let text = &self.input[start..self.pos];
        let kind = match Kind::of_word(text) {
            Some(kind) => kind,
            None if text.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        };
        self.emit(kind, start)
    }

    /// Inside `[…]`: the colon of a subquery, or one of the functions durations know.
    fn duration_word(&mut self, start: usize, c: char) -> bool {
        if c == ':' {
            if self.got_colon {
                return self.fail(start, "unexpected colon ':'".into());
            }
            self.got_colon = true;
            return self.emit_longer(Kind::Colon, start);
        }
        self.take_while(is_alphanumeric);
        match self.input[start..self.pos].to_ascii_lowercase().as_str() {
            "step" => self.emit(Kind::Step, start),
            "range" => self.emit(Kind::Range, start),
            "min_of" | "max_of" => self.emit(Kind::Identifier, start),
            _ if self.expects_duration() => {
                self.fail(start, format!("unexpected character in duration expression: {}", quote_char(c)))
            }
            _ => self.fail(start, format!("unexpected character: {}, expected ':'", quote_char(c))),
        }
    }

    fn inside_braces(&mut self, start: usize, c: char) -> bool {
        if is_alpha(c) {
            self.take_while(is_alphanumeric);
            return self.emit(Kind::Identifier, start);
        }
        if matches!(c, '"' | '\'' | '`') {
            return self.string(start, c);
        }
        self.pos += c.len_utf8();
        match (c, self.peek()) {
            (',', _) => self.emit(Kind::Comma, start),
            ('=', Some('~')) => self.emit_longer(Kind::EqualRegex, start),
            ('=', _) => self.emit(Kind::Equal, start),
            ('!', Some('~')) => self.emit_longer(Kind::NotEqualRegex, start),
            ('!', Some('=')) => self.emit_longer(Kind::NotEqual, start),
            ('!', next) => {
                let next = quote_next(next);
                self.fail(start, format!("unexpected character after '!' inside braces: {next}"))
            }
            ('{', _) => self.fail(start, "unexpected left brace '{'".into()),
            ('}', _) => {
                self.in_braces = false;
                self.emit(Kind::RightBrace, start)
            }
            (c, _) => self.fail(start, format!("unexpected character inside braces: {}", quote_char(c))),
        }
    }

    /// Finds the closing quote and refuses escapes Go does not know.
    fn string(&mut self, start: usize, quote: char) -> bool {
        self.pos += 1;
        loop {
            let Some(c) = self.peek() else {
                let kind = if quote == '`' { "raw" } else { "quoted" };
                return self.fail(start, format!("unterminated {kind} string"));
            };
            self.pos += c.len_utf8();
            match c {
                c if c == quote => return self.emit(Kind::String, start),
                '\n' if quote != '`' => return self.fail(start, "unterminated quoted string".into()),
                '\\' if quote != '`' => {
                    if let Err(message) = self.escape(quote) {
                        return self.fail(start, message);
                    }
                }
                _ => {}
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<(), String> {
        let unterminated = || "escape sequence not terminated".to_owned();
        let c = self.peek().ok_or_else(unterminated)?;
        let (digits, radix, skip) = match c {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => (0, 16, 1),
            c if c == quote => (0, 16, 1),
            '0'..='7' => (3, 8, 0),
            'x' => (2, 16, 1),
            'u' => (4, 16, 1),
            'U' => (8, 16, 1),
            c => return Err(format!("unknown escape sequence {}", unicode_name(c))),
        };
        self.pos += skip;
        let mut value = 0u32;
        for _ in 0..digits {
            let c = self.peek().ok_or_else(unterminated)?;
            let Some(digit) = c.to_digit(radix) else {
                return Err(format!("illegal character {} in escape sequence", unicode_name(c)));
            };
            value = value.wrapping_mul(radix).wrapping_add(digit);
            self.pos += 1;
        }
        let limit_ok = if digits <= 3 { value <= 255 } else { char::from_u32(value).is_some() };
        if limit_ok { Ok(()) } else { Err("escape sequence is an invalid Unicode code point".into()) }
    }

    fn number_or_duration(&mut self, start: usize) -> bool {
        if self.number() {
            return self.emit(Kind::Number, start);
        }
        if self.duration(start) {
            return self.emit(Kind::Duration, start);
        }
        let text = quote(&self.input[start..self.pos]);
        self.fail(start, format!("bad number or duration syntax: {text}"))
    }

    /// Moves over a number; false, and the position just after the first thing wrong, when it is none.
    fn number(&mut self) -> bool {
        let rest = &self.input.as_bytes()[self.pos..];
        let hex = matches!(rest, [b'0', b'x' | b'X', ..]);
        if hex {
            self.pos += 2;
            self.take_one(|c| c == '_');
        }
        let is_digit = move |c: char| if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        let (mut dot, mut exponent) = (self.take_one(|c| c == '.'), false);
        self.take_one(is_digit);
        while let Some(c) = self.peek() {
            if is_digit(c) {
                self.take_while(is_digit);
                continue;
            }
            match c {
                '.' => {
                    self.pos += 1;
                    if dot || hex || self.take_one(|c| c == '_' || c == '.') {
                        return false;
                    }
                    dot = true;
                }
                'e' | 'E' => {
                    self.pos += 1;
                    if exponent {
                        return false;
                    }
                    exponent = true;
                    self.take_one(|c| c == '+' || c == '-');
                    if self.take_one(|c| matches!(c, '.' | '_' | 'e' | 'E')) || self.peek().is_none() {
                        return false;
                    }
                }
                '_' => {
                    self.pos += 1;
                    if self.take_one(|c| matches!(c, '.' | '_' | 'e' | 'E')) || self.peek().is_none() {
                        return false;
                    }
                }
                _ => break,
            }
        }
        !self.peek().is_some_and(is_alphanumeric)
    }

    fn take_one(&mut self, accept: impl Fn(char) -> bool) -> bool {
        let accepted = self.peek().filter(|c| accept(*c));
        self.pos += accepted.map_or(0, char::len_utf8);
        accepted.is_some()
    }

    /// `5m`, `1h30m`: at least one number with a unit, nothing alphanumeric after the last. Units that
    /// do not exist (`5hs`) are left to the parser, which has the better message.
    fn duration(&mut self, start: usize) -> bool {
        if !self.input[start..self.pos].bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        let mut units = "smhdwy";
        loop {
            if !self.take_one(|c| units.contains(c)) {
                return false;
            }
            self.take_one(|c| c == 's');
            let digits = self.pos;
            self.take_while(|c| c.is_ascii_digit());
            if digits == self.pos {
                return !self.take_one(is_alphanumeric);
            }
            // Years only come first.
            units = "smhdw";
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

fn quote_next(next: Option<char>) -> String {
    next.map_or_else(|| "'\u{fffd}'".into(), quote_char)
}

/// Go's `%#U`.
fn unicode_name(c: char) -> String {
    format!("U+{:04X} '{c}'", c as u32)
}
