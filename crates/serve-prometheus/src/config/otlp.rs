//! The section `otlp`: how OpenTelemetry's metrics become series.

use std::collections::BTreeSet;

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Otlp {
    pub promote_all_resource_attributes: bool,
    pub promote_resource_attributes: Vec<String>,
    pub ignore_resource_attributes: Vec<String>,
    pub translation_strategy: Strategy,
    pub keep_identifying_resource_attributes: bool,
    pub convert_histograms_to_nhcb: bool,
    pub promote_scope_metadata: bool,
    pub label_name_underscore_sanitization: bool,
    pub label_name_preserve_multiple_underscores: bool,
}

/// How names are translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Strategy {
    #[default]
    UnderscoreEscapingWithSuffixes,
    UnderscoreEscapingWithoutSuffixes,
    NoUTF8EscapingWithSuffixes,
    NoTranslation,
}

impl Strategy {
    /// Whether names become classic ones.
    pub fn escapes(self) -> bool {
        matches!(self, Strategy::UnderscoreEscapingWithSuffixes | Strategy::UnderscoreEscapingWithoutSuffixes)
    }

    /// Whether unit and type are added to a name.
    pub fn adds_suffixes(self) -> bool {
        matches!(self, Strategy::UnderscoreEscapingWithSuffixes | Strategy::NoUTF8EscapingWithSuffixes)
    }
}

impl Default for Otlp {
    fn default() -> Otlp {
        Otlp {
            promote_all_resource_attributes: false,
            promote_resource_attributes: Vec::new(),
            ignore_resource_attributes: Vec::new(),
            translation_strategy: Strategy::default(),
            keep_identifying_resource_attributes: false,
            convert_histograms_to_nhcb: false,
            promote_scope_metadata: false,
            label_name_underscore_sanitization: true,
            label_name_preserve_multiple_underscores: true,
        }
    }
}

impl Otlp {
    pub fn validate(&self) -> Result<(), String> {
        if self.promote_all_resource_attributes {
            if !self.promote_resource_attributes.is_empty() {
                return Err("'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be \
                            configured simultaneously"
                    .into());
            }
            return check("ignored", &self.ignore_resource_attributes)
                .map_err(|e| format!("invalid 'ignore_resource_attributes': {e}"));
        }
        if !self.ignore_resource_attributes.is_empty() {
            return Err("'ignore_resource_attributes' cannot be configured unless \
                        'promote_all_resource_attributes' is true"
                .into());
        }
        check("promoted", &self.promote_resource_attributes)
            .map_err(|e| format!("invalid 'promote_resource_attributes': {e}"))
    }

    /// Whether a resource attribute becomes a label of every series.
    pub fn promotes(&self, name: &str) -> bool {
        let among = |list: &[String]| list.iter().any(|listed| listed.trim() == name);
        match self.promote_all_resource_attributes {
            true => !among(&self.ignore_resource_attributes),
            false => among(&self.promote_resource_attributes),
        }
    }
}

fn check(what: &str, names: &[String]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        let name = name.trim();
        if name.is_empty() {
            return Err(format!("empty {what} OTel resource attribute"));
        }
        if !seen.insert(name) {
            return Err(format!("duplicated {what} OTel resource attribute {name:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused() {
        let check = |change: fn(&mut Otlp), expected: &str| {
            let mut otlp = Otlp::default();
            change(&mut otlp);
            assert_eq!(otlp.validate().err().unwrap_or_default(), expected);
        };
        check(|_| {}, "");
        check(
            |o| (o.promote_all_resource_attributes, o.promote_resource_attributes) = (true, vec!["a".into()]),
            "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously",
        );
        check(
            |o| o.ignore_resource_attributes = vec!["a".into()],
            "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true",
        );
        check(
            |o| o.promote_resource_attributes = vec!["a".into(), " a ".into()],
            "invalid 'promote_resource_attributes': duplicated promoted OTel resource attribute \"a\"",
        );
        check(
            |o| o.promote_resource_attributes = vec![" ".into()],
            "invalid 'promote_resource_attributes': empty promoted OTel resource attribute",
        );
    }
}
