//! `inhibit_rules`: alerts that keep others quiet.

use std::collections::BTreeMap;

use ::config::Fault;
use alerting::{MatcherMode, is_label_name};
use serde::Deserialize;

use super::or_default;
use super::route::{Regexes, check_names, matchers};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InhibitRule {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    pub source_match: Option<BTreeMap<String, String>>,
    pub source_match_re: Option<Regexes>,
    pub source_matchers: Option<Vec<String>>,
    pub target_match: Option<BTreeMap<String, String>>,
    pub target_match_re: Option<Regexes>,
    pub target_matchers: Option<Vec<String>>,
    pub equal: Option<Vec<String>>,
}

impl InhibitRule {
    pub(super) fn validate(&self, mode: MatcherMode) -> Result<(), Fault> {
        self.compile(mode)?;
        for (map, key) in [(&self.source_match, "source_match"), (&self.target_match, "target_match")] {
            check_names(map.iter().flatten().map(|(name, _)| name)).map_err(|f| f.under(key))?;
        }
        for (i, label) in self.equal.iter().flatten().enumerate() {
            if !is_label_name(label, mode) {
                let message = format!("invalid label name {label:?} in equal list");
                return Err(Fault::new(message).at(i).under("equal"));
            }
        }
        Ok(())
    }

    pub(crate) fn compile(&self, mode: MatcherMode) -> Result<alerting::InhibitRule, Fault> {
        Ok(alerting::InhibitRule {
            name: self.name.clone(),
            source: matchers(
                "source_",
                &self.source_match,
                &self.source_match_re,
                &self.source_matchers,
                mode,
            )?,
            target: matchers(
                "target_",
                &self.target_match,
                &self.target_match_re,
                &self.target_matchers,
                mode,
            )?,
            equal: self.equal.clone().unwrap_or_default(),
        })
    }
}
