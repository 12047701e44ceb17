//! The part of JMESPath that configurations use: `a`, `a.b`, `"odd name".b`, `a[0]`, `a[-1]`.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Item(i64),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct JsonPath(Vec<Step>);

impl JsonPath {
    pub fn parse(text: &str) -> Result<JsonPath, String> {
        let bad =
            || format!("could not compile JMES expression {text:?}: only fields and items are supported");
        let mut steps = Vec::new();
        let mut rest = text.trim();
        loop {
            if let Some(after) = rest.strip_prefix('"') {
                let end = after.find('"').ok_or_else(bad)?;
                steps.push(Step::Field(after[..end].to_string()));
                rest = &after[end + 1..];
            } else if !rest.starts_with('[') {
                // Stricter readers refuse dashes in plain names; the original's compiler does, too, but
                // configurations with them exist, and there is only one thing they can mean.
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-' || c == '@'));
                let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
                if name.is_empty() {
                    return Err(bad());
                }
                steps.push(Step::Field(name.to_string()));
                rest = after;
            }
            while let Some(after) = rest.strip_prefix('[') {
                let (item, after) = after.split_once(']').ok_or_else(bad)?;
                steps.push(Step::Item(item.trim().parse().map_err(|_| bad())?));
                rest = after;
            }
            if rest.is_empty() {
                return Ok(JsonPath(steps));
            }
            rest = rest.strip_prefix('.').ok_or_else(bad)?;
        }
    }

    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let mut value = value;
        for step in &self.0 {
            value = match step {
                Step::Field(name) => value.get(name)?,
                Step::Item(at) => {
                    let list = value.as_array()?;
                    let at = if *at < 0 { list.len() as i64 + at } else { *at };
                    list.get(usize::try_from(at).ok()?)?
                }
            };
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let value: Value = serde_json::from_str(r#"{"a":{"b":[1,{"c d":"x"}]},"e-f":true}"#).unwrap();
        let check = |path: &str, expected: Option<&str>| {
            let found = JsonPath::parse(path).unwrap();
            assert_eq!(found.find(&value).map(Value::to_string).as_deref(), expected, "{path}");
        };
        check("a.b[0]", Some("1"));
        check("a.b[-1].\"c d\"", Some("\"x\""));
        check("e-f", Some("true"));
        check("a.b[2]", None);
        check("nothing.b", None);
        for bad in ["", "a.", "a[", "a[x]", "a | b", "a.*", "length(a)", "\"a"] {
            assert!(JsonPath::parse(bad).is_err(), "{bad}");
        }
    }
}
