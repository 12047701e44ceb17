//! The `regexp` and `unpack` parsers, and label names from foreign text.

use logql_syntax::ast::Stage;

use super::json::{self, Token};
use super::labels::LabelState;
use crate::error::QueryError;

/// The label under which `pack` keeps the original line.
const PACKED_LINE: &str = "_entry";

pub(super) struct RegexpParser {
    regex: re2::Regex,
    /// Group index and label.
    groups: Vec<(usize, String)>,
}

impl RegexpParser {
    pub fn new(pattern: &str) -> Result<RegexpParser, QueryError> {
        let refuse = |e: String| QueryError::bad(format!("parse error : invalid regexp parser: {e}"));
        let regex = re2::Regex::new(pattern).map_err(|e| refuse(e.to_string()))?;
        let mut groups: Vec<(usize, String)> = Vec::new();
        for (index, name) in regex.group_names().into_iter().enumerate() {
            let Some(name) = name else { continue };
            let label = label_name(&name);
            if groups.iter().any(|(_, seen)| *seen == label) {
                return Err(refuse(format!("duplicate extracted label name '{label}'")));
            }
            groups.push((index, label));
        }
        debug_assert!(!groups.is_empty(), "checked by the parser of {}", Stage::Regexp(pattern.to_owned()));
        Ok(RegexpParser { regex, groups })
    }

    pub fn parse(&self, line: &str, state: &mut LabelState) {
        let Some(captures) = self.regex.captures(line) else { return };
        for (index, label) in &self.groups {
            state.set_parsed(label, captures.get(*index, line).unwrap_or(""));
        }
    }
}

/// Turns any text into a label name: letters, digits and underscores, no digit first.
pub(super) fn label_name(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    push_label_name(&mut out, text);
    out
}

/// Appends `text` to a label name under construction.
pub(super) fn push_label_name(out: &mut String, text: &str) {
    let text = text.trim();
    if out.is_empty() && text.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    out.extend(text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }));
}

/// Reads a line written by promtail's `pack` stage: its string fields become labels, and the line it holds
/// is returned.
pub(super) fn unpack(line: &str, state: &mut LabelState) -> Option<String> {
    let mut packed = None;
    let mut scanner = json::Scanner::new(line);
    let mut labels: Vec<(String, String)> = Vec::new();
    let outcome = scanner.object(&mut |key, value| {
        if let Token::String(text) = value {
            if key == PACKED_LINE {
                packed = Some(text.to_string());
            } else {
                labels.push((key.to_owned(), text.to_string()));
            }
        }
    });
    match outcome {
        Ok(()) => {
            for (name, value) in labels {
                state.set_parsed(&label_name(&name), &value);
            }
            packed
        }
        Err(e) => {
            state.set_error("JSONParserErr", &e);
            None
        }
    }
}
