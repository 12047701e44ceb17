//! One configuration error: file, position, message.

use std::fmt;

use crate::positions::{Position, Positions};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    /// One-based line and column, when the parser knows them.
    position: Option<(u64, u64)>,
    /// The way to the value, `route.routes[1].receiver`; empty when it is not known.
    way: String,
    message: String,
}

impl ConfigError {
    pub fn new(file: &str, message: impl Into<String>) -> ConfigError {
        ConfigError { file: file.to_owned(), position: None, way: String::new(), message: message.into() }
    }

    pub(crate) fn located(
        file: &str,
        position: Option<Position>,
        way: &str,
        message: impl Into<String>,
    ) -> ConfigError {
        ConfigError { file: file.to_owned(), position, way: way.to_owned(), message: message.into() }
    }

    /// Adds the way to where the error happened.
    pub(crate) fn with_way(mut self, text: &str) -> ConfigError {
        if let Some(position) = self.position {
            self.way = Positions::of(text).way_to(position);
        }
        self
    }

    pub(crate) fn open(file: &str, error: &std::io::Error) -> ConfigError {
        ConfigError::new(file, format!("cannot read the file: {error}"))
    }

    pub(crate) fn from_yaml(file: &str, error: &serde_saphyr::Error) -> ConfigError {
        let bare = error.without_snippet();
        let position = error.location().map(|l| (l.line(), l.column())).filter(|(line, _)| *line > 0);
        // The library repeats the position at the end of its first line; ours stands in front.
        let message = bare.to_string();
        let message = message.lines().next().unwrap_or("").to_owned();
        let message = match bare {
            // The library's own words go on about its options, which nobody who writes a file can set.
            serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
                format!("mapping key {key:?} already defined")
            }
            _ => match message.find(" at line ") {
                Some(at) => message[..at].to_owned(),
                None => message,
            },
        };
        ConfigError { file: file.to_owned(), position, way: String::new(), message }
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    pub fn line(&self) -> Option<u64> {
        self.position.map(|(line, _)| line)
    }

    /// The way to the value, empty when it is not known.
    pub fn way(&self) -> &str {
        &self.way
    }

    pub fn message(&self) -> &str {
        &self.message
    }
}

/// `prometheus.yml:12:3: unknown field …`
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.way.is_empty() {
            write!(f, ": {}", self.way)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}
