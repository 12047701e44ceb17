//! Addresses of services: what is accepted in a configuration, and how paths and queries are put onto one.

use std::fmt::Write;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An `http` or `https` URL that is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Fails with the original's texts.
    pub fn new(text: impl Into<String>) -> Result<Address, String> {
        let text = text.into();
        check_url(&text)?;
        Ok(Address(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes the path end with a slash, so that more can be put after it.
    pub fn end_with_slash(&mut self) {
        let (path, rest) = self.split();
        if !path.ends_with('/') {
            self.0 = format!("{path}/{rest}");
        }
    }

    /// Puts `more`, not yet escaped, right after the path.
    pub(crate) fn append(&self, more: &str, query: &[(&str, &str)]) -> String {
        let (path, rest) = self.split();
        let mut url = format!("{path}{}", escape_path(more));
        let own = rest.split('#').next().unwrap_or("").trim_start_matches('?');
        let added = form(query);
        let parts: Vec<&str> = [own, &added].into_iter().filter(|part| !part.is_empty()).collect();
        if !parts.is_empty() {
            url = format!("{url}?{}", parts.join("&"));
        }
        url
    }

    /// Puts `more` after the path with exactly one slash between them.
    pub(crate) fn join(&self, more: &str) -> String {
        let (path, rest) = self.split();
        format!("{}/{}{rest}", path.trim_end_matches('/'), escape_path(more.trim_start_matches('/')))
    }

    /// Host (with port) and path.
    pub(crate) fn host_and_path(&self) -> (&str, &str) {
        let (path, _) = self.split();
        let after = path.split_once("://").map_or("", |(_, after)| after);
        let at = after.find('/').unwrap_or(after.len());
        let host = &after[..at];
        (host.rsplit_once('@').map_or(host, |(_, host)| host), &after[at..])
    }

    /// Everything up to the path's end, and the query and fragment.
    fn split(&self) -> (&str, &str) {
        self.0.split_at(self.0.find(['?', '#']).unwrap_or(self.0.len()))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Address, D::Error> {
        Address::new(String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

/// What the original demands of a URL. The error does not repeat it: it may be a secret.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    if url.chars().any(|c| c.is_ascii_control()) {
        return Err("net/url: invalid control character in URL".into());
    }
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = match url.split_once(':') {
        Some(("", _)) => return Err("missing protocol scheme".into()),
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), url),
    };
    if scheme != "http" && scheme != "https" {
        return Err(format!("unsupported scheme {scheme:?} for URL"));
    }
    let host = rest.strip_prefix("//").unwrap_or("").split(['/', '?', '#']).next().unwrap_or("");
    if host.rsplit('@').next().unwrap_or("").is_empty() {
        return Err("missing host for URL".into());
    }
    Ok(())
}

/// Percent-encodes what must not stand in a path.
fn escape_path(text: &str) -> String {
    escape(text, |byte| b"$&+,/:;=@".contains(&byte), "%20")
}

/// `a=1&b=2`, sorted by key.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let mut fields = fields.to_vec();
    fields.sort_by_key(|(name, _)| *name);
    let encode = |text: &str| escape(text, |_| false, "+");
    let pairs: Vec<String> = fields.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    pairs.join("&")
}

fn escape(text: &str, also_plain: impl Fn(u8) -> bool, space: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || also_plain(byte) {
            out.push(char::from(byte));
        } else if byte == b' ' {
            out.push_str(space);
        } else {
            // Writing to a text cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        let check = |url: &str, expected: Result<(), &str>| {
            assert_eq!(check_url(url), expected.map_err(str::to_owned), "{url}");
        };
        check("http://host", Ok(()));
        check("HTTPS://user:pass@host:1/path?q#f", Ok(()));
        check("host/path", Err("unsupported scheme \"\" for URL"));
        check("ftp://host", Err("unsupported scheme \"ftp\" for URL"));
        check("http:host", Err("missing host for URL"));
        check("http://user@/path", Err("missing host for URL"));
        check("://host", Err("missing protocol scheme"));
        check("http://ho\nst", Err("net/url: invalid control character in URL"));
    }

    #[test]
    fn paths_and_queries_are_put_on() {
        let address = |url: &str| Address::new(url).unwrap();
        let mut slash = address("http://h/p?q=1");
        slash.end_with_slash();
        slash.end_with_slash();
        assert_eq!(slash.as_str(), "http://h/p/?q=1");
        assert_eq!(
            slash.append("a b/ü!", &[("z", "&"), ("a", "1 2")]),
            "http://h/p/a%20b/%C3%BC%21?q=1&a=1+2&z=%26"
        );
        assert_eq!(address("http://h").join("/search"), "http://h/search");
        assert_eq!(address("http://h/v2/?q=1").join("issue/A-1"), "http://h/v2/issue/A-1?q=1");
        assert_eq!(address("http://u:p@h:1/v/3/?q").host_and_path(), ("h:1", "/v/3/"));
        assert_eq!(address("http://h").host_and_path(), ("h", ""));
    }
}
