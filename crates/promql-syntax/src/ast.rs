//! The syntax tree.

use std::fmt;

use model::Matcher;

use crate::PosRange;
use crate::duration_expr::DurationValue;
use crate::functions::Function;

/// What an expression evaluates to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    Scalar,
    Vector,
    Matrix,
    String,
}

impl ValueType {
    /// The name in API replies.
    pub fn as_str(self) -> &'static str {
        match self {
            ValueType::Scalar => "scalar",
            ValueType::Vector => "vector",
            ValueType::Matrix => "matrix",
            ValueType::String => "string",
        }
    }

    /// The name in the documentation and in error messages.
    pub fn documented(self) -> &'static str {
        match self {
            ValueType::Vector => "instant vector",
            ValueType::Matrix => "range vector",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone)]
pub enum Expr {
    Number(NumberLiteral),
    String(StringLiteral),
    Vector(VectorSelector),
    Matrix(MatrixSelector),
    Subquery(SubqueryExpr),
    Call(Call),
    Aggregate(AggregateExpr),
    Binary(BinaryExpr),
    Unary(UnaryExpr),
    Paren(ParenExpr),
}

#[derive(Debug, Clone)]
pub struct NumberLiteral {
    pub value: f64,
    /// Written as a duration (`5m` is 300).
    pub is_duration: bool,
    pub pos: PosRange,
}

#[derive(Debug, Clone)]
pub struct StringLiteral {
    pub value: String,
    /// The bytes, when escapes made them something else than UTF-8.
    pub not_utf8: Option<Vec<u8>>,
    pub pos: PosRange,
}

/// What follows `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Timestamp(i64),
    Start,
    End,
}

#[derive(Debug, Clone)]
pub struct VectorSelector {
    /// The name written before the braces; empty when there is none.
    pub name: String,
    /// All matchers in the order written, the one for `name` last.
    pub matchers: Vec<Matcher>,
    pub offset: DurationValue,
    pub at: Option<At>,
    pub anchored: bool,
    pub smoothed: bool,
    /// The second argument of `info()` may select everything.
    pub may_be_empty: bool,
    pub pos: PosRange,
}

#[derive(Debug, Clone)]
pub struct MatrixSelector {
    pub selector: VectorSelector,
    pub range: DurationValue,
    /// Covers the range and what follows it.
    pub pos: PosRange,
}

#[derive(Debug, Clone)]
pub struct SubqueryExpr {
    pub expr: Box<Expr>,
    pub range: DurationValue,
    /// `None` means the engine's default step.
    pub step: Option<DurationValue>,
    pub offset: DurationValue,
    pub at: Option<At>,
    pub pos: PosRange,
}

#[derive(Debug, Clone)]
pub struct Call {
    pub function: &'static Function,
    pub args: Vec<Expr>,
    pub pos: PosRange,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateOp {
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
}

impl AggregateOp {
    pub fn as_str(self) -> &'static str {
        match self {
            AggregateOp::Sum => "sum",
            AggregateOp::Avg => "avg",
            AggregateOp::Count => "count",
            AggregateOp::Min => "min",
            AggregateOp::Max => "max",
            AggregateOp::Group => "group",
            AggregateOp::Stddev => "stddev",
            AggregateOp::Stdvar => "stdvar",
            AggregateOp::Topk => "topk",
            AggregateOp::Bottomk => "bottomk",
            AggregateOp::CountValues => "count_values",
            AggregateOp::Quantile => "quantile",
            AggregateOp::Limitk => "limitk",
            AggregateOp::LimitRatio => "limit_ratio",
        }
    }

    pub fn takes_parameter(self) -> bool {
        use AggregateOp::*;
        matches!(self, Topk | Bottomk | CountValues | Quantile | Limitk | LimitRatio)
    }

    pub fn is_experimental(self) -> bool {
        matches!(self, AggregateOp::Limitk | AggregateOp::LimitRatio)
    }
}

#[derive(Debug, Clone)]
pub struct AggregateExpr {
    pub op: AggregateOp,
    pub expr: Box<Expr>,
    pub param: Option<Box<Expr>>,
    pub grouping: Vec<String>,
    pub without: bool,
    pub pos: PosRange,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    TrimUpper,
    TrimLower,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    pub fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::TrimUpper => "</",
            BinaryOp::TrimLower => ">/",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Unless => "unless",
        }
    }

    pub fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Eq | Ne | Lt | Le | Gt | Ge)
    }

    pub fn is_set(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    OneToOne,
    ManyToOne,
    OneToMany,
    ManyToMany,
}

/// How the series of two vectors find each other.
#[derive(Debug, Clone)]
pub struct VectorMatching {
    pub cardinality: Cardinality,
    pub labels: Vec<String>,
    /// `on` (only these labels count) or `ignoring` (all but these).
    pub on: bool,
    /// Labels of the "one" side that `group_left`/`group_right` copies.
    pub include: Vec<String>,
    pub fill_left: Option<f64>,
    pub fill_right: Option<f64>,
}

#[derive(Debug, Clone)]
pub struct BinaryExpr {
    pub op: BinaryOp,
    pub lhs: Box<Expr>,
    pub rhs: Box<Expr>,
    pub return_bool: bool,
    /// `None` unless both sides are vectors.
    pub matching: Option<VectorMatching>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    Plus,
    Minus,
}

#[derive(Debug, Clone)]
pub struct UnaryExpr {
    pub op: UnaryOp,
    pub expr: Box<Expr>,
    pub pos: PosRange,
}

#[derive(Debug, Clone)]
pub struct ParenExpr {
    pub expr: Box<Expr>,
    pub pos: PosRange,
}

impl Expr {
    pub fn value_type(&self) -> ValueType {
        match self {
            Expr::Number(_) => ValueType::Scalar,
            Expr::String(_) => ValueType::String,
            Expr::Vector(_) | Expr::Aggregate(_) => ValueType::Vector,
            Expr::Matrix(_) | Expr::Subquery(_) => ValueType::Matrix,
            Expr::Call(call) => call.function.returns,
            Expr::Unary(unary) => unary.expr.value_type(),
            Expr::Paren(paren) => paren.expr.value_type(),
            Expr::Binary(binary) => {
                let scalar = |e: &Expr| e.value_type() == ValueType::Scalar;
                if scalar(&binary.lhs) && scalar(&binary.rhs) { ValueType::Scalar } else { ValueType::Vector }
            }
        }
    }

    pub fn pos(&self) -> PosRange {
        match self {
            Expr::Number(e) => e.pos,
            Expr::String(e) => e.pos,
            Expr::Vector(e) => e.pos,
            Expr::Matrix(e) => e.pos,
            Expr::Subquery(e) => e.pos,
            Expr::Call(e) => e.pos,
            Expr::Aggregate(e) => e.pos,
            Expr::Binary(e) => e.lhs.pos().to(e.rhs.pos()),
            Expr::Unary(e) => e.pos,
            Expr::Paren(e) => e.pos,
        }
    }

    /// The expression without the parentheses around it.
    pub fn unwrap_parens(&self) -> &Expr {
        let mut expr = self;
        while let Expr::Paren(paren) = expr {
            expr = &paren.expr;
        }
        expr
    }

    /// Direct subexpressions in evaluation order.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => Vec::new(),
            Expr::Subquery(e) => vec![&e.expr],
            Expr::Call(e) => e.args.iter().collect(),
            Expr::Aggregate(e) => e.param.iter().map(|p| &**p).chain([&*e.expr]).collect(),
            Expr::Binary(e) => vec![&e.lhs, &e.rhs],
            Expr::Unary(e) => vec![&e.expr],
            Expr::Paren(e) => vec![&e.expr],
        }
    }
}
