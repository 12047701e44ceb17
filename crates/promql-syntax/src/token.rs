//! Tokens and how error messages name them.

use crate::PosRange;
use crate::quote::quote;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Eof,
    /// The lexer gave up; the token's text is its message.
    Error,
    Identifier,
    MetricIdentifier,
    String,
    Number,
    Duration,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    Equal,
    NotEqualRegex,
    EqualRegex,
    // Operators.
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    EqualEqual,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    TrimUpper,
    TrimLower,
    At,
    And,
    Or,
    Unless,
    Atan2,
    // Aggregators.
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
    // Keywords.
    Bool,
    By,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    Smoothed,
    Anchored,
    On,
    Without,
    Fill,
    FillLeft,
    FillRight,
    Start,
    End,
    Step,
    Range,
}

/// Words the lexer knows, in lower case; input may use any case.
const WORDS: &[(&str, Kind)] = &[
    ("and", Kind::And),
    ("or", Kind::Or),
    ("unless", Kind::Unless),
    ("atan2", Kind::Atan2),
    ("sum", Kind::Sum),
    ("avg", Kind::Avg),
    ("count", Kind::Count),
    ("min", Kind::Min),
    ("max", Kind::Max),
    ("group", Kind::Group),
    ("stddev", Kind::Stddev),
    ("stdvar", Kind::Stdvar),
    ("topk", Kind::Topk),
    ("bottomk", Kind::Bottomk),
    ("count_values", Kind::CountValues),
    ("quantile", Kind::Quantile),
    ("limitk", Kind::Limitk),
    ("limit_ratio", Kind::LimitRatio),
    ("offset", Kind::Offset),
    ("smoothed", Kind::Smoothed),
    ("anchored", Kind::Anchored),
    ("by", Kind::By),
    ("without", Kind::Without),
    ("on", Kind::On),
    ("ignoring", Kind::Ignoring),
    ("group_left", Kind::GroupLeft),
    ("group_right", Kind::GroupRight),
    ("bool", Kind::Bool),
    ("fill", Kind::Fill),
    ("fill_left", Kind::FillLeft),
    ("fill_right", Kind::FillRight),
    ("start", Kind::Start),
    ("end", Kind::End),
    ("step", Kind::Step),
    ("range", Kind::Range),
    ("inf", Kind::Number),
    ("nan", Kind::Number),
];

impl Kind {
    pub fn of_word(word: &str) -> Option<Kind> {
        WORDS.iter().find(|(text, _)| text.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind)
    }

    pub fn is_aggregator(self) -> bool {
        (Kind::Sum as u8..=Kind::LimitRatio as u8).contains(&(self as u8))
    }

    pub fn is_operator(self) -> bool {
        (Kind::Add as u8..=Kind::Atan2 as u8).contains(&(self as u8))
    }

    pub fn is_keyword(self) -> bool {
        (Kind::Bool as u8..=Kind::Range as u8).contains(&(self as u8))
    }

    /// Words that may still be the name of a metric.
    pub fn can_name_metric(self) -> bool {
        use Kind::*;
        self.is_aggregator()
            || matches!(self, Identifier | MetricIdentifier | And | Or | Unless | By | Without | Offset)
            || matches!(self, Smoothed | Anchored | Fill | FillLeft | FillRight | Start | End | Step | Range)
    }

    /// Words that may still be the name of a label inside grouping options.
    pub fn can_name_label(self) -> bool {
        self.can_name_metric() || matches!(self, Kind::Atan2) || self.is_keyword()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: Kind,
    pub pos: PosRange,
    pub text: String,
}

impl Token {
    /// How `unexpected …` names this token.
    pub fn describe(&self) -> String {
        match self.kind {
            Kind::Eof => "end of input".into(),
            Kind::Error => self.text.clone(),
            Kind::Identifier => format!("identifier {}", quote(&self.text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quote(&self.text)),
            Kind::String => format!("string {}", self.shortened()),
            Kind::Number => format!("number {}", self.shortened()),
            Kind::Duration => format!("duration {}", self.shortened()),
            kind if kind.is_keyword() => format!("<{}>", self.text),
            kind if kind.is_operator() => format!("<op:{}>", self.text),
            kind if kind.is_aggregator() => format!("<aggr:{}>", self.text),
            _ => self.shortened(),
        }
    }

    /// At most ten characters, quoted.
    fn shortened(&self) -> String {
        if self.text.len() <= 10 {
            return quote(&self.text);
        }
        let head: String = self.text.chars().take(10).collect();
        format!("{}...", quote(&head))
    }
}
