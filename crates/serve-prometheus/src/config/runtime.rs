//! `runtime`: tuning of the original's language runtime, for which nothing here corresponds.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// Percentage at which the original's garbage collector starts. There is no collector here.
    pub gogc: Option<i64>,
}
