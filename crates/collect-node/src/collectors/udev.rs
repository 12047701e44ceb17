//! udev's database: one file a device, `E:KEY=VALUE` lines for its properties.

use std::path::Path;

/// The properties of one block device; empty when udev does not run.
#[derive(Default)]
pub struct Properties {
    text: String,
}

impl Properties {
    pub fn read(base: &Path, major: &str, minor: &str) -> Properties {
        let text = std::fs::read_to_string(base.join(format!("b{major}:{minor}"))).unwrap_or_default();
        Properties { text }
    }

    /// The value of a property; empty when it has none.
    pub fn get(&self, key: &str) -> &str {
        let found =
            self.text.lines().find_map(|line| line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties() {
        let p = Properties { text: "S:disk/x\nE:ID_MODEL_ENC=a b\nE:ID_MODEL=ab\nG:systemd\n".into() };
        assert_eq!((p.get("ID_MODEL"), p.get("ID_MODEL_ENC"), p.get("ID_WWN")), ("ab", "a b", ""));
    }
}
