//! The syntax tree. Parentheses are gone: the tree's shape says what they said.

use model::Matcher;

use crate::path::Path;
use crate::pattern::Pattern;

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Log(LogExpr),
    Metric(MetricExpr),
}

/// A stream selector and the pipeline its entries go through.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogExpr {
    pub matchers: Vec<Matcher>,
    pub stages: Vec<Stage>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    LineFilter(LineFilter),
    Json { extractions: Vec<JsonExtraction> },
    Logfmt { strict: bool, keep_empty: bool, extractions: Vec<LogfmtExtraction> },
    Regexp(String),
    Pattern { text: String, pattern: Pattern },
    Unpack,
    LabelFilter(LabelFilter),
    LineFormat(String),
    LabelFormat(Vec<LabelFormat>),
    Decolorize,
    Drop(Vec<LabelChoice>),
    Keep(Vec<LabelChoice>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFilterOp {
    Contains,
    NotContains,
    Regex,
    NotRegex,
    Pattern,
    NotPattern,
}

impl LineFilterOp {
    pub fn as_str(self) -> &'static str {
        match self {
            LineFilterOp::Contains => "|=",
            LineFilterOp::NotContains => "!=",
            LineFilterOp::Regex => "|~",
            LineFilterOp::NotRegex => "!~",
            LineFilterOp::Pattern => "|>",
            LineFilterOp::NotPattern => "!>",
        }
    }

    /// Whether lines that match are the ones to drop.
    pub fn negated(self) -> bool {
        matches!(self, LineFilterOp::NotContains | LineFilterOp::NotRegex | LineFilterOp::NotPattern)
    }
}

/// `|= "a" or "b"`: any alternative is enough. Negated, every alternative must be absent.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFilter {
    pub op: LineFilterOp,
    pub alternatives: Vec<LineTest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineTest {
    Text(String),
    Ip(String),
}

/// `label="path"` of the `json` parser.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonExtraction {
    pub label: String,
    pub expression: String,
    pub path: Path,
}

/// `label="key"` of the `logfmt` parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogfmtExtraction {
    pub label: String,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LabelFilter {
    And(Box<LabelFilter>, Box<LabelFilter>),
    Or(Box<LabelFilter>, Box<LabelFilter>),
    Match(Matcher),
    /// Numbers, durations (in nanoseconds) and byte sizes.
    Compare {
        label: String,
        op: CompareOp,
        value: f64,
        unit: Unit,
        text: String,
    },
    Ip {
        label: String,
        negated: bool,
        pattern: String,
    },
}

/// How the label's value is read before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Number,
    Duration,
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

impl CompareOp {
    pub fn as_str(self) -> &'static str {
        match self {
            CompareOp::Equal => "==",
            CompareOp::NotEqual => "!=",
            CompareOp::Greater => ">",
            CompareOp::GreaterEqual => ">=",
            CompareOp::Less => "<",
            CompareOp::LessEqual => "<=",
        }
    }

    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            CompareOp::Equal => left == right,
            CompareOp::NotEqual => left != right,
            CompareOp::Greater => left > right,
            CompareOp::GreaterEqual => left >= right,
            CompareOp::Less => left < right,
            CompareOp::LessEqual => left <= right,
        }
    }
}

/// One assignment of `label_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFormat {
    /// `new=old`
    Rename { label: String, source: String },
    /// `new="template"`
    Template { label: String, template: String },
}

impl LabelFormat {
    pub fn label(&self) -> &str {
        match self {
            LabelFormat::Rename { label, .. } | LabelFormat::Template { label, .. } => label,
        }
    }
}

/// An operand of `drop` and `keep`.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelChoice {
    Name(String),
    Matching(Matcher),
}

#[derive(Debug, Clone, PartialEq)]
pub enum MetricExpr {
    Range(RangeAggregation),
    Vector(VectorAggregation),
    Binary(Box<Binary>),
    LabelReplace(Box<LabelReplace>),
    /// A number.
    Literal(f64),
    /// `vector(n)`
    VectorLiteral(f64),
}

/// `rate({…} | stages [range] offset d)` and its kin.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeAggregation {
    pub op: RangeOp,
    pub log: LogExpr,
    pub unwrap: Option<Unwrap>,
    pub range_ns: i64,
    pub offset_ns: i64,
    /// The quantile of `quantile_over_time`.
    pub parameter: Option<f64>,
    pub grouping: Option<Grouping>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Unwrap {
    pub label: String,
    pub conversion: Conversion,
    /// Label filters after `unwrap`, which see its errors.
    pub filters: Vec<LabelFilter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    Number,
    Bytes,
    Duration,
    DurationSeconds,
}

impl Conversion {
    pub fn as_str(self) -> &'static str {
        match self {
            Conversion::Number => "",
            Conversion::Bytes => "bytes",
            Conversion::Duration => "duration",
            Conversion::DurationSeconds => "duration_seconds",
        }
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($variant),+ }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            pub fn from_name(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

named! {
    /// Functions over a range of entries.
    RangeOp {
        Rate = "rate",
        RateCounter = "rate_counter",
        Count = "count_over_time",
        BytesRate = "bytes_rate",
        Bytes = "bytes_over_time",
        Sum = "sum_over_time",
        Avg = "avg_over_time",
        Min = "min_over_time",
        Max = "max_over_time",
        First = "first_over_time",
        Last = "last_over_time",
        Stddev = "stddev_over_time",
        Stdvar = "stdvar_over_time",
        Quantile = "quantile_over_time",
        Absent = "absent_over_time",
    }
}

named! {
    /// Functions over the series of one instant.
    VectorOp {
        Sum = "sum",
        Avg = "avg",
        Min = "min",
        Max = "max",
        Count = "count",
        Stddev = "stddev",
        Stdvar = "stdvar",
        TopK = "topk",
        BottomK = "bottomk",
        ApproxTopK = "approx_topk",
        Sort = "sort",
        SortDesc = "sort_desc",
    }
}

named! {
    BinaryOp {
        Or = "or",
        And = "and",
        Unless = "unless",
        Add = "+",
        Sub = "-",
        Mul = "*",
        Div = "/",
        Mod = "%",
        Pow = "^",
        Equal = "==",
        NotEqual = "!=",
        Greater = ">",
        GreaterEqual = ">=",
        Less = "<",
        LessEqual = "<=",
    }
}

impl BinaryOp {
    pub fn is_set(self) -> bool {
        matches!(self, BinaryOp::Or | BinaryOp::And | BinaryOp::Unless)
    }

    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterEqual
                | BinaryOp::Less
                | BinaryOp::LessEqual
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct VectorAggregation {
    pub op: VectorOp,
    pub inner: Box<MetricExpr>,
    /// The `k` of topk and bottomk.
    pub parameter: Option<usize>,
    pub grouping: Option<Grouping>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub left: MetricExpr,
    pub right: MetricExpr,
    pub return_bool: bool,
    pub matching: VectorMatching,
}

/// How the series of the two sides of an operation find each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VectorMatching {
    pub cardinality: Cardinality,
    /// `on(…)` when true, `ignoring(…)` (also of nothing) when false.
    pub on: bool,
    pub labels: Vec<String>,
    /// Labels that `group_left(…)` copies from the one side.
    pub include: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
}

#[derive(Debug, Clone)]
pub struct LabelReplace {
    pub inner: MetricExpr,
    pub destination: String,
    pub replacement: String,
    pub source: String,
    pub regex: re2::Regex,
}

impl PartialEq for LabelReplace {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
            && self.destination == other.destination
            && self.replacement == other.replacement
            && self.source == other.source
            && self.regex.as_str() == other.regex.as_str()
    }
}
