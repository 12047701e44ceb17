//! Text to tokens.
//!
//! Outside `{{ }}` everything is text; inside, Go's expression tokens. Trim markers (`{{- `, ` -}}`) and
//! comments are resolved here. The first lexical error becomes the last token, so that the parser
//! reports it when (and only when) it gets that far, as the original does.

use crate::number::{is_print, quote};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tok {
    Error,
    Eof,
    Text,
    LeftDelim,
    RightDelim,
    LeftParen,
    RightParen,
    Space,
    Pipe,
    Assign,
    Declare,
    /// Some other punctuation character; the comma is the only useful one.
    Char,
    CharConstant,
    Number,
    Bool,
    String,
    RawString,
    Identifier,
    /// `.name`
    Field,
    /// `$name`
    Variable,
    Dot,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

impl Tok {
    fn keyword(word: &str) -> Option<Tok> {
        Some(match word {
            "block" => Tok::Block,
            "break" => Tok::Break,
            "continue" => Tok::Continue,
            "define" => Tok::Define,
            "else" => Tok::Else,
            "end" => Tok::End,
            "if" => Tok::If,
            "range" => Tok::Range,
            "nil" => Tok::Nil,
            "template" => Tok::Template,
            "with" => Tok::With,
            _ => return None,
        })
    }

    fn is_keyword(self) -> bool {
        matches!(
            self,
            Tok::Dot
                | Tok::Nil
                | Tok::Block
                | Tok::Break
                | Tok::Continue
                | Tok::Define
                | Tok::Else
                | Tok::End
                | Tok::If
                | Tok::Range
                | Tok::Template
                | Tok::With
        )
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub kind: Tok,
    /// Byte offset in the source.
    pub pos: usize,
    pub line: usize,
    pub val: String,
}

impl Token {
    /// How messages show a token.
    pub fn describe(&self) -> String {
        match self.kind {
            Tok::Eof => "EOF".into(),
            Tok::Error => self.val.clone(),
            kind if kind.is_keyword() => format!("<{}>", self.val),
            _ if self.val.len() > 10 => {
                let head: String = self.val.chars().take(10).collect();
                format!("{}...", quote(&head))
            }
            _ => quote(&self.val),
        }
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// All tokens of `input`; the last one is `Eof` or `Error`.
pub(crate) fn tokens(input: &str) -> Vec<Token> {
    let mut lexer = Lexer { input, pos: 0, start: 0, line: 1, start_line: 1, out: Vec::new(), parens: 0 };
    if let Err(message) = lexer.run() {
        lexer.out.push(Token { kind: Tok::Error, pos: lexer.start, line: lexer.start_line, val: message });
    }
    lexer.out
}

struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    start: usize,
    line: usize,
    start_line: usize,
    out: Vec<Token>,
    parens: usize,
}

type Lexed = Result<(), String>;

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn advance_to(&mut self, pos: usize) {
        self.line += self.input[self.pos..pos].matches('\n').count();
        self.pos = pos;
    }

    fn emit(&mut self, kind: Tok) {
        let val = self.input[self.start..self.pos].to_owned();
        self.out.push(Token { kind, pos: self.start, line: self.start_line, val });
        self.ignore();
    }

    fn ignore(&mut self) {
        self.start = self.pos;
        self.start_line = self.line;
    }

    fn run(&mut self) -> Lexed {
        loop {
            let Some(at) = self.rest().find(LEFT) else {
                self.advance_to(self.input.len());
                self.emit_text(self.pos);
                self.emit(Tok::Eof);
                return Ok(());
            };
            let delim = self.pos + at;
            let after = &self.input[delim + LEFT.len()..];
            let trim = has_left_trim(after);
            let text_end = if trim {
                self.start + self.input[self.start..delim].trim_end_matches(is_space).len()
            } else {
                delim
            };
            self.advance_to(text_end);
            self.emit_text(text_end);
            self.advance_to(delim);
            self.ignore();
            let marker = if trim { 2 } else { 0 };
            if self.input[delim + LEFT.len() + marker..].starts_with("/*") {
                self.advance_to(delim + LEFT.len() + marker);
                self.comment()?;
                continue;
            }
            self.advance_to(delim + LEFT.len());
            self.emit(Tok::LeftDelim);
            self.advance_to(self.pos + marker);
            self.ignore();
            self.parens = 0;
            self.action()?;
        }
    }

    fn emit_text(&mut self, end: usize) {
        if end > self.start {
            self.emit(Tok::Text);
        }
    }

    fn comment(&mut self) -> Lexed {
        let Some(close) = self.rest().find("*/") else {
            return Err("unclosed comment".into());
        };
        self.advance_to(self.pos + close + 2);
        let Some((trim, width)) = self.at_right_delim() else {
            return Err("comment ends before closing delimiter".into());
        };
        self.close_action(trim, width);
        Ok(())
    }

    /// Whether an action ends here: (trims the following text, bytes of the delimiter).
    fn at_right_delim(&self) -> Option<(bool, usize)> {
        let rest = self.rest();
        let mut chars = rest.chars();
        if chars.next().is_some_and(is_space) && rest[1..].starts_with("-}}") {
            return Some((true, 4));
        }
        rest.starts_with(RIGHT).then_some((false, RIGHT.len()))
    }

    fn close_action(&mut self, trim: bool, width: usize) {
        self.advance_to(self.pos + width);
        if trim {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches(is_space).len();
            self.advance_to(self.pos + blank);
        }
        self.ignore();
    }

    fn action(&mut self) -> Lexed {
        loop {
            if let Some((trim, width)) = self.at_right_delim() {
                if self.parens > 0 {
                    return Err("unclosed left paren".into());
                }
                let delim_at = self.pos + width - RIGHT.len();
                self.out.push(Token {
                    kind: Tok::RightDelim,
                    pos: delim_at,
                    line: self.line,
                    val: RIGHT.into(),
                });
                self.close_action(trim, width);
                return Ok(());
            }
            let Some(c) = self.next() else {
                return Err("unclosed action".into());
            };
            match c {
                c if is_space(c) => self.space(),
                '=' => self.emit(Tok::Assign),
                ':' => {
                    if self.next() != Some('=') {
                        return Err("expected :=".into());
                    }
                    self.emit(Tok::Declare);
                }
                '|' => self.emit(Tok::Pipe),
                '"' => self.quoted('"', Tok::String, "unterminated quoted string")?,
                '\'' => self.quoted('\'', Tok::CharConstant, "unterminated character constant")?,
                '`' => self.raw_string()?,
                '$' => self.name(Tok::Variable)?,
                '.' => {
                    // A dot may begin a number.
                    if self.peek().is_some_and(|c| c.is_ascii_digit()) {
                        self.pos -= 1;
                        self.number()?;
                    } else if self.at_terminator() {
                        self.emit(Tok::Dot);
                    } else {
                        self.name(Tok::Field)?;
                    }
                }
                '+' | '-' | '0'..='9' => {
                    self.pos -= 1;
                    self.number()?;
                }
                c if is_alphanumeric(c) => self.identifier()?,
                '(' => {
                    self.parens += 1;
                    self.emit(Tok::LeftParen);
                }
                ')' => {
                    if self.parens == 0 {
                        return Err("unexpected right paren".into());
                    }
                    self.parens -= 1;
                    self.emit(Tok::RightParen);
                }
                c if c.is_ascii_graphic() => self.emit(Tok::Char),
                c => return Err(format!("unrecognized character in action: {}", unicode(c))),
            }
        }
    }

    fn space(&mut self) {
        while self.peek().is_some_and(is_space) {
            // ` -}}` is a delimiter, not a space followed by something.
            if self.at_right_delim().is_some_and(|(trim, _)| trim) {
                break;
            }
            self.next();
        }
        self.emit(Tok::Space);
    }

    fn quoted(&mut self, end: char, kind: Tok, unterminated: &str) -> Lexed {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|c| c != '\n') => {
                    self.next();
                }
                Some('\n') | None => return Err(unterminated.into()),
                Some(c) if c == end => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    fn raw_string(&mut self) -> Lexed {
        loop {
            match self.next() {
                None => return Err("unterminated raw quoted string".into()),
                Some('`') => break,
                Some(_) => {}
            }
        }
        self.emit(Tok::RawString);
        Ok(())
    }

    /// The rest of `.name` or `$name`.
    fn name(&mut self, kind: Tok) -> Lexed {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        self.expect_terminator()?;
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Lexed {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        self.expect_terminator()?;
        let word = &self.input[self.start..self.pos];
        let kind = match word {
            "true" | "false" => Tok::Bool,
            word => Tok::keyword(word).unwrap_or(Tok::Identifier),
        };
        self.emit(kind);
        Ok(())
    }

    fn expect_terminator(&self) -> Lexed {
        match self.peek() {
            Some(c) if !self.at_terminator() => Err(format!("bad character {}", unicode(c))),
            _ => Ok(()),
        }
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => is_space(c) || self.rest().starts_with(RIGHT),
        }
    }

    fn number(&mut self) -> Lexed {
        let bad =
            |lexer: &Self| Err(format!("bad number syntax: {}", quote(&lexer.input[lexer.start..lexer.pos])));
        if !self.scan_number() {
            return bad(self);
        }
        if self.peek().is_some_and(|c| matches!(c, '+' | '-')) {
            // Only a complex constant goes on after its first part.
            if !self.scan_number() || !self.input[..self.pos].ends_with('i') {
                return bad(self);
            }
        }
        self.emit(Tok::Number);
        Ok(())
    }

    fn scan_number(&mut self) -> bool {
        self.eat("+-");
        let mut digits = "0123456789_";
        if self.eat("0") {
            if self.eat("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.eat("oO") {
                digits = "01234567_";
            } else if self.eat("bB") {
                digits = "01_";
            }
        }
        self.eat_all(digits);
        if self.eat(".") {
            self.eat_all(digits);
        }
        let exponent = match digits.len() {
            11 => self.eat("eE"),
            23 => self.eat("pP"),
            _ => false,
        };
        if exponent {
            self.eat("+-");
            self.eat_all("0123456789_");
        }
        self.eat("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }

    fn eat(&mut self, any: &str) -> bool {
        let hit = self.peek().is_some_and(|c| any.contains(c));
        if hit {
            self.next();
        }
        hit
    }

    fn eat_all(&mut self, any: &str) {
        while self.eat(any) {}
    }
}

fn has_left_trim(after: &str) -> bool {
    let mut chars = after.chars();
    chars.next() == Some('-') && chars.next().is_some_and(is_space)
}

pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Go's `%#U`: `U+0026 '&'`.
fn unicode(c: char) -> String {
    if is_print(c) { format!("U+{:04X} '{c}'", c as u32) } else { format!("U+{:04X}", c as u32) }
}
