//! Reading configuration files: YAML into typed settings, with errors that name file, line and key.
//!
//! Every service's `config.rs` declares its own types (`deny_unknown_fields`, defaults as values) and
//! calls [`load`] or [`parse`]. A section that needs more than types can say validates itself in
//! [`Validate::validate`]. [`section`] lets one mapping be the sum of several types. Nothing is applied here: parse all, validate all, then the caller swaps.

mod duration;
mod env;
mod error;
mod glob;
mod positions;
mod secret;
pub mod section;

use std::path::Path;

use serde::de::DeserializeOwned;

pub use duration::Duration;
pub use env::expand_env;
pub use error::ConfigError;
pub use glob::glob;
pub use positions::{Fault, Position, Positions, Step};
pub use secret::{Secret, SecretSource};
/// A value and where in its file it stands.
pub use serde_saphyr::Spanned;

/// Configuration files larger than this are refused.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// What types alone cannot check.
pub trait Validate {
    /// The error text of the original, without file or line.
    fn validate(&mut self) -> Result<(), String>;
}

/// Reads, parses and validates `path`.
pub fn load<T: DeserializeOwned + Validate>(path: &Path) -> Result<T, ConfigError> {
    parse(&path.display().to_string(), &read(path)?)
}

/// Parses and validates `text`; `file` is the name used in errors.
pub fn parse<T: DeserializeOwned + Validate>(file: &str, text: &str) -> Result<T, ConfigError> {
    let mut value: T = parse_unchecked(file, text)?;
    value.validate().map_err(|message| ConfigError::new(file, message))?;
    Ok(value)
}

/// Parses without validation, for formats that have nothing more to check.
pub fn parse_unchecked<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    // An empty document is an empty mapping to the originals.
    let blank = text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#') || l == "---");
    serde_saphyr::from_str(if blank { "{}" } else { text }).map_err(|e| ConfigError::from_yaml(file, &e))
}

/// Parses without validation; an error also names the way to the value it is about.
pub fn parse_located<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    parse_unchecked(file, text).map_err(|error| error.with_way(text))
}

/// Parses without a type, for showing what was written: plain words such as `on` and `off` stay words.
pub fn parse_tree<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|e| ConfigError::from_yaml(file, &e))
}

/// Reads a configuration file as text.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let name = path.display().to_string();
    let size = std::fs::metadata(path).map_err(|e| ConfigError::open(&name, &e))?.len();
    if size > FILE_BYTES_MAX {
        return Err(ConfigError::new(&name, format!("file has {size} bytes, more than {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path).map_err(|e| ConfigError::open(&name, &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {
        interval: Duration,
        password: Option<Secret>,
        names: Vec<String>,
    }

    impl Default for Settings {
        fn default() -> Self {
            Settings { interval: Duration::from_ms(60_000), password: None, names: Vec::new() }
        }
    }

    impl Validate for Settings {
        fn validate(&mut self) -> Result<(), String> {
            if self.names.iter().any(String::is_empty) { Err("empty name".into()) } else { Ok(()) }
        }
    }

    #[test]
    fn defaults_and_values() {
        assert_eq!(parse::<Settings>("f", "").unwrap(), Settings::default());
        let s: Settings = parse("f", "interval: 1h30m\npassword: hunter2\nnames: [a]\n").unwrap();
        assert_eq!((s.interval.as_ms(), s.names.len()), (5_400_000, 1));
        assert_eq!(format!("{:?}", s.password), "Some(<secret>)");
    }

    #[test]
    fn errors_name_file_line_and_key() {
        let check = |text: &str, line: Option<u64>, part: &str| {
            let e = parse::<Settings>("x.yml", text).unwrap_err();
            assert_eq!(e.line(), line, "{e}");
            let shown = e.to_string();
            assert!(shown.starts_with("x.yml") && shown.contains(part), "{shown}");
        };
        check("interval: 15s\nintervall: 15s\n", Some(2), "intervall");
        check("interval: soon\n", Some(1), "not a valid duration string: \"soon\"");
        check("names: {a: 1}\n", Some(1), "");
        check("names: [\n", Some(1), "");
        check("names: []\ninterval: 1s\nnames: []\n", Some(3), ": mapping key \"names\" already defined");
        check("names: ['']\n", None, "empty name");
    }
}
