//! One relabelling rule: its YAML keys, defaults, and what makes it invalid.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";

/// What a rule does with the labels it looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Action {
    #[default]
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

impl Action {
    const ALL: [Action; 11] = [
        Action::Replace,
        Action::Keep,
        Action::Drop,
        Action::KeepEqual,
        Action::DropEqual,
        Action::HashMod,
        Action::LabelMap,
        Action::LabelDrop,
        Action::LabelKeep,
        Action::Lowercase,
        Action::Uppercase,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Action::Replace => "replace",
            Action::Keep => "keep",
            Action::Drop => "drop",
            Action::KeepEqual => "keepequal",
            Action::DropEqual => "dropequal",
            Action::HashMod => "hashmod",
            Action::LabelMap => "labelmap",
            Action::LabelDrop => "labeldrop",
            Action::LabelKeep => "labelkeep",
            Action::Lowercase => "lowercase",
            Action::Uppercase => "uppercase",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Action {
    /// Case does not matter, as in the original.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Action, D::Error> {
        let text = String::deserialize(deserializer)?;
        let lower = text.to_lowercase();
        let known = Action::ALL.into_iter().find(|a| a.as_str() == lower);
        known.ok_or_else(|| serde::de::Error::custom(format!("unknown relabel action {text:?}")))
    }
}

/// A rule that passed [`RelabelConfig::validate`].
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct RelabelConfig {
    pub source_labels: Vec<String>,
    pub separator: String,
    /// Anchored at both ends.
    pub regex: re2::Regex,
    pub modulus: u64,
    pub target_label: String,
    pub replacement: String,
    pub action: Action,
}

impl Default for RelabelConfig {
    fn default() -> RelabelConfig {
        RelabelConfig {
            source_labels: Vec::new(),
            separator: DEFAULT_SEPARATOR.into(),
            regex: re2::Regex::anchored(DEFAULT_REGEX).expect("the default expression is valid"),
            modulus: 0,
            target_label: String::new(),
            replacement: DEFAULT_REPLACEMENT.into(),
            action: Action::Replace,
        }
    }
}

impl PartialEq for RelabelConfig {
    fn eq(&self, other: &RelabelConfig) -> bool {
        self.source_labels == other.source_labels
            && self.separator == other.separator
            && self.regex.as_str() == other.regex.as_str()
            && self.modulus == other.modulus
            && self.target_label == other.target_label
            && self.replacement == other.replacement
            && self.action == other.action
    }
}

/// Why a rule is refused, in the original's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRelabelConfig(String);

impl fmt::Display for InvalidRelabelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidRelabelConfig {}

impl RelabelConfig {
    pub fn has_default_regex(&self) -> bool {
        self.regex.as_str() == DEFAULT_REGEX
    }

    /// Checks that the fields belong to the action. Rules read through serde are checked already.
    pub fn validate(&self) -> Result<(), InvalidRelabelConfig> {
        use Action::*;
        let action = self.action;
        let fail = |text: String| Err(InvalidRelabelConfig(text));
        let bad_target =
            || fail(format!("{:?} is invalid 'target_label' for {action} action", self.target_label));

        if let Some(name) = self.source_labels.iter().find(|name| name.is_empty()) {
            return fail(format!("{name:?} is not a valid label name"));
        }
        if action == HashMod && self.modulus == 0 {
            return fail("relabel configuration for hashmod requires non-zero modulus".into());
        }
        let needs_target =
            matches!(action, Replace | KeepEqual | DropEqual | HashMod | Lowercase | Uppercase);
        if needs_target && self.target_label.is_empty() {
            return fail(format!("relabel configuration for {action} action requires 'target_label' value"));
        }
        if needs_target && self.target_label.contains('\0') {
            return bad_target();
        }
        let default_replacement = self.replacement == DEFAULT_REPLACEMENT;
        if matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual) && !default_replacement {
            return fail(format!("'replacement' can not be set for {action} action"));
        }
        if action == LabelMap && self.replacement.is_empty() {
            return fail(format!("{:?} is invalid 'replacement' for {action} action", self.replacement));
        }
        let plain = self.modulus == 0 && self.separator == DEFAULT_SEPARATOR && default_replacement;
        if matches!(action, DropEqual | KeepEqual) && !(plain && self.has_default_regex()) {
            return fail(format!(
                "{action} action requires only 'source_labels' and `target_label`, and no other fields"
            ));
        }
        let names_labels = !self.source_labels.is_empty() || !self.target_label.is_empty();
        if matches!(action, LabelDrop | LabelKeep) && (names_labels || !plain) {
            return fail(format!("{action} action requires only 'regex', and no other fields"));
        }
        Ok(())
    }
}

/// A rule as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    source_labels: Vec<String>,
    separator: String,
    #[serde(deserialize_with = "null_keeps_default")]
    regex: String,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: Action,
}

/// `regex:` with nothing behind it means the default, not the empty expression.
fn null_keeps_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_else(|| DEFAULT_REGEX.into()))
}

impl Default for Written {
    fn default() -> Written {
        Written {
            source_labels: Vec::new(),
            separator: DEFAULT_SEPARATOR.into(),
            regex: DEFAULT_REGEX.into(),
            modulus: 0,
            target_label: String::new(),
            replacement: DEFAULT_REPLACEMENT.into(),
            action: Action::Replace,
        }
    }
}

impl TryFrom<Written> for RelabelConfig {
    type Error = InvalidRelabelConfig;

    fn try_from(written: Written) -> Result<RelabelConfig, InvalidRelabelConfig> {
        let regex = re2::Regex::anchored(&written.regex).map_err(|e| InvalidRelabelConfig(e.to_string()))?;
        let config = RelabelConfig {
            source_labels: written.source_labels,
            separator: written.separator,
            regex,
            modulus: written.modulus,
            target_label: written.target_label,
            replacement: written.replacement,
            action: written.action,
        };
        config.validate()?;
        Ok(config)
    }
}

/// Writes the keys in the original's order and leaves out what the original leaves out.
impl Serialize for RelabelConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.source_labels.is_empty() {
            map.serialize_entry("source_labels", &self.source_labels)?;
        }
        if !self.separator.is_empty() {
            map.serialize_entry("separator", &self.separator)?;
        }
        if !self.has_default_regex() {
            map.serialize_entry("regex", self.regex.as_str())?;
        }
        if self.modulus != 0 {
            map.serialize_entry("modulus", &self.modulus)?;
        }
        if !self.target_label.is_empty() {
            map.serialize_entry("target_label", &self.target_label)?;
        }
        if !self.replacement.is_empty() {
            map.serialize_entry("replacement", &self.replacement)?;
        }
        map.serialize_entry("action", self.action.as_str())?;
        map.end()
    }
}
