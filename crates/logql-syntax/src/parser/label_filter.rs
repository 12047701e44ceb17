//! Label filters: `status >= 500 and (method = "GET" or ip = ip("10.0.0.0/8"))`.

use model::{MatchOp, Matcher};

use super::cursor::Cursor;
use crate::ast::{CompareOp, LabelFilter, Unit};
use crate::error::ParseError;
use crate::token::TokenKind;

const OR: u8 = 1;
const AND: u8 = 2;

/// A whole filter. A comma means `and` and takes everything to its right, which is how the original's
/// grammar resolves `a or b, c`.
pub(super) fn label_filter(cursor: &mut Cursor) -> Result<LabelFilter, ParseError> {
    cursor.nested(|cursor| binary(cursor, 0))
}

fn binary(cursor: &mut Cursor, binding_min: u8) -> Result<LabelFilter, ParseError> {
    let mut left = primary(cursor)?;
    loop {
        if cursor.accept(",") {
            let right = label_filter(cursor)?;
            left = LabelFilter::And(Box::new(left), Box::new(right));
        } else if cursor.is("and") && AND >= binding_min {
            cursor.advance();
            let right = binary(cursor, AND + 1)?;
            left = LabelFilter::And(Box::new(left), Box::new(right));
        } else if cursor.is("or") && OR >= binding_min {
            cursor.advance();
            let right = binary(cursor, OR + 1)?;
            left = LabelFilter::Or(Box::new(left), Box::new(right));
        } else {
            return Ok(left);
        }
    }
}

fn primary(cursor: &mut Cursor) -> Result<LabelFilter, ParseError> {
    if cursor.accept("(") {
        let inner = label_filter(cursor)?;
        cursor.expect(")")?;
        return Ok(inner);
    }
    let label = cursor.identifier_among(&["(", "IDENTIFIER"])?;
    comparison(cursor, label)
}

/// What follows the label's name.
fn comparison(cursor: &mut Cursor, label: String) -> Result<LabelFilter, ParseError> {
    let TokenKind::Word(op) = *cursor.peek() else { return Err(cursor.unexpected(&[])) };
    if !["=", "!=", "=~", "!~", "==", ">", ">=", "<", "<="].contains(&op) {
        return Err(cursor.unexpected(&[]));
    }
    cursor.advance();
    match (op, cursor.peek()) {
        ("=" | "!=", TokenKind::Function("ip")) => {
            cursor.advance();
            let pattern = parenthesised_string(cursor)?;
            Ok(LabelFilter::Ip { label, negated: op == "!=", pattern })
        }
        ("=" | "!=" | "=~" | "!~", TokenKind::String(_)) => {
            let value = cursor.string()?;
            matcher(label, op, value).map(LabelFilter::Match)
        }
        ("=~" | "!~", _) => Err(cursor.unexpected(&["STRING"])),
        _ => compare(cursor, label, op),
    }
}

fn compare(cursor: &mut Cursor, label: String, op: &str) -> Result<LabelFilter, ParseError> {
    let op = match op {
        "!=" => CompareOp::NotEqual,
        ">" => CompareOp::Greater,
        ">=" => CompareOp::GreaterEqual,
        "<" => CompareOp::Less,
        "<=" => CompareOp::LessEqual,
        _ => CompareOp::Equal,
    };
    let negative = cursor.is("-");
    let sign = if negative { "-" } else { "" };
    if negative || cursor.is("+") {
        cursor.advance();
    }
    let (value, unit, text) = match cursor.peek() {
        TokenKind::Number(value, _) => {
            (*value, Unit::Number, format!("{sign}{}", model::float::format_f(*value)))
        }
        TokenKind::Duration(ns, text) => (*ns as f64, Unit::Duration, format!("{sign}{text}")),
        TokenKind::Bytes(bytes, text) => (*bytes as f64, Unit::Bytes, format!("{sign}{text}")),
        _ => return Err(cursor.unexpected(&["BYTES", "NUMBER", "DURATION"])),
    };
    cursor.advance();
    let value = if negative { -value } else { value };
    Ok(LabelFilter::Compare { label, op, value, unit, text })
}

/// `("…")` after `ip`.
pub(super) fn parenthesised_string(cursor: &mut Cursor) -> Result<String, ParseError> {
    cursor.expect("(")?;
    let text = cursor.string()?;
    cursor.expect(")")?;
    Ok(text)
}

/// A matcher of text; `op` is one of the four matcher operators.
pub(super) fn matcher(name: String, op: &str, value: String) -> Result<Matcher, ParseError> {
    let op = match op {
        "!=" => MatchOp::NotEqual,
        "=~" => MatchOp::Regex,
        "!~" => MatchOp::NotRegex,
        _ => MatchOp::Equal,
    };
    Matcher::new(op, name, value).map_err(|e| ParseError::unplaced(e.to_string()))
}
