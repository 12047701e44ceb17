//! Why a pattern is refused, in Go's words.

use std::fmt;

/// Why a pattern is not a Go regular expression; prints Go's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    /// The part of the pattern that is wrong.
    part: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    CharRange,
    Escape,
    NamedCapture,
    PerlOp,
    RepeatOp,
    RepeatSize,
    MissingBracket,
    MissingParen,
    MissingRepeatArgument,
    TrailingBackslash,
    UnexpectedParen,
    NestingDepth,
    Large,
}

impl Error {
    pub(crate) fn new(kind: Kind, part: &str) -> Error {
        Error { kind, part: part.to_owned() }
    }

    /// The engine's only complaint about a pattern that this crate accepted: the program is too large.
    pub(crate) fn too_large(pattern: &str) -> Error {
        Error::new(Kind::Large, pattern)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::CharRange => "invalid character class range",
            Kind::Escape => "invalid escape sequence",
            Kind::NamedCapture => "invalid named capture",
            Kind::PerlOp => "invalid or unsupported Perl syntax",
            Kind::RepeatOp => "invalid nested repetition operator",
            Kind::RepeatSize => "invalid repeat count",
            Kind::MissingBracket => "missing closing ]",
            Kind::MissingParen => "missing closing )",
            Kind::MissingRepeatArgument => "missing argument to repetition operator",
            Kind::TrailingBackslash => "trailing backslash at end of expression",
            Kind::UnexpectedParen => "unexpected )",
            Kind::NestingDepth => "expression nests too deeply",
            Kind::Large => "expression too large",
        };
        write!(f, "error parsing regexp: {kind}: `{}`", self.part)
    }
}

impl std::error::Error for Error {}
