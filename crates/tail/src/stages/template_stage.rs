//! The template stage: a value from other values.

use std::collections::BTreeMap;
use std::sync::Arc;

use template::{Functions, Kind, MissingKey, Set, Value};

use super::{Context, Transform};
use crate::config::TemplateConfig;
use crate::entry::Entry;

const NAME: &str = "pipeline_template";

pub(super) struct TemplateStage {
    source: String,
    set: Set,
}

impl TemplateStage {
    pub fn new(config: &TemplateConfig) -> Result<TemplateStage, String> {
        if config.source.is_empty() {
            return Err("template source value is required".into());
        }
        let mut set = Set::new(functions());
        // Unlike everybody else, the original leaves Go's default: a missing value says so.
        set.missing_key(MissingKey::Default);
        set.parse(NAME, &config.template).map_err(|e| e.to_string())?;
        Ok(TemplateStage { source: config.source.clone(), set })
    }
}

impl Transform for TemplateStage {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let mut data: BTreeMap<String, String> = entry.extracted.clone();
        if let Some(value) = entry.extracted.get(&self.source) {
            data.insert("Value".into(), value.clone());
        }
        data.insert("Entry".into(), entry.line.clone());
        match self.set.execute(NAME, &Value::StrMap(Arc::new(data))) {
            // An empty result takes the value away.
            Ok(text) if text.is_empty() => drop(entry.extracted.remove(&self.source)),
            Ok(text) => drop(entry.extracted.insert(self.source.clone(), text)),
            Err(e) => tracing::debug!("template stage of {:?}: {e}", self.source),
        }
        true
    }
}

/// Promtail's own functions; the subject comes first in its names and last in sprig's.
fn functions() -> Functions {
    use Kind::{Any, Int, Str};
    let mut f = Functions::new();
    for name in ["ToLower", "lower"] {
        f.add(name, &[Str], |c| Ok(c.text(0).to_lowercase().into()));
    }
    for name in ["ToUpper", "upper"] {
        f.add(name, &[Str], |c| Ok(c.text(0).to_uppercase().into()));
    }
    for name in ["TrimSpace", "trim"] {
        f.add(name, &[Str], |c| Ok(c.text(0).trim().into()));
    }
    f.add("Replace", &[Str, Str, Str, Int], |c| {
        let (text, from, to) = (c.text(0), c.text(1), c.text(2));
        Ok(match usize::try_from(c.int(3)) {
            Ok(count) => text.replacen(from, to, count),
            Err(_) => text.replace(from, to),
        }
        .into())
    });
    f.add("replace", &[Str, Str, Str], |c| Ok(c.text(2).replace(c.text(0), c.text(1)).into()));
    f.add("Trim", &[Str, Str], |c| Ok(c.text(0).trim_matches(|x| c.text(1).contains(x)).into()));
    f.add("TrimLeft", &[Str, Str], |c| Ok(c.text(0).trim_start_matches(|x| c.text(1).contains(x)).into()));
    f.add("TrimRight", &[Str, Str], |c| Ok(c.text(0).trim_end_matches(|x| c.text(1).contains(x)).into()));
    f.add("TrimPrefix", &[Str, Str], |c| Ok(c.text(0).strip_prefix(c.text(1)).unwrap_or(c.text(0)).into()));
    f.add("TrimSuffix", &[Str, Str], |c| Ok(c.text(0).strip_suffix(c.text(1)).unwrap_or(c.text(0)).into()));
    f.add("contains", &[Str, Str], |c| Ok(c.text(1).contains(c.text(0)).into()));
    f.add("hasPrefix", &[Str, Str], |c| Ok(c.text(1).starts_with(c.text(0)).into()));
    f.add("hasSuffix", &[Str, Str], |c| Ok(c.text(1).ends_with(c.text(0)).into()));
    f.add("regexReplaceAll", &[Str, Str, Str], |c| {
        let regex = re2::Regex::new(c.text(0)).map_err(|e| e.to_string())?;
        Ok(regex.replace_all(c.text(1), c.text(2)).into())
    });
    f.add("regexReplaceAllLiteral", &[Str, Str, Str], |c| {
        let regex = re2::Regex::new(c.text(0)).map_err(|e| e.to_string())?;
        Ok(regex.replace_all(c.text(1), &c.text(2).replace('$', "$$")).into())
    });
    f.add_variadic("default", &[Any], Any, |c| {
        Ok(match c.args.get(1) {
            Some(given) if given.truth() => given.clone(),
            _ => c.arg(0).clone(),
        })
    });
    f
}
