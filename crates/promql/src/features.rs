//! Feature flags of the language: names as given to `--enable-feature`, and what each switches on.

use crate::EngineSettings;

/// What a name given to `--enable-feature` means to queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Switched on.
    Enabled,
    /// Part of the stable language by now; naming it does nothing.
    Stable,
    /// Of no concern to queries.
    Other,
}

/// The names that switch something on here.
pub const EXPERIMENTAL: &[&str] = &[
    "promql-binop-fill-modifiers",
    "promql-delayed-name-removal",
    "promql-experimental-functions",
    "promql-extended-range-selectors",
    "promql-per-step-stats",
    "use-start-timestamps",
];

/// Switches one feature on in `settings`.
pub fn enable(settings: &mut EngineSettings, name: &str) -> Feature {
    match name {
        "promql-binop-fill-modifiers" => settings.parse_options.fill_modifiers = true,
        "promql-delayed-name-removal" => settings.delayed_name_removal = true,
        "promql-experimental-functions" => settings.parse_options.experimental_functions = true,
        "promql-extended-range-selectors" => settings.parse_options.extended_range_selectors = true,
        "promql-per-step-stats" => settings.per_step_stats = true,
        "use-start-timestamps" => settings.use_start_timestamps = true,
        "promql-at-modifier" | "promql-negative-offset" | "promql-duration-expr" => return Feature::Stable,
        _ => return Feature::Other,
    }
    Feature::Enabled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_switches_something_on() {
        for name in EXPERIMENTAL {
            let mut settings = EngineSettings::default();
            assert_eq!(enable(&mut settings, name), Feature::Enabled);
            assert_ne!(format!("{settings:?}"), format!("{:?}", EngineSettings::default()), "{name}");
        }
        let mut settings = EngineSettings::default();
        assert_eq!(enable(&mut settings, "promql-duration-expr"), Feature::Stable);
        assert_eq!(enable(&mut settings, "exemplar-storage"), Feature::Other);
        assert_eq!(format!("{settings:?}"), format!("{:?}", EngineSettings::default()));
    }
}
