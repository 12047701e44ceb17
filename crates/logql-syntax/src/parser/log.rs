//! Stream selectors and pipelines.

use model::Matcher;

use super::cursor::Cursor;
use super::label_filter::{label_filter, matcher, parenthesised_string};
use crate::ast::{
    JsonExtraction, LabelChoice, LabelFormat, LineFilter, LineFilterOp, LineTest, LogExpr, LogfmtExtraction,
    Stage,
};
use crate::error::ParseError;
use crate::path;
use crate::pattern::Pattern;
use crate::token::TokenKind;

const MATCHER_OPERATORS: [&str; 4] = ["=", "!=", "=~", "!~"];

/// `{name="value", …}`, possibly empty.
pub(super) fn selector(cursor: &mut Cursor) -> Result<Vec<Matcher>, ParseError> {
    cursor.expect("{")?;
    let mut matchers = Vec::new();
    if cursor.accept("}") {
        return Ok(matchers);
    }
    loop {
        let first: &[&str] = if matchers.is_empty() { &["IDENTIFIER", "}"] } else { &["IDENTIFIER"] };
        let name = cursor.identifier_among(first)?;
        let op = match *cursor.peek() {
            TokenKind::Word(op) if MATCHER_OPERATORS.contains(&op) => op,
            _ => return Err(cursor.unexpected(&["=", "!=", "=~", "!~"])),
        };
        cursor.advance();
        let value = cursor.string()?;
        matchers.push(matcher(name, op, value)?);
        if cursor.accept("}") {
            return Ok(matchers);
        }
        cursor.expect_among(",", &["}", ","])?;
    }
}

/// A selector and all stages that follow.
pub(super) fn log(cursor: &mut Cursor) -> Result<LogExpr, ParseError> {
    let mut log = LogExpr { matchers: selector(cursor)?, stages: Vec::new() };
    while at_stage(cursor) {
        stage(cursor, &mut log.stages)?;
    }
    Ok(log)
}

pub(super) fn at_stage(cursor: &Cursor) -> bool {
    cursor.is("|") || line_filter_op(cursor).is_some()
}

fn line_filter_op(cursor: &Cursor) -> Option<LineFilterOp> {
    let TokenKind::Word(word) = cursor.peek() else { return None };
    Some(match *word {
        "|=" => LineFilterOp::Contains,
        "!=" => LineFilterOp::NotContains,
        "|~" => LineFilterOp::Regex,
        "!~" => LineFilterOp::NotRegex,
        "|>" => LineFilterOp::Pattern,
        "!>" => LineFilterOp::NotPattern,
        _ => return None,
    })
}

/// One stage; the cursor stands on `|` or a line filter operator.
pub(super) fn stage(cursor: &mut Cursor, stages: &mut Vec<Stage>) -> Result<(), ParseError> {
    if let Some(op) = line_filter_op(cursor) {
        cursor.advance();
        stages.push(Stage::LineFilter(line_filter(cursor, op)?));
        return Ok(());
    }
    cursor.expect("|")?;
    let stage = match *cursor.peek() {
        TokenKind::Word("json") => {
            cursor.advance();
            Stage::Json { extractions: extractions(cursor, "json", json_extraction)? }
        }
        TokenKind::Word("logfmt") => logfmt(cursor)?,
        TokenKind::Word("regexp") => {
            cursor.advance();
            Stage::Regexp(cursor.string()?)
        }
        TokenKind::Word("pattern") => {
            cursor.advance();
            let text = cursor.string()?;
            let pattern = Pattern::parser(&text)
                .map_err(|e| ParseError::unplaced(format!("invalid pattern parser: {e}")))?;
            Stage::Pattern { text, pattern }
        }
        TokenKind::Word("unpack") => {
            cursor.advance();
            Stage::Unpack
        }
        TokenKind::Word("line_format") => {
            cursor.advance();
            Stage::LineFormat(cursor.string()?)
        }
        TokenKind::Word("label_format") => {
            cursor.advance();
            Stage::LabelFormat(label_formats(cursor)?)
        }
        TokenKind::Word("decolorize") => {
            cursor.advance();
            Stage::Decolorize
        }
        TokenKind::Word("drop") => {
            cursor.advance();
            Stage::Drop(label_choices(cursor)?)
        }
        TokenKind::Word("keep") => {
            cursor.advance();
            Stage::Keep(label_choices(cursor)?)
        }
        TokenKind::Identifier(_) | TokenKind::Word("(") => Stage::LabelFilter(label_filter(cursor)?),
        _ => return Err(cursor.unexpected(&[])),
    };
    stages.push(stage);
    Ok(())
}

fn line_filter(cursor: &mut Cursor, op: LineFilterOp) -> Result<LineFilter, ParseError> {
    let mut alternatives = vec![line_test(cursor)?];
    while cursor.accept("or") {
        alternatives.push(line_test(cursor)?);
    }
    Ok(LineFilter { op, alternatives })
}

fn line_test(cursor: &mut Cursor) -> Result<LineTest, ParseError> {
    if matches!(cursor.peek(), TokenKind::Function("ip")) {
        cursor.advance();
        return parenthesised_string(cursor).map(LineTest::Ip);
    }
    cursor.string_among(&["STRING", "ip"]).map(LineTest::Text)
}

fn logfmt(cursor: &mut Cursor) -> Result<Stage, ParseError> {
    cursor.advance();
    let (mut strict, mut keep_empty) = (false, false);
    while let TokenKind::Flag(flag) = cursor.peek() {
        match flag.as_str() {
            "--strict" => strict = true,
            "--keep-empty" => keep_empty = true,
            other => {
                return Err(ParseError::unplaced(format!("invalid parser flag: {other}")));
            }
        }
        cursor.advance();
    }
    Ok(Stage::Logfmt { strict, keep_empty, extractions: extractions(cursor, "logfmt", logfmt_extraction)? })
}

/// `a="x", b`: labels with an expression each; without one the label's own name is the expression.
fn extractions<T>(
    cursor: &mut Cursor,
    parser: &str,
    build: fn(String, String) -> Result<T, String>,
) -> Result<Vec<T>, ParseError> {
    let mut written: Vec<(String, String)> = Vec::new();
    if matches!(cursor.peek(), TokenKind::Identifier(_)) {
        loop {
            let label = cursor.identifier()?;
            let expression = if cursor.accept("=") { cursor.string()? } else { label.clone() };
            written.push((label, expression));
            if !cursor.accept(",") {
                break;
            }
        }
    }
    let list: Vec<String> = written.iter().map(|(label, text)| format!("{label}={text:?}")).collect();
    let refuse = |text: &str, e: String| {
        let stage = list.join(",");
        ParseError::unplaced(format!("stage '| {parser} {stage}' : cannot parse expression [{text}]: {e}"))
    };
    written
        .iter()
        .map(|(label, text)| build(label.clone(), text.clone()).map_err(|e| refuse(text, e)))
        .collect()
}

fn json_extraction(label: String, expression: String) -> Result<JsonExtraction, String> {
    let path = path::parse(&expression)?;
    Ok(JsonExtraction { label, expression, path })
}

fn logfmt_extraction(label: String, expression: String) -> Result<LogfmtExtraction, String> {
    let key = path::parse_key(&expression)?;
    Ok(LogfmtExtraction { label, key })
}

fn label_formats(cursor: &mut Cursor) -> Result<Vec<LabelFormat>, ParseError> {
    let mut formats = Vec::new();
    loop {
        let label = cursor.identifier()?;
        cursor.expect("=")?;
        formats.push(match cursor.peek() {
            TokenKind::Identifier(_) => LabelFormat::Rename { label, source: cursor.identifier()? },
            _ => LabelFormat::Template { label, template: cursor.string_among(&["IDENTIFIER", "STRING"])? },
        });
        if !cursor.accept(",") {
            return Ok(formats);
        }
    }
}

fn label_choices(cursor: &mut Cursor) -> Result<Vec<LabelChoice>, ParseError> {
    let mut choices = Vec::new();
    loop {
        let name = cursor.identifier()?;
        choices.push(match *cursor.peek() {
            TokenKind::Word(op) if MATCHER_OPERATORS.contains(&op) => {
                cursor.advance();
                let value = cursor.string()?;
                LabelChoice::Matching(matcher(name, op, value)?)
            }
            _ => LabelChoice::Name(name),
        });
        if !cursor.accept(",") {
            return Ok(choices);
        }
    }
}
