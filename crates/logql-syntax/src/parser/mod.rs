//! Recursive descent over the token list, one file per part of the grammar.

mod cursor;
mod label_filter;
mod log;
mod metric;

use model::Matcher;

use crate::INPUT_BYTES_MAX;
use crate::ast::{Expr, LogExpr};
use crate::check;
use crate::error::ParseError;
use cursor::Cursor;

/// Parses and checks any query.
pub fn parse(input: &str) -> Result<Expr, ParseError> {
    let mut cursor = open(input)?;
    let expr = metric::expression(&mut cursor, 0)?;
    cursor.end()?;
    check::expr(&expr)?;
    Ok(expr)
}

/// Parses a query that must be a log query.
pub fn parse_log(input: &str) -> Result<LogExpr, ParseError> {
    match parse(input)? {
        Expr::Log(log) => Ok(log),
        Expr::Metric(_) => Err(ParseError::unplaced("only log selector is supported")),
    }
}

/// Parses `{…}` and nothing else. Refuses selectors that every stream could match.
pub fn parse_matchers(input: &str) -> Result<Vec<Matcher>, ParseError> {
    match parse(input)? {
        Expr::Log(LogExpr { matchers, stages }) if stages.is_empty() => Ok(matchers),
        _ => Err(ParseError::unplaced("only label matchers are supported")),
    }
}

/// Parses `{…}` and nothing else, `{}` included: the labels of a pushed stream, series selectors.
pub fn parse_selector(input: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut cursor = open(input)?;
    let matchers = log::selector(&mut cursor)?;
    if !cursor.at_end() {
        // Tell broken text from a good query of the wrong kind.
        parse(input)?;
        return Err(ParseError::unplaced("only label matchers are supported"));
    }
    cursor.end()?;
    Ok(matchers)
}

fn open(input: &str) -> Result<Cursor, ParseError> {
    if input.len() >= INPUT_BYTES_MAX {
        let message = format!("input size too long ({} > {INPUT_BYTES_MAX})", input.len());
        return Err(ParseError::unplaced(message));
    }
    Ok(Cursor::new(input))
}
