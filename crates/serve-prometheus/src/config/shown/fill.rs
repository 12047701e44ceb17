//! Tree and schema walked together: the values of a section in the order of its fields.

use std::path::Path;

use scrape::config::ByteSize;
use serde_json::{Map, Value};

use super::schema::{Field, Kind};
use super::yaml::Node;

/// Shown in place of secrets.
const SECRET: &str = "<secret>";

/// Keys whose values are secrets in sections that are shown as written.
const SECRET_KEYS: &[&str] = &[
    "password",
    "token",
    "secret_key",
    "auth_token",
    "client_secret",
    "credentials",
    "key_passphrase",
    "application_secret",
    "consumer_key",
    "private_key",
    "service_account_key",
    "application_credential_secret",
    "key",
];

/// A section with all its fields.
pub fn section(fields: &[Field], tree: &Map<String, Value>, directory: &Path) -> Node {
    let mut out = Vec::new();
    add(fields, tree, directory, &mut out);
    Node::Map(out.into_iter().map(|(name, node, _)| (name, node)).collect())
}

/// Name, value, and whether the value says anything (a section of nothing but zeros is left out).
type Row = (String, Node, bool);

fn add(fields: &[Field], tree: &Map<String, Value>, directory: &Path, out: &mut Vec<Row>) {
    for field in fields {
        match field.kind {
            Kind::Embedded(fields) => add(fields, tree, directory, out),
            Kind::Discovery(known) => discovery(known, tree, directory, out),
            _ => out.extend(row(field, tree.get(field.name), directory)),
        }
    }
}

fn row(field: &Field, value: Option<&Value>, directory: &Path) -> Option<Row> {
    let value = value.filter(|v| !v.is_null());
    let list = |map: &dyn Fn(String) -> Node| -> Vec<Node> {
        value.and_then(Value::as_array).into_iter().flatten().map(|v| map(plain(v))).collect()
    };
    let entries = || {
        let mut entries: Vec<(&String, &Value)> =
            value.and_then(Value::as_object).into_iter().flatten().collect();
        entries.sort_by_key(|(name, _)| *name);
        entries
    };
    let texts = |value: &Value, show: fn(String) -> Node| {
        Node::List(value.as_array().into_iter().flatten().map(|v| show(plain(v))).collect())
    };
    let mut text = value.map_or_else(|| field.default.to_owned(), plain);
    let secret = |_| Node::Text(SECRET.into());
    let (node, zero) = match field.kind {
        Kind::Secret => (Node::Text(SECRET.into()), text.is_empty()),
        Kind::Text | Kind::Url | Kind::Path | Kind::Duration | Kind::Size => {
            let zero = text.is_empty();
            match field.kind {
                Kind::Url => text = without_password(&text),
                Kind::Path => text = joined(directory, &text),
                Kind::Duration => {
                    let ms = model::duration::parse(&text).unwrap_or(0);
                    (text, _) = (model::duration::format(ms), ms);
                }
                Kind::Size => text = text.parse().map_or(text, |size: ByteSize| size.to_string()),
                _ => {}
            }
            let zero = zero
                || matches!(field.kind, Kind::Duration if text == "0s")
                || matches!(field.kind, Kind::Size if text == "0B");
            (Node::Text(text), zero)
        }
        Kind::Number => {
            let zero = text.parse::<f64>().unwrap_or(0.0) == 0.0;
            (Node::Raw(if text.is_empty() { "0".into() } else { text }), zero)
        }
        Kind::Bool => {
            let on = text == "true";
            (Node::Raw(on.to_string()), !on)
        }
        Kind::Texts => nodes(list(&Node::Text)),
        Kind::Secrets => nodes(list(&secret)),
        Kind::Paths => nodes(list(&|path| Node::Text(joined(directory, &path)))),
        Kind::Inline => {
            let items: Vec<String> =
                value.and_then(Value::as_array).into_iter().flatten().map(plain).collect();
            let zero = items.is_empty();
            (Node::Inline(items), zero)
        }
        Kind::Map => map(entries().into_iter().map(|(k, v)| (k.clone(), Node::Text(plain(v)))).collect()),
        Kind::MapOfTexts => {
            map(entries().into_iter().map(|(k, v)| (k.clone(), texts(v, Node::Text))).collect())
        }
        Kind::MapOfSecrets => {
            let hidden = |_| Node::Text(SECRET.into());
            map(entries().into_iter().map(|(k, v)| (k.clone(), texts(v, hidden))).collect())
        }
        Kind::MapOf(fields) => {
            let one =
                |v: &Value| v.as_object().map_or(Node::Map(Vec::new()), |v| section(fields, v, directory));
            map(entries().into_iter().map(|(k, v)| (k.clone(), one(v))).collect())
        }
        Kind::Section(fields) | Kind::Optional(fields) => {
            if value.is_none() && matches!(field.kind, Kind::Optional(_)) {
                return None;
            }
            let (none, mut rows) = (Map::new(), Vec::new());
            add(fields, value.and_then(Value::as_object).unwrap_or(&none), directory, &mut rows);
            let zero = matches!(field.kind, Kind::Section(_)) && rows.iter().all(|(_, _, says)| !says);
            (Node::Map(rows.into_iter().map(|(name, node, _)| (name, node)).collect()), zero)
        }
        Kind::List(fields) => {
            let items = value.and_then(Value::as_array).into_iter().flatten();
            let none = Map::new();
            nodes(items.map(|v| section(fields, v.as_object().unwrap_or(&none), directory)).collect())
        }
        Kind::Embedded(_) | Kind::Discovery(_) => return None,
    };
    // A regular expression that was written as the default is left out like one that was not written.
    let default_regex = field.name == "regex" && matches!(&node, Node::Text(text) if text == "(.*)");
    (!default_regex && (!zero || field.always)).then(|| (field.name.to_owned(), node, !zero))
}

fn nodes(items: Vec<Node>) -> (Node, bool) {
    let zero = items.is_empty();
    (Node::List(items), zero)
}

fn map(entries: Vec<(String, Node)>) -> (Node, bool) {
    let zero = entries.is_empty();
    (Node::Map(entries), zero)
}

/// The lists of service discovery, sorted by name.
fn discovery(known: &[Field], tree: &Map<String, Value>, directory: &Path, out: &mut Vec<Row>) {
    let mut names: Vec<&String> =
        tree.keys().filter(|k| k.ends_with("_sd_configs") || *k == "static_configs").collect();
    names.sort();
    for name in names {
        match known.iter().find(|field| field.name == name) {
            Some(field) => out.extend(row(field, tree.get(name), directory)),
            None => out.extend(tree.get(name).map(|v| (name.clone(), as_written(name, v), true))),
        }
    }
}

/// A value as it stands in the file, secrets masked.
fn as_written(name: &str, value: &Value) -> Node {
    match value {
        Value::Object(fields) => {
            Node::Map(fields.iter().map(|(k, v)| (k.clone(), as_written(k, v))).collect())
        }
        Value::Array(items) => Node::List(items.iter().map(|v| as_written(name, v)).collect()),
        Value::String(text) if !text.is_empty() && SECRET_KEYS.contains(&name) => Node::Text(SECRET.into()),
        Value::String(text) => Node::Text(text.clone()),
        other => Node::Raw(other.to_string()),
    }
}

/// The text of a scalar.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `directory/path`, with `.` and `..` worked out as Go's `filepath.Join` does.
fn joined(directory: &Path, path: &str) -> String {
    if path.is_empty() || path.starts_with('/') {
        return path.to_owned();
    }
    let mut out = std::path::PathBuf::new();
    for part in directory.join(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out.display().to_string()
}

/// `http://user:xxxxx@host/`, as Go's `URL.Redacted` writes it.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{scheme}://{user}:xxxxx@{host}{tail}"),
        None => url.to_owned(),
    }
}
