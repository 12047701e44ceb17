//! Values in URLs.

use super::UNSAFE;

/// Whether the URL's scheme, if it has one, cannot run anything.
fn is_safe(url: &str) -> bool {
    match url.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => {
            ["http", "https", "mailto"].iter().any(|ok| scheme.eq_ignore_ascii_case(ok))
        }
        _ => true,
    }
}

/// A value at the start of a URL.
pub(super) fn filter(url: &str) -> String {
    if is_safe(url) { url.to_owned() } else { format!("#{UNSAFE}") }
}

/// Percent-encodes; a value that is a whole URL (`normalize`) keeps what structures it.
pub(super) fn encode(text: &str, normalize: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    for (i, byte) in bytes.iter().copied().enumerate() {
        let is_escape = || {
            let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
            byte == b'%' && hex(i + 1) && hex(i + 2)
        };
        let keep = byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || (normalize && (b"!#$&*+,/:;=?@[]".contains(&byte) || is_escape()));
        if keep {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

/// The value of `srcset`: candidates between commas, each a URL and a width.
pub(super) fn srcset(text: &str) -> String {
    let candidates: Vec<String> = text.split(',').map(candidate).collect();
    candidates.join(",")
}

fn candidate(text: &str) -> String {
    let is_blank = |c: char| matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ');
    let start = text.len() - text.trim_start_matches(is_blank).len();
    let end = text[start..].find(is_blank).map_or(text.len(), |at| start + at);
    let (url, description) = (&text[start..end], &text[end..]);
    if is_safe(url) && description.chars().all(|c| is_blank(c) || c.is_ascii_alphanumeric()) {
        return format!("{}{}{description}", &text[..start], encode(url, true));
    }
    format!("#{UNSAFE}")
}
