//! The place in the token list, and the errors that happen there.

use crate::error::ParseError;
use crate::lexer;
use crate::token::{Token, TokenKind};

/// Deeper nesting of parentheses and functions than anyone writes would only exhaust the stack.
const DEPTH_MAX: usize = 100;

/// goyacc lists the expected tokens only up to this many.
const EXPECTED_MAX: usize = 4;

pub(super) struct Cursor {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Cursor {
    pub fn new(input: &str) -> Cursor {
        Cursor { tokens: lexer::tokens(input), at: 0, depth: 0 }
    }

    /// The current token. The list always ends in `End` or `Broken`, which is never passed.
    fn token(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub fn peek(&self) -> &TokenKind {
        &self.token().kind
    }

    pub fn peek_second(&self) -> &TokenKind {
        let next = (self.at + 1).min(self.tokens.len() - 1);
        &self.tokens[next].kind
    }

    pub fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    pub fn is(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(w) if *w == word)
    }

    /// Passes `word` if it is next.
    pub fn accept(&mut self, word: &str) -> bool {
        let found = self.is(word);
        if found {
            self.advance();
        }
        found
    }

    /// Passes `word` or fails; `expected` is the list that the original prints here.
    pub fn expect_among(&mut self, word: &str, expected: &[&str]) -> Result<(), ParseError> {
        if self.accept(word) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    pub fn expect(&mut self, word: &str) -> Result<(), ParseError> {
        self.expect_among(word, &[word])
    }

    pub fn identifier(&mut self) -> Result<String, ParseError> {
        self.identifier_among(&["IDENTIFIER"])
    }

    pub fn identifier_among(&mut self, expected: &[&str]) -> Result<String, ParseError> {
        match self.peek() {
            TokenKind::Identifier(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    pub fn string(&mut self) -> Result<String, ParseError> {
        self.string_among(&["STRING"])
    }

    pub fn string_among(&mut self, expected: &[&str]) -> Result<String, ParseError> {
        match self.peek() {
            TokenKind::String(text) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// The error of the current token, as goyacc words it.
    pub fn unexpected(&self, expected: &[&str]) -> ParseError {
        let token = self.token();
        if let TokenKind::Broken(message) = &token.kind {
            return ParseError::at(message.clone(), token.line, token.column);
        }
        let mut message = format!("syntax error: unexpected {}", token.kind.display());
        if !expected.is_empty() && expected.len() <= EXPECTED_MAX {
            message.push_str(", expecting ");
            message.push_str(&expected.join(" or "));
        }
        ParseError::at(message, token.line, token.column)
    }

    pub fn at_end(&self) -> bool {
        matches!(self.peek(), TokenKind::End)
    }

    pub fn end(&self) -> Result<(), ParseError> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected(&[])) }
    }

    /// Runs `inner` one level deeper.
    pub fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Cursor) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= DEPTH_MAX {
            let message = format!("expression nests deeper than {DEPTH_MAX} levels");
            return Err(ParseError::at(message, self.token().line, self.token().column));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}
