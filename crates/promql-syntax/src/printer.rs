//! The tree as canonical text: what `/format_query` and rule pages show.

use std::fmt;

use model::labels::{is_classic_label_name, write_quoted};
use model::{METRIC_NAME, MatchOp};

use crate::ast::*;
use crate::quote::quote_bytes;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Number(e) => e.fmt(f),
            Expr::String(e) => e.fmt(f),
            Expr::Vector(e) => e.fmt(f),
            Expr::Matrix(e) => e.fmt(f),
            Expr::Subquery(e) => e.fmt(f),
            Expr::Call(e) => {
                write!(f, "{}(", e.function.name)?;
                write_list(f, &e.args)?;
                f.write_str(")")
            }
            Expr::Aggregate(e) => e.fmt(f),
            Expr::Binary(e) => e.fmt(f),
            Expr::Unary(e) => write!(f, "{}{}", if e.op == UnaryOp::Minus { "-" } else { "+" }, e.expr),
            Expr::Paren(e) => write!(f, "({})", e.expr),
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, items: &[Expr]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
    }
    Ok(())
}

fn write_labels(f: &mut impl fmt::Write, names: &[String]) -> fmt::Result {
    f.write_str("(")?;
    for (i, name) in names.iter().enumerate() {
        f.write_str(if i > 0 { ", " } else { "" })?;
        if is_classic_label_name(name) { f.write_str(name)? } else { write_quoted(f, name)? }
    }
    f.write_str(")")
}

impl fmt::Display for NumberLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            f.write_str(&model::duration::format((self.value * 1000.0) as i64))
        } else {
            f.write_str(&model::float::format_f(self.value))
        }
    }
}

impl fmt::Display for StringLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote_bytes(self.not_utf8.as_deref().unwrap_or(self.value.as_bytes())))
    }
}

impl VectorSelector {
    fn write_selector(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let is_name = |m: &&model::Matcher| {
            !self.name.is_empty() && m.name == METRIC_NAME && m.op == MatchOp::Equal && m.value == self.name
        };
        let mut shown = self.matchers.iter().filter(|m| !is_name(m)).peekable();
        if shown.peek().is_none() {
            return if self.name.is_empty() { f.write_str("{}") } else { Ok(()) };
        }
        let mut shown: Vec<String> = shown.map(|m| m.to_string()).collect();
        shown.sort();
        write!(f, "{{{}}}", shown.join(","))
    }

    fn write_extension(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.anchored, self.smoothed) {
            (true, _) => " anchored",
            (_, true) => " smoothed",
            _ => "",
        })
    }
}

fn write_modifiers(f: &mut impl fmt::Write, at: Option<At>, offset: &crate::DurationValue) -> fmt::Result {
    match at {
        Some(At::Timestamp(ms)) => write!(
            f,
            " @ {}{}.{:03}",
            if ms < 0 { "-" } else { "" },
            ms.unsigned_abs() / 1000,
            ms.unsigned_abs() % 1000
        )?,
        Some(At::Start) => f.write_str(" @ start()")?,
        Some(At::End) => f.write_str(" @ end()")?,
        None => {}
    }
    if offset.is_zero() { Ok(()) } else { write!(f, " offset {offset}") }
}

impl fmt::Display for VectorSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_selector(f)?;
        self.write_extension(f)?;
        write_modifiers(f, self.at, &self.offset)
    }
}

impl fmt::Display for MatrixSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selector.write_selector(f)?;
        write!(f, "[{}]", self.range)?;
        self.selector.write_extension(f)?;
        write_modifiers(f, self.selector.at, &self.selector.offset)
    }
}

impl fmt::Display for SubqueryExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)?;
        self.write_suffix(f)
    }
}

impl SubqueryExpr {
    /// What follows the inner expression.
    pub(crate) fn write_suffix(&self, f: &mut impl fmt::Write) -> fmt::Result {
        write!(f, "[{}:", self.range)?;
        if let Some(step) = &self.step {
            write!(f, "{step}")?;
        }
        f.write_str("]")?;
        write_modifiers(f, self.at, &self.offset)
    }
}

impl AggregateExpr {
    /// Operator and grouping: what comes before the parenthesis.
    pub(crate) fn write_head(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        if self.without || !self.grouping.is_empty() {
            f.write_str(if self.without { " without " } else { " by " })?;
            write_labels(f, &self.grouping)?;
            f.write_str(" ")?;
        }
        Ok(())
    }
}

impl fmt::Display for AggregateExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        f.write_str("(")?;
        if let Some(param) = &self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

impl fmt::Display for BinaryExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.lhs, self.op.as_str())?;
        if self.return_bool {
            f.write_str(" bool")?;
        }
        if let Some(matching) = &self.matching {
            matching.fmt(f)?;
        }
        write!(f, " {}", self.rhs)
    }
}

impl fmt::Display for VectorMatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.on || !self.labels.is_empty() {
            f.write_str(if self.on { " on " } else { " ignoring " })?;
            write_labels(f, &self.labels)?;
        }
        let grouped = match self.cardinality {
            Cardinality::ManyToOne => " group_left ",
            Cardinality::OneToMany => " group_right ",
            Cardinality::OneToOne | Cardinality::ManyToMany => "",
        };
        if !grouped.is_empty() {
            f.write_str(grouped)?;
            write_labels(f, &self.include)?;
        }
        let number = model::float::format_f;
        match (self.fill_left, self.fill_right) {
            (Some(l), Some(r)) if l == r || (l.is_nan() && r.is_nan()) => write!(f, " fill ({})", number(l)),
            (l, r) => {
                if let Some(l) = l {
                    write!(f, " fill_left ({})", number(l))?;
                }
                if let Some(r) = r {
                    write!(f, " fill_right ({})", number(r))?;
                }
                Ok(())
            }
        }
    }
}
