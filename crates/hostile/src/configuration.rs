//! Configuration files.

use std::path::Path;

pub fn scrape_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = config::parse_unchecked::<scrape::config::ScrapeConfig>("scrape.yml", text);
}

pub fn rule_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = rules::parse_file("rules.yml", text, &rules::Reading::default());
}

/// With everything the file compiles to: routes, receivers, their templates.
pub fn alertmanager_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Template files would be read from the disk.
    if text.contains("templates") {
        return;
    }
    if let Err(error) = serve_alertmanager::check("alertmanager.yml", text, Path::new("/nowhere")) {
        assert!(error.to_string().contains("alertmanager.yml"), "{error}");
    }
}
