//! The configuration is shown as the original shows it, byte for byte.
//!
//! `testdata/shown/*.yml` are configurations and `*.shown` what the original's status tells for them. The
//! text that is shown can be read again, and then shows the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alerting::MatcherMode;

use crate::config::parse;

fn shown(text: &str) -> String {
    let clock = Arc::new(platform::ManualClock::at_ms(0));
    let loaded = parse("am.yml", text, Path::new(""), "http://am", MatcherMode::default(), clock);
    loaded.unwrap_or_else(|e| panic!("{e}")).original
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/shown")
}

#[test]
fn configurations_are_shown_as_the_original_shows_them() {
    let mut seen = 0;
    for entry in std::fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "yml") {
            continue;
        }
        let expected = std::fs::read_to_string(path.with_extension("shown")).unwrap();
        let ours = shown(&std::fs::read_to_string(&path).unwrap());
        let lines = ours.lines().zip(expected.lines()).enumerate();
        for (i, (ours, expected)) in lines {
            assert_eq!(ours, expected, "{} line {}", path.display(), i + 1);
        }
        assert_eq!(ours, expected, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn what_is_shown_can_be_read_and_shows_the_same() {
    for name in ["receivers", "texts"] {
        let text = std::fs::read_to_string(directory().join(name).with_extension("yml")).unwrap();
        let once = shown(&text);
        assert_eq!(shown(&once), once, "{name}");
    }
}
