//! Tokens of the UTF-8 notation, with the columns that errors name.

/// Characters that end an unquoted name or value, besides white space.
const RESERVED: &str = "{}!=~,\\\"'`";

pub(super) fn is_reserved(c: char) -> bool {
    c.is_whitespace() || RESERVED.contains(c)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    OpenBrace,
    CloseBrace,
    Comma,
    Equals,
    NotEquals,
    Matches,
    NotMatches,
    Quoted,
    Unquoted,
}

/// A piece of the input. Columns count characters; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub columns: (usize, usize),
}

/// Hands out tokens one at a time; after an error only that error.
pub(super) struct Lexer<'a> {
    input: &'a str,
    /// Where the next token starts: byte offset and column.
    at: (usize, usize),
    /// The column where the last token ended.
    pub last_column: usize,
    error: Option<String>,
    peeked: Option<Token<'a>>,
}

impl<'a> Lexer<'a> {
    pub fn new(input: &'a str) -> Lexer<'a> {
        Lexer { input, at: (0, 0), last_column: 0, error: None, peeked: None }
    }

    /// The next token without taking it; `None` at the end.
    pub fn peek(&mut self) -> Result<Option<Token<'a>>, String> {
        if self.peeked.is_none() {
            self.peeked = self.read()?;
        }
        Ok(self.peeked)
    }

    pub fn take(&mut self) -> Result<Option<Token<'a>>, String> {
        let token = self.peek()?;
        self.peeked = None;
        Ok(token)
    }

    fn read(&mut self) -> Result<Option<Token<'a>>, String> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let scanned = self.scan();
        if let Err(error) = &scanned {
            self.error = Some(error.clone());
        }
        scanned
    }

    fn scan(&mut self) -> Result<Option<Token<'a>>, String> {
        let rest = self.rest();
        let blank = rest.len() - rest.trim_start().len();
        self.skip(blank);
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            self.last_column = self.at.1;
            return Ok(None);
        };
        let second = rest.chars().nth(1);
        let (kind, bytes) = match (first, second) {
            ('{', _) => (Kind::OpenBrace, 1),
            ('}', _) => (Kind::CloseBrace, 1),
            (',', _) => (Kind::Comma, 1),
            ('=', Some('~')) => (Kind::Matches, 2),
            ('=', _) => (Kind::Equals, 1),
            ('!', Some('=')) => (Kind::NotEquals, 2),
            ('!', Some('~')) => (Kind::NotMatches, 2),
            ('!', Some(_)) => return Err(self.fault(1, "!: expected one of '=~'")),
            ('!', None) => return Err(self.fault(1, "unexpected end of input, expected one of '=~'")),
            ('"', _) => (Kind::Quoted, self.quoted(rest)?),
            (c, _) if !is_reserved(c) => (Kind::Unquoted, rest.find(is_reserved).unwrap_or(rest.len())),
            (c, _) => return Err(self.fault(c.len_utf8(), &format!("{c}: invalid input"))),
        };
        Ok(Some(self.emit(kind, bytes)))
    }

    /// Length of the quoted text at the start of `rest`, quotes included.
    fn quoted(&self, rest: &str) -> Result<usize, String> {
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Ok(at + 1),
                _ => {}
            }
        }
        Err(self.fault(rest.len(), &format!("{rest}: missing end \"")))
    }

    fn rest(&self) -> &'a str {
        self.input.get(self.at.0..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        let skipped = self.rest().get(..bytes).unwrap_or_default().chars().count();
        self.at = (self.at.0 + bytes, self.at.1 + skipped);
    }

    fn emit(&mut self, kind: Kind, bytes: usize) -> Token<'a> {
        let (text, start) = (self.rest().get(..bytes).unwrap_or_default(), self.at.1);
        self.skip(bytes);
        self.last_column = self.at.1;
        Token { kind, text, columns: (start, self.at.1) }
    }

    /// An error about the next `bytes`.
    fn fault(&self, bytes: usize, what: &str) -> String {
        let width = self.rest().get(..bytes).unwrap_or_default().chars().count();
        format!("{}:{}: {what}", self.at.1, self.at.1 + width)
    }
}
