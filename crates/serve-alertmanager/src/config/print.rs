//! The configuration as the API shows it: in the original's order, global defaults filled in, secrets
//! hidden. Command-line clients read this text back, so it must be a valid configuration.

use serde_json::{Map, Value as Json, json};

use super::Config;

/// What stands in place of a secret.
const HIDDEN: &str = "<secret>";

/// Keys whose values are secret wherever they stand.
const SECRET_KEYS: [&str; 31] = [
    "password",
    "credentials",
    "bearer_token",
    "client_secret",
    "auth_password",
    "auth_secret",
    "smtp_auth_password",
    "smtp_auth_secret",
    "slack_api_url",
    "slack_app_token",
    "app_token",
    "opsgenie_api_key",
    "victorops_api_key",
    "wechat_api_secret",
    "telegram_bot_token",
    "rocketchat_token",
    "rocketchat_token_id",
    "mattermost_webhook_url",
    "api_key",
    "api_secret",
    "routing_key",
    "service_key",
    "bot_token",
    "user_key",
    "webhook_url",
    "key",
    "token",
    "token_id",
    "alert_source_token",
    "secret_key",
    "client_certificate_key",
];

/// Keys that are secret only inside these sections.
const SECRET_IN: [(&str, &str); 3] =
    [("webhook_configs", "url"), ("slack_configs", "api_url"), ("http_headers", "secrets")];

/// The order of the top level.
const ORDER: [&str; 7] =
    ["global", "route", "inhibit_rules", "receivers", "templates", "mute_time_intervals", "time_intervals"];

/// What was written plus the defaults that matter to a reader, without secrets.
pub(crate) fn complete(written: Json, config: &Config) -> Json {
    let mut written = match written {
        Json::Object(map) => map,
        _ => Map::new(),
    };
    let mut global = json!({
        "resolve_timeout": "5m",
        "http_config": {"follow_redirects": true, "enable_http2": true},
        "smtp_hello": "localhost",
        "smtp_require_tls": true,
        "slack_app_url": "https://slack.com/api/chat.postMessage",
    });
    if let (Some(Json::Object(own)), Json::Object(global)) = (written.get("global"), &mut global) {
        for (key, value) in own {
            global.insert(key.clone(), value.clone());
        }
    }
    written.insert("global".into(), global);
    if let Some(Json::Array(receivers)) = written.get_mut("receivers") {
        for (shown, receiver) in receivers.iter_mut().zip(config.receivers()) {
            if let Json::Object(map) = shown {
                map.insert("labels".into(), json!(receiver.shown_labels()));
            }
        }
    }
    if written.get("templates").is_none_or(Json::is_null) {
        written.insert("templates".into(), json!([]));
    }
    let mut out = Map::new();
    for key in ORDER {
        if let Some(value) = written.get(key).filter(|v| !v.is_null()) {
            out.insert(key.into(), hide(value.clone(), key));
        }
    }
    Json::Object(out)
}

fn hide(value: Json, section: &str) -> Json {
    match value {
        Json::Object(map) => {
            let mut out = Map::new();
            for (key, value) in map {
                let secret = SECRET_KEYS.contains(&key.as_str())
                    || SECRET_IN.iter().any(|(s, k)| *s == section && *k == key);
                let is_plain = matches!(value, Json::String(_) | Json::Number(_) | Json::Bool(_));
                let shown = match value {
                    _ if secret && is_plain => Json::from(HIDDEN),
                    Json::Array(items) if secret => items.iter().map(|_| Json::from(HIDDEN)).collect(),
                    // Header names are free: their section stays known one level down.
                    value if section == "http_headers" => hide(value, section),
                    value => hide(value, &key),
                };
                out.insert(key, shown);
            }
            Json::Object(out)
        }
        Json::Array(items) => items.into_iter().map(|item| hide(item, section)).collect(),
        plain => plain,
    }
}

/// Block-style YAML.
pub(crate) fn yaml(value: &Json) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Json, indent: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    match value {
        Json::Object(map) => {
            for (key, value) in map {
                out.push_str(&format!("{pad}{}:", scalar(&Json::from(key.as_str()))));
                nested(value, indent, out);
            }
        }
        Json::Array(items) => {
            for item in items {
                if item.is_object() && item.as_object().is_some_and(|map| !map.is_empty()) {
                    let mut inner = String::new();
                    block(item, indent + 1, &mut inner);
                    // The first key shares the line with the dash.
                    let inner = inner.trim_start();
                    out.push_str(&format!("{pad}- {inner}"));
                } else {
                    out.push_str(&format!("{pad}-"));
                    nested(item, indent, out);
                }
            }
        }
        plain => out.push_str(&format!("{pad}{}\n", scalar(plain))),
    }
}

fn nested(value: &Json, indent: usize, out: &mut String) {
    match value {
        Json::Object(map) if map.is_empty() => out.push_str(" {}\n"),
        Json::Array(items) if items.is_empty() => out.push_str(" []\n"),
        // Lists stand at the indentation of their key.
        Json::Array(_) => {
            out.push('\n');
            block(value, indent, out);
        }
        Json::Object(_) => {
            out.push('\n');
            block(value, indent + 1, out);
        }
        plain => out.push_str(&format!(" {}\n", scalar(plain))),
    }
}

/// A scalar, quoted unless it can only be read as the text it is.
fn scalar(value: &Json) -> String {
    let Json::String(text) = value else {
        return value.to_string();
    };
    // Words like `on` are written plainly: a reader takes them as the text or the switch they were.
    let words = ["true", "false", "null", "nan", "inf"];
    let plain_chars = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '<' | '>'));
    let starts_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '<');
    // `5m` is a text; `5`, `1e3` and `0x1f` would be numbers.
    let is_duration = !text.contains(['x', 'e', '_'])
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(['s', 'm', 'h', 'd', 'w', 'y']);
    let plain = plain_chars && !words.contains(&text.to_ascii_lowercase().as_str());
    if plain && (starts_plain || is_duration) { text.clone() } else { value.to_string() }
}
