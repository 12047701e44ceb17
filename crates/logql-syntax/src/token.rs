//! What the lexer hands to the parser.

/// A token and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub line: usize,
    pub column: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    Identifier(String),
    String(String),
    /// Value and text as written: `topk(00, …)` is quoted back in error texts.
    Number(f64, String),
    /// Nanoseconds, with the text as written.
    Duration(i64, String),
    Bytes(u64, String),
    /// `[5m]`, nanoseconds.
    Range(i64),
    /// `--strict`, `--keep-empty`.
    Flag(String),
    /// Punctuation, operators and reserved words, by their canonical text.
    Word(&'static str),
    /// A name that is a function because a parenthesis or a grouping follows it, in lower case.
    Function(&'static str),
    /// The lexer could not go on; the message is the error.
    Broken(String),
    End,
}

impl TokenKind {
    /// The name that goyacc prints for this token.
    pub fn display(&self) -> String {
        match self {
            TokenKind::Identifier(_) => "IDENTIFIER".into(),
            TokenKind::String(_) => "STRING".into(),
            TokenKind::Number(..) => "NUMBER".into(),
            TokenKind::Duration(..) => "DURATION".into(),
            TokenKind::Bytes(..) => "BYTES".into(),
            TokenKind::Range(_) => "RANGE".into(),
            TokenKind::Flag(_) => "PARSER_FLAG".into(),
            TokenKind::Word(word) => (*word).into(),
            TokenKind::Function("ip") => "ip".into(),
            TokenKind::Function(name) => name.to_ascii_uppercase(),
            TokenKind::Broken(message) => message.clone(),
            TokenKind::End => "$end".into(),
        }
    }
}

/// Reserved words: never label names.
pub(crate) const RESERVED: &[&str] = &[
    "by",
    "without",
    "bool",
    "label_replace",
    "offset",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "or",
    "and",
    "unless",
    "unwrap",
    "json",
    "logfmt",
    "regexp",
    "unpack",
    "pattern",
    "label_format",
    "line_format",
    "decolorize",
    "drop",
    "keep",
];

/// Words that are functions before `(`, `by` or `without`, and ordinary names elsewhere.
pub(crate) const FUNCTIONS: &[&str] = &[
    "rate",
    "rate_counter",
    "count_over_time",
    "bytes_rate",
    "bytes_over_time",
    "sum_over_time",
    "avg_over_time",
    "max_over_time",
    "min_over_time",
    "first_over_time",
    "last_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "quantile_over_time",
    "absent_over_time",
    "vector",
    "sum",
    "avg",
    "max",
    "min",
    "count",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "approx_topk",
    "sort",
    "sort_desc",
    "bytes",
    "duration",
    "duration_seconds",
    "ip",
];

/// Operators and punctuation, longest first.
pub(crate) const SYMBOLS: &[&str] = &[
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "{", "}", "(", ")", "=", "|", ",", ".", "+",
    "-", "*", "/", "%", "^", ">", "<", "]",
];
