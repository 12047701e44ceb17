//! Configuration files.

pub fn scrape_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = config::parse_unchecked::<scrape::config::ScrapeConfig>("scrape.yml", text);
}

pub fn rule_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = rules::parse_file("rules.yml", text, &rules::Reading::default());
}
