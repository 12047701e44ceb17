//! Metric queries: range and vector aggregations, operators, functions and literals.

use super::cursor::Cursor;
use super::label_filter::label_filter;
use super::log;
use crate::ast::*;
use crate::error::ParseError;
use crate::token::TokenKind;

/// Any expression whose operators bind at least as tightly as `binding_min`.
pub(super) fn expression(cursor: &mut Cursor, binding_min: u8) -> Result<Expr, ParseError> {
    let mut left = cursor.nested(operand)?;
    loop {
        let TokenKind::Word(word) = *cursor.peek() else { return Ok(left) };
        let Some(op) = BinaryOp::from_name(word) else { return Ok(left) };
        let binding = binding(op);
        if binding < binding_min {
            return Ok(left);
        }
        cursor.advance();
        let (return_bool, matching) = modifiers(cursor)?;
        // Only the power operator groups to the right.
        let next_min = if op == BinaryOp::Pow { binding } else { binding + 1 };
        let right = cursor.nested(|cursor| expression(cursor, next_min))?;
        left = Expr::Metric(combine(op, return_bool, matching, left, right)?);
    }
}

fn binding(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 5,
        BinaryOp::Pow => 6,
        _ => 3,
    }
}

fn operand(cursor: &mut Cursor) -> Result<Expr, ParseError> {
    match *cursor.peek() {
        TokenKind::Word("{") => log::log(cursor).map(Expr::Log),
        TokenKind::Word("(") => {
            cursor.advance();
            let inner = expression(cursor, 0)?;
            cursor.expect_among(")", &[])?;
            Ok(inner)
        }
        TokenKind::Word("+" | "-") | TokenKind::Number(..) => {
            number(cursor, &["NUMBER"]).map(|(value, _)| Expr::Metric(MetricExpr::Literal(value)))
        }
        TokenKind::Word("label_replace") => label_replace(cursor).map(Expr::Metric),
        TokenKind::Function("vector") => {
            cursor.advance();
            cursor.expect("(")?;
            let (value, _) = number(cursor, &["NUMBER"])?;
            cursor.expect(")")?;
            Ok(Expr::Metric(MetricExpr::VectorLiteral(value)))
        }
        TokenKind::Function(name) => match (RangeOp::from_name(name), VectorOp::from_name(name)) {
            (Some(op), _) => range_aggregation(cursor, op).map(Expr::Metric),
            (_, Some(op)) => vector_aggregation(cursor, op).map(Expr::Metric),
            _ => Err(cursor.unexpected(&[])),
        },
        _ => Err(cursor.unexpected(&[])),
    }
}

/// A number with an optional sign, and its text.
fn number(cursor: &mut Cursor, expected: &[&str]) -> Result<(f64, String), ParseError> {
    let negative = cursor.is("-");
    if negative || cursor.is("+") {
        cursor.advance();
    }
    match cursor.peek() {
        TokenKind::Number(value, text) => {
            let result = if negative { (-value, format!("-{text}")) } else { (*value, text.clone()) };
            cursor.advance();
            Ok(result)
        }
        _ => Err(cursor.unexpected(expected)),
    }
}

fn range_aggregation(cursor: &mut Cursor, op: RangeOp) -> Result<MetricExpr, ParseError> {
    cursor.advance();
    cursor.expect("(")?;
    let mut expected: &[&str] = &["NUMBER", "{", "("];
    let mut parameter = None;
    if matches!(cursor.peek(), TokenKind::Number(..)) {
        parameter = Some(number(cursor, &["NUMBER"])?.0);
        cursor.expect(",")?;
        expected = &["{", "("];
    }
    if !cursor.is("{") && !cursor.is("(") {
        return Err(cursor.unexpected(expected));
    }
    let mut entries = Entries::default();
    entries.read(cursor)?;
    let Some(range_ns) = entries.range_ns else { return Err(cursor.unexpected(&[])) };
    cursor.expect_among(")", &[])?;
    let grouping = grouping(cursor)?;
    Ok(MetricExpr::Range(RangeAggregation {
        op,
        log: entries.log,
        unwrap: entries.unwrap,
        range_ns,
        offset_ns: entries.offset_ns,
        parameter,
        grouping,
    }))
}

/// The argument of a range aggregation. The range may stand before or after the pipeline, and any part
/// may be in parentheses.
#[derive(Default)]
struct Entries {
    log: LogExpr,
    unwrap: Option<Unwrap>,
    range_ns: Option<i64>,
    offset_ns: i64,
}

impl Entries {
    fn read(&mut self, cursor: &mut Cursor) -> Result<(), ParseError> {
        if cursor.accept("(") {
            if !cursor.is("{") && !cursor.is("(") {
                return Err(cursor.unexpected(&["{", "("]));
            }
            cursor.nested(|cursor| self.read(cursor))?;
            cursor.expect_among(")", &[])?;
        } else {
            self.log.matchers = log::selector(cursor)?;
        }
        loop {
            match *cursor.peek() {
                TokenKind::Range(ns) if self.range_ns.is_none() => {
                    cursor.advance();
                    self.range_ns = Some(ns);
                    if cursor.accept("offset") {
                        self.offset_ns = offset(cursor)?;
                    }
                }
                TokenKind::Word("|") if matches!(cursor.peek_second(), TokenKind::Word("unwrap")) => {
                    if self.unwrap.is_some() {
                        cursor.advance();
                        return Err(cursor.unexpected(&[]));
                    }
                    self.unwrap = Some(unwrap(cursor)?);
                }
                _ if !log::at_stage(cursor) => return Ok(()),
                _ => match &mut self.unwrap {
                    None => log::stage(cursor, &mut self.log.stages)?,
                    // After unwrap only label filters may follow.
                    Some(unwrap) => {
                        cursor.expect_among("|", &[])?;
                        unwrap.filters.push(label_filter(cursor)?);
                    }
                },
            }
        }
    }
}

fn offset(cursor: &mut Cursor) -> Result<i64, ParseError> {
    let negative = cursor.accept("-");
    match *cursor.peek() {
        TokenKind::Duration(ns, _) => {
            cursor.advance();
            Ok(if negative { -ns } else { ns })
        }
        _ => Err(cursor.unexpected(&["DURATION"])),
    }
}

fn unwrap(cursor: &mut Cursor) -> Result<Unwrap, ParseError> {
    cursor.expect("|")?;
    cursor.expect("unwrap")?;
    let conversion = match cursor.peek() {
        TokenKind::Function("bytes") => Conversion::Bytes,
        TokenKind::Function("duration") => Conversion::Duration,
        TokenKind::Function("duration_seconds") => Conversion::DurationSeconds,
        _ => Conversion::Number,
    };
    let label = if conversion == Conversion::Number {
        cursor.identifier_among(&[])?
    } else {
        cursor.advance();
        cursor.expect("(")?;
        let label = cursor.identifier()?;
        cursor.expect(")")?;
        label
    };
    Ok(Unwrap { label, conversion, filters: Vec::new() })
}

fn vector_aggregation(cursor: &mut Cursor, op: VectorOp) -> Result<MetricExpr, ParseError> {
    cursor.advance();
    let before = grouping(cursor)?;
    cursor.expect("(")?;
    let takes_parameter = matches!(op, VectorOp::TopK | VectorOp::BottomK | VectorOp::ApproxTopK);
    let mut written: Option<String> = None;
    if matches!((cursor.peek(), cursor.peek_second()), (TokenKind::Number(..), TokenKind::Word(","))) {
        written = Some(number(cursor, &["NUMBER"])?.1);
        cursor.expect(",")?;
    }
    let inner = match expression(cursor, 0)? {
        Expr::Metric(metric) => metric,
        Expr::Log(_) => return Err(cursor.unexpected(&[])),
    };
    cursor.expect_among(")", &[])?;
    let grouping = match before {
        Some(before) => Some(before),
        None => grouping(cursor)?,
    };
    let name = op.as_str();
    let fail = |message: String| Err(ParseError::unplaced(message));
    let parameter = match (takes_parameter, written) {
        (true, None) => return fail(format!("parameter required for operation {name}")),
        (true, Some(text)) => match text.parse::<usize>() {
            Ok(0) => return fail(format!("invalid parameter (must be greater than 0) {name}({text}")),
            Ok(k) => Some(k),
            Err(_) => return fail(format!("invalid parameter {name}({text},")),
        },
        (false, Some(text)) => {
            return fail(format!("unsupported parameter for operation {name}({text},"));
        }
        (false, None) => None,
    };
    Ok(MetricExpr::Vector(VectorAggregation { op, inner: Box::new(inner), parameter, grouping }))
}

fn grouping(cursor: &mut Cursor) -> Result<Option<Grouping>, ParseError> {
    let without = cursor.is("without");
    if !without && !cursor.is("by") {
        return Ok(None);
    }
    cursor.advance();
    Ok(Some(Grouping { without, labels: label_list(cursor)? }))
}

/// `(a, b)`, possibly empty.
fn label_list(cursor: &mut Cursor) -> Result<Vec<String>, ParseError> {
    cursor.expect("(")?;
    let mut labels = Vec::new();
    if cursor.accept(")") {
        return Ok(labels);
    }
    loop {
        let expected: &[&str] = if labels.is_empty() { &["IDENTIFIER", ")"] } else { &["IDENTIFIER"] };
        labels.push(cursor.identifier_among(expected)?);
        if cursor.accept(")") {
            return Ok(labels);
        }
        cursor.expect_among(",", &[",", ")"])?;
    }
}

fn label_replace(cursor: &mut Cursor) -> Result<MetricExpr, ParseError> {
    cursor.advance();
    cursor.expect("(")?;
    let inner = match expression(cursor, 0)? {
        Expr::Metric(metric) => metric,
        Expr::Log(_) => return Err(cursor.unexpected(&[])),
    };
    let mut texts = Vec::with_capacity(4);
    for _ in 0..4 {
        cursor.expect(",")?;
        texts.push(cursor.string()?);
    }
    cursor.expect(")")?;
    let [destination, replacement, source, pattern] = <[String; 4]>::try_from(texts)
        .map_err(|_| ParseError::unplaced("label_replace takes four strings"))?;
    let regex = re2::Regex::anchored(&pattern)
        .map_err(|e| ParseError::unplaced(format!("invalid regex in label_replace: {e}")))?;
    Ok(MetricExpr::LabelReplace(Box::new(LabelReplace { inner, destination, replacement, source, regex })))
}

/// `bool`, `on`/`ignoring` and `group_left`/`group_right` after an operator.
fn modifiers(cursor: &mut Cursor) -> Result<(bool, VectorMatching), ParseError> {
    let return_bool = cursor.accept("bool");
    let mut matching = VectorMatching::default();
    let on = cursor.is("on");
    if !on && !cursor.is("ignoring") {
        return Ok((return_bool, matching));
    }
    cursor.advance();
    matching.on = on;
    matching.labels = label_list(cursor)?;
    let left = cursor.is("group_left");
    if left || cursor.is("group_right") {
        cursor.advance();
        matching.cardinality = if left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
        if cursor.is("(") && include_follows(cursor) {
            matching.include = label_list(cursor)?;
        }
    }
    Ok((return_bool, matching))
}

/// Whether the parenthesis after `group_left` holds labels and not the right operand.
fn include_follows(cursor: &Cursor) -> bool {
    matches!(cursor.peek_second(), TokenKind::Identifier(_) | TokenKind::Word(")"))
}

fn combine(
    op: BinaryOp,
    return_bool: bool,
    matching: VectorMatching,
    left: Expr,
    right: Expr,
) -> Result<MetricExpr, ParseError> {
    let name = op.as_str();
    let metric = |side: &str, expr: Expr| match expr {
        Expr::Metric(metric) => Ok(metric),
        Expr::Log(log) => {
            let kind = if log.stages.is_empty() { "MatchersExpr" } else { "PipelineExpr" };
            let message =
                format!("unexpected type for {side} leg of binary operation ({name}): *syntax.{kind}");
            Err(ParseError::unplaced(message))
        }
    };
    let (left, right) = (metric("left", left)?, metric("right", right)?);
    if op.is_set() {
        for (side, leg) in [("left", &left), ("right", &right)] {
            if let MetricExpr::Literal(value) = leg {
                let message = format!(
                    "unexpected literal for {side} leg of logical/set binary operation ({name}): {value:.6}"
                );
                return Err(ParseError::unplaced(message));
            }
        }
    }
    if let (MetricExpr::Literal(a), MetricExpr::Literal(b)) = (&left, &right) {
        return Ok(MetricExpr::Literal(fold(op, *a, *b)));
    }
    Ok(MetricExpr::Binary(Box::new(Binary { op, left, right, return_bool, matching })))
}

/// Two numbers make a number; comparisons give 1 or 0.
fn fold(op: BinaryOp, a: f64, b: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        // As when series are divided.
        BinaryOp::Div | BinaryOp::Mod if b == 0.0 => f64::NAN,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => a.powf(b),
        BinaryOp::Equal => truth(a == b),
        BinaryOp::NotEqual => truth(a != b),
        BinaryOp::Greater => truth(a > b),
        BinaryOp::GreaterEqual => truth(a >= b),
        BinaryOp::Less => truth(a < b),
        BinaryOp::LessEqual => truth(a <= b),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => f64::NAN,
    }
}
