//! Mail headers and addresses that cannot be made to say something else.

/// The longest encoded word, without `=?utf-8?q?` and `?=` (RFC 2047).
const WORD_CHARS_MAX: usize = 75 - 12;

/// One header line. What is not printable ASCII, line breaks among it, is sent as encoded words: a value cannot
/// add a header.
pub(crate) fn line(name: &str, value: &str) -> String {
    format!("{}: {}\r\n", name_only(name), encoded(value))
}

/// The "Q" encoding of RFC 2047, where it is needed.
fn encoded(value: &str) -> String {
    if value.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t') {
        return value.to_owned();
    }
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in value.chars() {
        let piece = match c {
            ' ' => "_".to_owned(),
            '!'..='~' if !"=?_".contains(c) => c.to_string(),
            _ => c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("={byte:02X}")).collect(),
        };
        if word.len() + piece.len() > WORD_CHARS_MAX {
            words.push(std::mem::take(&mut word));
        }
        word.push_str(&piece);
    }
    words.push(word);
    words.iter().map(|word| format!("=?utf-8?q?{word}?=")).collect::<Vec<_>>().join(" ")
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
