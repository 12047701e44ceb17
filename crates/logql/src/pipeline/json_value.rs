//! JSON text as a template value, for `fromJson`.

use std::collections::BTreeMap;

use template::Value;

use super::json::{Scanner, Token};

const DEPTH_MAX: usize = 100;

pub(super) fn parse(text: &str) -> Result<Value, String> {
    convert(Scanner::new(text).whole()?, 0)
}

fn convert(token: Token<'_>, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err("JSON is nested too deeply".into());
    }
    Ok(match token {
        Token::String(text) => text.into_owned().into(),
        Token::Number(text) => Value::Float(text.parse().map_err(|_| format!("invalid number {text:?}"))?),
        Token::Bool(b) => b.into(),
        Token::Null => Value::Nil,
        Token::Nested(text) if text.starts_with('{') => {
            let mut fields: Vec<(String, Token<'_>)> = Vec::new();
            Scanner::new(text).object(&mut |key, value| fields.push((key.to_owned(), value)))?;
            let map: Result<BTreeMap<String, Value>, String> =
                fields.into_iter().map(|(key, value)| Ok((key, convert(value, depth + 1)?))).collect();
            map?.into()
        }
        Token::Nested(text) => {
            let mut items = Vec::new();
            Scanner::new(text).array(&mut |_, value| items.push(value))?;
            Value::list(items.into_iter().map(|v| convert(v, depth + 1)).collect::<Result<_, _>>()?)
        }
    })
}
