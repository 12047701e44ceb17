//! The configuration as the API shows it: what was written in the original's order, what was not with its
//! default or the global setting, secrets hidden. Command-line clients read this text back, and people
//! compare it with the original's, so it is the same text.

mod interval;
mod kinds;
mod schema;
mod yaml;

use std::path::Path;

use ::config::Duration;
use serde_json::{Map, Value as Json, json};

pub(crate) use yaml::yaml;

use interval::named_interval;
use kinds::KINDS;
use schema::{Field, GLOBAL, Show};

/// What stands in place of a secret.
const HIDDEN: &str = "<secret>";

/// Completes what was `written`. `matchers` sorts and formats a list of them; relative files are shown from `dir`.
pub(crate) fn complete(written: &Json, dir: &Path, matchers: &dyn Fn(&[String]) -> Vec<String>) -> Json {
    let shown = Shown { dir, matchers };
    let empty = Map::new();
    let written = written.as_object().unwrap_or(&empty);
    let global = written.get("global").and_then(Json::as_object).unwrap_or(&empty);
    let list = |key: &str| written.get(key).and_then(Json::as_array).filter(|list| !list.is_empty());
    let mut out = Map::new();
    out.insert("global".into(), Json::Object(shown.section(GLOBAL, &bearer(global), &empty)));
    if let Some(route) = written.get("route").and_then(Json::as_object) {
        out.insert("route".into(), shown.route(route));
    }
    if let Some(rules) = list("inhibit_rules") {
        out.insert("inhibit_rules".into(), rules.iter().map(|rule| shown.inhibit_rule(rule)).collect());
    }
    if let Some(receivers) = list("receivers") {
        out.insert("receivers".into(), receivers.iter().map(|r| shown.receiver(r, global)).collect());
    }
    let templates = list("templates").into_iter().flatten();
    out.insert("templates".into(), templates.map(|path| shown.file(path)).collect());
    for key in ["mute_time_intervals", "time_intervals"] {
        if let Some(intervals) = list(key) {
            out.insert(key.into(), intervals.iter().map(named_interval).collect());
        }
    }
    if let Some(tracing) = written.get("tracing").filter(|value| !is_zero(value)) {
        out.insert("tracing".into(), tracing.clone());
    }
    Json::Object(out)
}

struct Shown<'a> {
    dir: &'a Path,
    matchers: &'a dyn Fn(&[String]) -> Vec<String>,
}

impl Shown<'_> {
    fn section(
        &self,
        fields: &[Field],
        written: &Map<String, Json>,
        global: &Map<String, Json>,
    ) -> Map<String, Json> {
        let mut out = Map::new();
        for field in fields {
            let value = given(written, field.key)
                .cloned()
                .or_else(|| inherited(field, written, global))
                .or_else(|| serde_json::from_str(field.or).ok());
            let value = match value {
                Some(value) => self.value(field, value),
                None if field.always => Json::from(""),
                None => continue,
            };
            let is_span = matches!(field.show, Show::Span | Show::GoSpan);
            // Whether a field is short is told apart from nothing being said about it.
            let says = field.key == "short" || !(is_zero(&value) || (is_span && value == "0s"));
            if field.always || says {
                out.insert(field.key.into(), value);
            }
        }
        out
    }

    fn value(&self, field: &Field, value: Json) -> Json {
        let empty = Map::new();
        match field.show {
            Show::Text => text(&value),
            Show::Plain => switch(value),
            Show::Secret if is_zero(&value) => Json::from(""),
            Show::Secret => Json::from(HIDDEN),
            Show::Span => text(&value)
                .as_str()
                .and_then(|t| t.parse::<Duration>().ok())
                .map_or(value, |d| json!(d.to_string())),
            Show::GoSpan => json!(go_span(text(&value).as_str().unwrap_or(""))),
            Show::Address => json!(without_password(text(&value).as_str().unwrap_or(""))),
            Show::File => self.file(&value),
            Show::Map => sorted(&value),
            Show::Texts => value.as_array().into_iter().flatten().map(text).collect(),
            Show::Secrets => value.as_array().into_iter().flatten().map(|_| Json::from(HIDDEN)).collect(),
            Show::SecretLists => {
                let Json::Object(map) = sorted_any(&value) else { return Json::Null };
                let hidden = |values: Json| {
                    values.as_array().into_iter().flatten().map(|_| Json::from(HIDDEN)).collect()
                };
                Json::Object(map.into_iter().map(|(name, values)| (name, hidden(values))).collect())
            }
            Show::Files => value.as_array().into_iter().flatten().map(|path| self.file(path)).collect(),
            Show::Section(fields) => match &value {
                Json::Object(map) => {
                    let shown = self.section(fields, &bearer(map), &empty);
                    // A TLS section that says nothing is none, unless it has its place.
                    let says = shown.values().any(|value| !is_zero(value));
                    let optional = field.key == "tls_config" && !field.always;
                    if optional && !says { Json::Null } else { Json::Object(shown) }
                }
                // A section that may be written as its first key alone.
                other => fields.first().map_or(Json::Null, |first| json!({ first.key: text(other) })),
            },
            Show::List(fields) => {
                let items = value.as_array().into_iter().flatten().filter_map(Json::as_object);
                items.map(|item| Json::Object(self.section(fields, item, &empty))).collect()
            }
            Show::Named(fields) => {
                let Json::Object(map) = sorted_any(&value) else { return Json::Null };
                let named = map.into_iter().map(|(name, section)| {
                    let section = section.as_object().cloned().unwrap_or_default();
                    (name, Json::Object(self.section(fields, &section, &empty)))
                });
                Json::Object(named.collect())
            }
        }
    }

    /// Relative files belong to the configuration's directory.
    fn file(&self, path: &Json) -> Json {
        let path = text(path);
        let path = path.as_str().unwrap_or("");
        if path.is_empty() || path.starts_with('/') {
            return json!(path);
        }
        let joined = self.dir.join(path.trim_start_matches("./"));
        let joined = joined.display().to_string();
        json!(joined.strip_prefix("./").unwrap_or(&joined))
    }

    fn matchers(&self, value: Option<&Json>) -> Json {
        let texts: Vec<String> =
            value.and_then(Json::as_array).into_iter().flatten().map(plain_text).collect();
        json!((self.matchers)(&texts))
    }

    fn route(&self, route: &Map<String, Json>) -> Json {
        let mut out = Map::new();
        let mut put = |key: &str, value: Json, always: bool| {
            if always || !is_zero(&value) {
                out.insert(key.into(), value);
            }
        };
        let texts = |key: &str| {
            route.get(key).and_then(Json::as_array).into_iter().flatten().map(text).collect::<Json>()
        };
        put("receiver", text(route.get("receiver").unwrap_or(&Json::Null)), false);
        put("group_by", texts("group_by"), false);
        put("match", sorted(route.get("match").unwrap_or(&Json::Null)), false);
        put("match_re", sorted(route.get("match_re").unwrap_or(&Json::Null)), false);
        put("matchers", self.matchers(route.get("matchers")), false);
        put("mute_time_intervals", texts("mute_time_intervals"), false);
        put("active_time_intervals", texts("active_time_intervals"), false);
        put("continue", switch(route.get("continue").cloned().unwrap_or(json!(false))), true);
        let below =
            route.get("routes").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object);
        put("routes", below.map(|route| self.route(route)).collect(), false);
        for key in ["group_wait", "group_interval", "repeat_interval"] {
            if let Some(span) = given(route, key) {
                let span = plain_text(span);
                put(key, json!(span.parse::<Duration>().map_or(span, |d| d.to_string())), true);
            }
        }
        put("labels", sorted(route.get("labels").unwrap_or(&Json::Null)), false);
        Json::Object(out)
    }

    fn inhibit_rule(&self, rule: &Json) -> Json {
        let mut out = Map::new();
        let empty = Map::new();
        let rule = rule.as_object().unwrap_or(&empty);
        for key in [
            "name",
            "source_match",
            "source_match_re",
            "source_matchers",
            "target_match",
            "target_match_re",
            "target_matchers",
            "equal",
        ] {
            let value = match rule.get(key) {
                Some(value) if key.ends_with("matchers") => self.matchers(Some(value)),
                Some(Json::Array(items)) => items.iter().map(text).collect(),
                Some(Json::Object(map)) => sorted(&Json::Object(map.clone())),
                Some(value) => text(value),
                None => continue,
            };
            if !is_zero(&value) {
                out.insert(key.into(), value);
            }
        }
        Json::Object(out)
    }

    fn receiver(&self, receiver: &Json, global: &Map<String, Json>) -> Json {
        let empty = Map::new();
        let receiver = receiver.as_object().unwrap_or(&empty);
        let name = text(receiver.get("name").unwrap_or(&Json::Null));
        let mut labels = receiver.get("labels").and_then(Json::as_object).cloned().unwrap_or_default();
        labels.insert("name".into(), name.clone());
        let mut out = Map::new();
        out.insert("name".into(), name);
        out.insert("labels".into(), sorted(&Json::Object(labels)));
        for (kind, fields) in KINDS {
            let entries = receiver.get(kind).and_then(Json::as_array).into_iter().flatten();
            let shown: Vec<Json> = entries
                .map(|entry| {
                    let mut entry = entry.as_object().cloned().unwrap_or_default();
                    adjust(kind, &mut entry, global);
                    Json::Object(self.section(fields, &entry, global))
                })
                .collect();
            if !shown.is_empty() {
                out.insert(kind.into(), Json::Array(shown));
            }
        }
        Json::Object(out)
    }
}

/// What a kind of receiver does to its entries besides taking over global settings.
fn adjust(kind: &str, entry: &mut Map<String, Json>, global: &Map<String, Json>) {
    match kind {
        "slack_configs" => {
            let own =
                ["api_url", "app_token", "app_token_file"].iter().any(|key| given(entry, key).is_some());
            let authorized = entry.get("http_config").and_then(|http| http.get("authorization")).is_some();
            if !own && !authorized {
                for (key, from) in
                    [("app_token", "slack_app_token"), ("app_token_file", "slack_app_token_file")]
                {
                    if let Some(value) = given(global, from) {
                        entry.insert(key.into(), value.clone());
                    }
                }
            }
            let token = given(entry, "app_token").cloned();
            let file = given(entry, "app_token_file").cloned();
            if token.is_some() || file.is_some() {
                let http = given(entry, "http_config").or_else(|| given(global, "http_config")).cloned();
                let mut http = http.and_then(|http| http.as_object().cloned()).unwrap_or_default();
                http.insert("authorization".into(), json!({"credentials": token, "credentials_file": file}));
                entry.insert("http_config".into(), Json::Object(http));
                entry.insert("api_url".into(), json!(HIDDEN));
            }
            // An action with an address is no message action.
            for action in entry.get_mut("actions").and_then(Json::as_array_mut).into_iter().flatten() {
                let Some(action) = action.as_object_mut() else { continue };
                if given(action, "url").is_some_and(|url| !is_zero(url)) {
                    action.retain(|key, _| !matches!(key.as_str(), "name" | "value" | "confirm"));
                }
            }
        }
        "email_configs" => {
            let mut headers = Map::new();
            for (name, value) in entry.get("headers").and_then(Json::as_object).into_iter().flatten() {
                headers.insert(canonical_header(name), value.clone());
            }
            let from = given(entry, "from").or_else(|| given(global, "smtp_from"));
            let subject = json!("{{ template \"email.default.subject\" . }}");
            for (name, value) in
                [("From", from.cloned()), ("To", given(entry, "to").cloned()), ("Subject", Some(subject))]
            {
                if let Some(value) = value.filter(|_| !headers.contains_key(name)) {
                    headers.insert(name.into(), value);
                }
            }
            entry.insert("headers".into(), Json::Object(headers));
        }
        "pagerduty_configs" => {
            let mut details = entry.get("details").and_then(Json::as_object).cloned().unwrap_or_default();
            for (name, text) in [
                ("firing", "{{ .Alerts.Firing | toJson }}"),
                ("resolved", "{{ .Alerts.Resolved | toJson }}"),
                ("num_firing", "{{ .Alerts.Firing | len }}"),
                ("num_resolved", "{{ .Alerts.Resolved | len }}"),
            ] {
                if !details.contains_key(name) {
                    details.insert(name.into(), json!(text));
                }
            }
            entry.insert("details".into(), Json::Object(details));
            if given(entry, "source").is_none_or(is_zero) {
                let client = given(entry, "client").cloned();
                let client = client.unwrap_or(json!("{{ template \"pagerduty.default.client\" . }}"));
                entry.insert("source".into(), client);
            }
        }
        "opsgenie_configs" | "victorops_configs" | "wechat_configs" => {
            let from = format!("{}_api_url", kind.trim_end_matches("_configs"));
            let url = given(entry, "api_url").or_else(|| given(global, &from)).map(plain_text);
            if let Some(url) = url.filter(|url| !url.ends_with('/') && !url.contains(['?', '#'])) {
                entry.insert("api_url".into(), json!(url + "/"));
            }
        }
        _ => {}
    }
}

/// A bearer token is shown as the authorization it is.
fn bearer(section: &Map<String, Json>) -> Map<String, Json> {
    let mut out = section.clone();
    let token = out.remove("bearer_token");
    let file = out.remove("bearer_token_file");
    if token.is_some() || file.is_some() {
        out.insert("authorization".into(), json!({"credentials": token, "credentials_file": file}));
    }
    out
}

fn given<'a>(section: &'a Map<String, Json>, key: &str) -> Option<&'a Json> {
    section.get(key).filter(|value| !value.is_null())
}

/// The global setting for a key, unless the entry has this key or the file that goes with it.
fn inherited(field: &Field, entry: &Map<String, Json>, global: &Map<String, Json>) -> Option<Json> {
    if field.global.is_empty() {
        return None;
    }
    let base = field.key.strip_suffix("_file").unwrap_or(field.key);
    if given(entry, base).is_some() || given(entry, &format!("{base}_file")).is_some() {
        return None;
    }
    let default = || {
        let field = GLOBAL.iter().find(|known| known.key == field.global)?;
        serde_json::from_str(field.or).ok()
    };
    given(global, field.global).cloned().or_else(default)
}

fn is_zero(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(b) => !b,
        Json::Number(n) => n.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
    }
}

fn plain_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

fn text(value: &Json) -> Json {
    Json::String(plain_text(value))
}

/// Words for switches as older YAML has them.
fn switch(value: Json) -> Json {
    match value.as_str() {
        Some("yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y") => json!(true),
        Some("no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N") => json!(false),
        _ => value,
    }
}

/// Names and texts by name.
fn sorted(value: &Json) -> Json {
    match sorted_any(value) {
        Json::Object(map) => {
            Json::Object(map.into_iter().map(|(name, value)| (name, text(&value))).collect())
        }
        _ => Json::Null,
    }
}

fn sorted_any(value: &Json) -> Json {
    let Some(map) = value.as_object() else { return Json::Null };
    let mut entries: Vec<(String, Json)> =
        map.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Json::Object(entries.into_iter().collect())
}

/// `content-type` as `Content-Type`.
fn canonical_header(name: &str) -> String {
    let mut starts = true;
    let letter = |c: char| {
        let shown = if starts { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        starts = c == '-';
        shown
    };
    name.chars().map(letter).collect()
}

/// Go's notation for a span that was written in it: units from hours down, `1m0s`.
fn go_span(text: &str) -> String {
    let Some(ms) = text.parse::<Duration>().ok().map(Duration::as_ms) else { return text.to_owned() };
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let seconds = ms % 60_000;
    let part = match seconds % 1000 {
        0 => format!("{}s", seconds / 1000),
        _ if ms < 1000 => return format!("{ms}ms"),
        rest => format!("{}.{}s", seconds / 1000, format!("{rest:03}").trim_end_matches('0')),
    };
    match (hours, minutes) {
        (0, 0) => part,
        (0, minutes) => format!("{minutes}m{part}"),
        (hours, minutes) => format!("{hours}h{minutes}m{part}"),
    }
}

/// `http://user:xxxxx@host/`
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => {
            let user = user.split(':').next().unwrap_or("");
            format!("{scheme}://{user}:xxxxx@{host}{path}")
        }
        _ => url.to_owned(),
    }
}
