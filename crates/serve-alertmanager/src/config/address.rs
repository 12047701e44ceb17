//! Web addresses as the configuration takes them: HTTP or HTTPS, with a host.

use ::config::Secret;

/// What a hidden secret reads as; a configuration that was shown can be read again.
const HIDDEN: &str = "<secret>";

/// The original's texts for what is not an address.
pub(super) fn check(text: &str) -> Result<(), String> {
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        Some(("", _)) => return Err(format!("parse {text:?}: missing protocol scheme")),
        _ => (String::new(), text),
    };
    if scheme != "http" && scheme != "https" {
        return Err(format!("unsupported scheme {scheme:?} for URL"));
    }
    let authority = rest.strip_prefix("//").unwrap_or("").split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() {
        return Err("missing host for URL".into());
    }
    Ok(())
}

/// The same for an address that is a secret.
pub(super) fn check_secret(text: &Secret) -> Result<(), String> {
    if text.reveal() == HIDDEN { Ok(()) } else { check(text.reveal()) }
}

fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}
