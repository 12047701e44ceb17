//! Tokens of both exposition grammars.
//!
//! The lexer is the careful half of the parser: it runs on lines that are new, unusual or wrong, and its
//! token boundaries are what error messages quote. Well-formed lines seen before take the short cut in
//! the parent module and never come here.

use super::Dialect;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Invalid,
    End,
    Linebreak,
    Whitespace,
    Help,
    Type,
    Unit,
    EofWord,
    Text,
    Comment,
    MetricName,
    QuotedString,
    BraceOpen,
    BraceClose,
    LabelName,
    LabelValue,
    Equal,
    Comma,
    Timestamp,
    Value,
}

impl Token {
    /// The token's name in error messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Token::Invalid => "INVALID",
            Token::End => "EOF",
            Token::Linebreak => "LINEBREAK",
            Token::Whitespace => "WHITESPACE",
            Token::Help => "HELP",
            Token::Type => "TYPE",
            Token::Unit => "UNIT",
            Token::EofWord => "EOFWORD",
            Token::Text => "TEXT",
            Token::Comment => "COMMENT",
            Token::MetricName => "MNAME",
            Token::QuotedString => "QSTRING",
            Token::BraceOpen => "BOPEN",
            Token::BraceClose => "BCLOSE",
            Token::LabelName => "LNAME",
            Token::LabelValue => "LVALUE",
            Token::Equal => "EQUAL",
            Token::Comma => "COMMA",
            Token::Timestamp => "TIMESTAMP",
            Token::Value => "VALUE",
        }
    }
}

/// Where in a line the lexer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    MetaName,
    MetaText,
    Labels,
    LabelValue,
    Value,
    Timestamp,
    ExemplarLabels,
    ExemplarLabelValue,
    ExemplarValue,
    ExemplarTimestamp,
}

#[derive(Clone)]
pub(crate) struct Lexer<'a> {
    body: &'a [u8],
    dialect: Dialect,
    state: State,
    /// Start of the current token.
    pub(crate) start: usize,
    /// First byte not consumed yet.
    pub(crate) at: usize,
    /// Inside an exemplar, `}` and values lead to other states.
    in_exemplar: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(body: &'a [u8], dialect: Dialect) -> Lexer<'a> {
        Lexer { body, dialect, state: State::LineStart, start: 0, at: 0, in_exemplar: false }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Goes to the start of a line.
    pub(crate) fn seek(&mut self, at: usize) {
        (self.start, self.at, self.state, self.in_exemplar) = (at, at, State::LineStart, false);
    }

    /// Text bodies end with a line break even when the sender forgot it.
    fn end(&self) -> usize {
        self.body.len() + usize::from(self.dialect == Dialect::Text)
    }

    fn peek(&self, at: usize) -> Option<u8> {
        match self.body.get(at) {
            Some(b) => Some(*b),
            None if at < self.end() => Some(b'\n'),
            None => None,
        }
    }

    /// Bytes `from..to`, for values.
    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        let to = to.min(self.body.len());
        self.body.get(from..to).unwrap_or_default()
    }

    /// The current token's bytes.
    pub(crate) fn token(&self) -> &'a [u8] {
        self.slice(self.start, self.at)
    }

    /// Bytes `from..=at` as error messages quote them, the implied last line break included.
    pub(crate) fn quoted_from(&self, from: usize) -> String {
        let to = (self.at + 1).min(self.end());
        self.quoted(from, to)
    }

    pub(crate) fn quoted(&self, from: usize, to: usize) -> String {
        let mut bytes = self.slice(from, to).to_vec();
        if to > self.body.len() && from < to {
            bytes.push(b'\n');
        }
        super::number::quote(&bytes)
    }

    /// The next token; blanks are skipped where the format allows them.
    pub(crate) fn next(&mut self) -> Token {
        loop {
            let token = self.lex();
            if token != Token::Whitespace {
                return token;
            }
        }
    }

    fn lex(&mut self) -> Token {
        self.start = self.at;
        let Some(c) = self.peek(self.at) else { return Token::End };
        let text = self.dialect == Dialect::Text;
        if text && matches!(c, b' ' | b'\t') && self.state != State::MetaText {
            self.skip(|b| matches!(b, b' ' | b'\t'));
            return Token::Whitespace;
        }
        match self.state {
            State::LineStart => self.lex_line_start(c),
            State::MetaName => match c {
                b'"' => self.quoted_token(Token::MetricName, State::MetaText),
                b if is_metric_start(b) => self.metric_name(State::MetaText),
                _ => Token::Invalid,
            },
            State::MetaText => self.lex_meta_text(c),
            State::Labels | State::ExemplarLabels => self.lex_labels(c),
            State::LabelValue | State::ExemplarLabelValue => {
                let back =
                    if self.state == State::LabelValue { State::Labels } else { State::ExemplarLabels };
                if c == b'"' { self.quoted_token(Token::LabelValue, back) } else { Token::Invalid }
            }
            State::Value if c == b'{' => self.one(Token::BraceOpen, State::Labels),
            State::Value | State::ExemplarValue => self.lex_value(c),
            State::Timestamp | State::ExemplarTimestamp => self.lex_after_value(c),
        }
    }

    fn lex_line_start(&mut self, c: u8) -> Token {
        match c {
            b'\n' if self.dialect == Dialect::Text => self.one(Token::Linebreak, State::LineStart),
            b'#' => self.lex_comment(),
            b'{' => self.one(Token::BraceOpen, State::Labels),
            b if is_metric_start(b) => self.metric_name(State::Value),
            _ => Token::Invalid,
        }
    }

    fn lex_comment(&mut self) -> Token {
        let text = self.dialect == Dialect::Text;
        self.at += 1;
        let before = self.at;
        if text {
            self.skip(|b| matches!(b, b' ' | b'\t'));
        } else if self.peek(self.at) == Some(b' ') {
            self.at += 1;
        }
        if self.at > before {
            for (word, token) in [("HELP", Token::Help), ("TYPE", Token::Type), ("UNIT", Token::Unit)] {
                let after = self.at + word.len();
                let blank = |b| b == Some(b' ') || (text && b == Some(b'\t'));
                if self.slice(self.at, after) == word.as_bytes()
                    && blank(self.peek(after))
                    && !(text && token == Token::Unit)
                {
                    self.at = after + 1;
                    if text {
                        self.skip(|b| matches!(b, b' ' | b'\t'));
                    }
                    self.state = State::MetaName;
                    return token;
                }
            }
        }
        if text {
            self.skip(|b| b != b'\n');
            return Token::Comment;
        }
        if self.at > before && self.slice(self.at, self.at + 3) == b"EOF" {
            self.at += 3;
            if self.peek(self.at) == Some(b'\n') {
                self.at += 1;
            }
            return Token::EofWord;
        }
        Token::Invalid
    }

    fn lex_meta_text(&mut self, c: u8) -> Token {
        if self.dialect == Dialect::OpenMetrics && c != b' ' {
            return Token::Invalid;
        }
        self.skip(|b| b != b'\n');
        self.state = State::LineStart;
        if self.dialect == Dialect::OpenMetrics {
            if self.peek(self.at).is_none() {
                return Token::Invalid;
            }
            self.at += 1;
        }
        Token::Text
    }

    fn lex_labels(&mut self, c: u8) -> Token {
        let value_state = if self.in_exemplar { State::ExemplarLabelValue } else { State::LabelValue };
        match c {
            b'}' if self.in_exemplar => self.one(Token::BraceClose, State::ExemplarValue),
            b'}' => self.one(Token::BraceClose, State::Value),
            b'=' => self.one(Token::Equal, value_state),
            b',' => self.one(Token::Comma, self.state),
            b'"' => self.quoted_token(Token::QuotedString, self.state),
            b if b == b'_' || b.is_ascii_alphabetic() => {
                self.skip(|b| b == b'_' || b.is_ascii_alphanumeric());
                Token::LabelName
            }
            _ => Token::Invalid,
        }
    }

    fn lex_value(&mut self, c: u8) -> Token {
        let next =
            if self.state == State::ExemplarValue { State::ExemplarTimestamp } else { State::Timestamp };
        if self.dialect == Dialect::Text {
            if c == b'\n' {
                return Token::Invalid;
            }
            self.skip(|b| !matches!(b, b'{' | b' ' | b'\t' | b'\n'));
        } else {
            if !self.blank_then_word(c) {
                return Token::Invalid;
            }
            self.skip_word();
        }
        self.state = next;
        Token::Value
    }

    fn lex_after_value(&mut self, c: u8) -> Token {
        if c == b'\n' {
            return self.one(Token::Linebreak, State::LineStart);
        }
        if self.dialect == Dialect::Text {
            if !c.is_ascii_digit() && c != b'-' {
                return Token::Invalid;
            }
            self.at += 1;
            self.skip(|b| b.is_ascii_digit());
            return Token::Timestamp;
        }
        if self.state == State::Timestamp && self.slice(self.at, self.at + 4) == b" # {" {
            self.at += 4;
            self.state = State::ExemplarLabels;
            self.in_exemplar = true;
            return Token::Comment;
        }
        if !self.blank_then_word(c) {
            return Token::Invalid;
        }
        self.skip_word();
        Token::Timestamp
    }

    /// OpenMetrics puts exactly one space between fields.
    fn blank_then_word(&self, c: u8) -> bool {
        c == b' ' && self.peek(self.at + 1).is_some_and(|b| b != b' ' && b != b'\n')
    }

    fn skip_word(&mut self) {
        self.at += 1;
        self.skip(|b| b != b' ' && b != b'\n');
    }

    fn one(&mut self, token: Token, next: State) -> Token {
        self.at += 1;
        self.state = next;
        token
    }

    fn skip(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek(self.at).is_some_and(&accept) {
            self.at += 1;
        }
    }

    fn metric_name(&mut self, next: State) -> Token {
        self.skip(|b| is_metric_start(b) || b.is_ascii_digit());
        self.state = next;
        Token::MetricName
    }

    /// `"…"` with backslash escapes. Raw line breaks are part of it in the text format only.
    fn quoted_token(&mut self, token: Token, next: State) -> Token {
        self.at += 1;
        while let Some(b) = self.peek(self.at) {
            match b {
                b'"' => return self.one(token, next),
                b'\\' => self.at += 2,
                b'\n' if self.dialect == Dialect::OpenMetrics => return Token::Invalid,
                _ => self.at += 1,
            }
        }
        self.at = self.end();
        Token::Invalid
    }
}

pub(crate) fn is_metric_start(b: u8) -> bool {
    b == b'_' || b == b':' || b.is_ascii_alphabetic()
}
