//! The default template of every receiver gives the original's bytes.
//!
//! `testdata/defaults.txt` keeps a digest of what the original rendered for every group, as text and as
//! HTML, and is checked always. With the original installed the outputs themselves are compared, and
//! `CLOUDOS_RECORD=1` writes the digests anew from the original's outputs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::Templates;
use platform::ManualClock;
use xxhash_rust::xxh64::xxh64;

use crate::groups::{COUNT, group};
use crate::peer;

/// Every template the original defines, public ones and building blocks.
const NAMES: [&str; 64] = [
    "__alertmanager",
    "__alertmanagerURL",
    "__subject",
    "__description",
    "__text_alert_list",
    "__text_alert_list_markdown",
    "slack.default.title",
    "slack.default.username",
    "slack.default.fallback",
    "slack.default.callbackid",
    "slack.default.pretext",
    "slack.default.titlelink",
    "slack.default.iconemoji",
    "slack.default.iconurl",
    "slack.default.text",
    "slack.default.footer",
    "slack.default.color",
    "pagerduty.default.description",
    "pagerduty.default.client",
    "pagerduty.default.clientURL",
    "pagerduty.default.instances",
    "opsgenie.default.message",
    "opsgenie.default.description",
    "opsgenie.default.source",
    "wechat.default.message",
    "wechat.default.to_user",
    "wechat.default.to_party",
    "wechat.default.to_tag",
    "wechat.default.agent_id",
    "victorops.default.state_message",
    "victorops.default.entity_display_name",
    "victorops.default.monitoring_tool",
    "pushover.default.title",
    "pushover.default.message",
    "pushover.default.url",
    "sns.default.subject",
    "sns.default.message",
    "telegram.default.message",
    "discord.default.content",
    "discord.default.title",
    "discord.default.message",
    "webex.default.message",
    "msteams.default.summary",
    "msteams.default.title",
    "msteams.default.text",
    "msteamsv2.default.title",
    "msteamsv2.default.text",
    "jira.default.summary",
    "jira.default.description",
    "jira.default.priority",
    "rocketchat.default.title",
    "rocketchat.default.alias",
    "rocketchat.default.titlelink",
    "rocketchat.default.emoji",
    "rocketchat.default.iconurl",
    "rocketchat.default.text",
    "mattermost.default.color",
    "mattermost.default.username",
    "mattermost.default.title",
    "mattermost.default.titlelink",
    "mattermost.default.fallback",
    "mattermost.default.text",
    "email.default.subject",
    "email.default.html",
];

/// All templates one after another, each under its name.
fn all() -> String {
    let argument = |name: &str| match name {
        "pagerduty.default.instances" => ".Alerts.Firing",
        name if name.starts_with("__text_alert_list") => ".Alerts",
        _ => ".",
    };
    NAMES.map(|name| format!("\n@@{name}\n{{{{ template \"{name}\" {} }}}}", argument(name))).concat()
}

fn templates(external_url: &str) -> Templates {
    let clock = Arc::new(ManualClock::at_ms(1_700_000_000_000));
    Templates::new(external_url, &[], clock).unwrap()
}

fn render(n: u64, html: bool) -> String {
    let (notification, address) = group(n);
    let templates = templates(address);
    let data = templates.data(&notification);
    match html {
        true => templates.html(&all(), &data),
        false => templates.text(&all(), &data),
    }
    .unwrap()
}

fn digests_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/defaults.txt")
}

fn digest(text: &str) -> String {
    format!("{:016x} {}", xxh64(text.as_bytes(), 0), text.len())
}

#[test]
fn every_name_is_defined() {
    let names = templates("http://am").names();
    for name in NAMES {
        assert!(names.iter().any(|n| n == name), "{name} is not defined");
    }
}

#[test]
fn the_recorded_bytes_come_out() {
    let recorded = std::fs::read_to_string(digests_file()).unwrap();
    let mut lines = 0;
    for line in recorded.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (n, mode) = (words.next().unwrap().parse().unwrap(), words.next().unwrap());
        assert_eq!(digest(&render(n, mode == "html")), words.next().unwrap(), "group {n} as {mode}");
        lines += 1;
    }
    assert_eq!(lines, 2 * COUNT);
}

#[test]
fn the_original_renders_the_same() {
    let found = peer::amtool().and_then(|tool| peer::default_templates(&tool).map(|dir| (tool, dir)));
    let Some((tool, dir)) = found else {
        eprintln!("skipped: the original's amtool and its templates are not installed");
        return;
    };
    let glob = dir.join("*.tmpl").display().to_string();
    let scratch = tempfile::tempdir().unwrap();
    let mut recorded = String::from("# group, mode, xxHash64 and length of what the original rendered\n");
    for n in 0..COUNT {
        let (notification, address) = group(n);
        let templates = templates(address);
        let json = templates.text("{{ toJson . }}", &templates.data(&notification)).unwrap();
        let file = scratch.path().join("data.json");
        std::fs::write(&file, json).unwrap();
        for html in [false, true] {
            let theirs = peer::render(&tool, &glob, &all(), html, Some(&file)).unwrap();
            let mode = if html { "html" } else { "text" };
            recorded.push_str(&format!("{n} {mode} {}\n", digest(&theirs)));
            same(n, mode, &theirs, &render(n, html));
        }
    }
    if std::env::var_os("CLOUDOS_RECORD").is_some() {
        std::fs::write(digests_file(), recorded).unwrap();
    }
}

/// Compares template by template, to say which one differs.
fn same(n: u64, mode: &str, theirs: &str, ours: &str) {
    if theirs == ours {
        return;
    }
    for (theirs, ours) in theirs.split("\n@@").zip(ours.split("\n@@")) {
        assert_eq!(ours, theirs, "group {n} as {mode}: {:?}", theirs.lines().next());
    }
    panic!("group {n} as {mode}: {} bytes, the original has {}", ours.len(), theirs.len());
}
