//! Sections that are read and have nothing behind them yet: an empty one is harmless, a filled one is refused
//! by the start and by a reload, not by the reading.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What was written, whatever it was.
#[derive(Debug, Default)]
pub struct Unavailable(Option<Value>);

impl<'de> Deserialize<'de> for Unavailable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unavailable, D::Error> {
        Ok(Unavailable(Option::deserialize(deserializer)?))
    }
}

impl Unavailable {
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            None => true,
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(fields)) => fields.is_empty(),
            Some(_) => false,
        }
    }
}
