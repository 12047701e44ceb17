//! Include and exclude patterns for device, chip and mount names.

use re2::Regex;

/// At most one of the two patterns is set: the originals refuse both together.
#[derive(Debug, Clone, Default)]
pub struct DeviceFilter {
    include: Option<Regex>,
    exclude: Option<Regex>,
}

impl DeviceFilter {
    /// Empty patterns mean "none". The error says what is wrong with which pattern.
    pub fn new(include: &str, exclude: &str) -> Result<DeviceFilter, String> {
        Ok(DeviceFilter { include: compile(include)?, exclude: compile(exclude)? })
    }

    pub fn ignores(&self, name: &str) -> bool {
        self.exclude.as_ref().is_some_and(|r| r.is_match(name))
            || self.include.as_ref().is_some_and(|r| !r.is_match(name))
    }
}

fn compile(pattern: &str) -> Result<Option<Regex>, String> {
    if pattern.is_empty() {
        return Ok(None);
    }
    Regex::new(pattern).map(Some).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn include_and_exclude() {
        let check = |include: &str, exclude: &str, name: &str, expected: bool| {
            assert_eq!(DeviceFilter::new(include, exclude).unwrap().ignores(name), expected, "{name}");
        };
        check("", "", "eth0", false);
        check("", "^veth", "veth1", true);
        check("", "^veth", "eth0", false);
        check("^eth", "", "lo", true);
        check("^eth", "", "eth0", false);
        assert!(DeviceFilter::new("(", "").is_err());
    }
}
