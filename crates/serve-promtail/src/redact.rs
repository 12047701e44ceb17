//! The configuration as it may be shown.

use config::ConfigError;
use serde_json::Value;

/// Keys whose values nobody needs to see.
const SECRET_KEYS: &[&str] = &["password", "bearer_token", "credentials", "client_secret", "key", "secrets"];

const SHOWN: &str = "<secret>";

/// The text of a file again, without secrets.
pub(crate) fn redact(file: &str, text: &str) -> Result<String, ConfigError> {
    let mut tree: Value = config::parse_tree(file, text)?;
    hide(&mut tree);
    serde_saphyr::to_string(&tree).map_err(|e| ConfigError::new(file, e.to_string()))
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if SECRET_KEYS.contains(&key.as_str()) && !value.is_object() {
                    *value = SHOWN.into();
                } else if let ("url" | "proxy_url", Value::String(url)) = (key.as_str(), &mut *value) {
                    *url = without_password(url);
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// `http://user:password@host` keeps the user only.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_string() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{scheme}://{user}:xxxxx@{host}{path}"),
        None => url.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let text = "clients:\n- url: http://u:geheim@h/p\n  basic_auth: {username: u, password: geheim}\n  bearer_token: geheim\n";
        let shown = redact("f", text).unwrap();
        assert!(!shown.contains("geheim"), "{shown}");
        assert!(shown.contains("http://u:xxxxx@h/p") && shown.contains("username: u"), "{shown}");
    }
}
