//! Mail headers and addresses that cannot be made to say something else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One header line. Line breaks in the value become spaces, so a value cannot add a header; what is not
/// printable ASCII is sent as an encoded word (RFC 2047).
pub(crate) fn line(name: &str, value: &str) -> String {
    let clean: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.trim();
    if clean.is_ascii() {
        return format!("{}: {clean}\r\n", name_only(name));
    }
    // An encoded word holds at most 75 characters, 45 bytes before encoding.
    let mut words: Vec<String> = Vec::new();
    let mut chunk = String::new();
    for c in clean.chars() {
        if chunk.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    words.push(chunk);
    let words: Vec<String> = words.iter().map(|w| format!("=?utf-8?B?{}?=", STANDARD.encode(w))).collect();
    format!("{}: {}\r\n", name_only(name), words.join("\r\n "))
}

fn name_only(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_graphic() && *c != ':').collect()
}

/// The bare addresses of a list like `Ops <ops@x>, b@y`.
pub(crate) fn addresses(list: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for part in split(list) {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let bare = match (part.rfind('<'), part.strip_suffix('>')) {
            (Some(at), Some(inner)) => inner.get(at + 1..).unwrap_or("").trim(),
            _ => part,
        };
        let is_plain = bare.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"<>,".contains(c));
        if bare.is_empty() || !is_plain || !bare.contains('@') {
            return Err(format!("parse address {part:?}: not a mail address"));
        }
        out.push(bare.to_owned());
    }
    if out.is_empty() { Err("no mail address given".into()) } else { Ok(out) }
}

/// Splits at commas outside quotes.
fn split(list: &str) -> Vec<String> {
    let (mut out, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for c in list.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                out.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    out.push(part);
    out
}
