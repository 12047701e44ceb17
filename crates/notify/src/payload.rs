//! Values of free shape in a configuration (`payload`, `details`, `fields`) whose texts are templates.

use std::collections::BTreeMap;

use alerting::NotifyError;
use serde_json::Value as Json;

use crate::rendering::Rendering;

/// Nesting of values that came out of templates ends here: a template can always write one more bracket.
const DEPTH_MAX: usize = 100;

/// Expands every text in `value`. A text that reads as YAML of another kind (`5`, `true`, `[a, b]`) becomes
/// that, as in the original; mappings come out sorted by key.
pub(crate) fn expand(value: &Json, rendering: &Rendering<'_>) -> Result<Json, NotifyError> {
    expand_at(value, rendering, 0)
}

fn expand_at(value: &Json, rendering: &Rendering<'_>, depth: usize) -> Result<Json, NotifyError> {
    if depth > DEPTH_MAX {
        return Err(NotifyError::permanent(format!("values are nested deeper than {DEPTH_MAX} levels")));
    }
    Ok(match value {
        Json::String(template) => {
            let text = rendering.text(template)?;
            match read(&text) {
                Some(Json::String(_)) | None => Json::String(text),
                Some(inner) => expand_at(&inner, rendering, depth + 1)?,
            }
        }
        Json::Array(items) => {
            let items: Result<Vec<Json>, NotifyError> =
                items.iter().map(|item| expand_at(item, rendering, depth + 1)).collect();
            Json::Array(items?)
        }
        Json::Object(map) => {
            let mut out = BTreeMap::new();
            for (key, item) in map {
                out.insert(rendering.text(key)?, expand_at(item, rendering, depth + 1)?);
            }
            Json::Object(out.into_iter().collect())
        }
        plain => plain.clone(),
    })
}

/// The text as YAML; `None` when it is not.
fn read(text: &str) -> Option<Json> {
    // Nothing at all is null, where a configuration file would be an empty mapping.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Some(Json::Null);
    }
    config::parse_unchecked("", text).ok()
}
