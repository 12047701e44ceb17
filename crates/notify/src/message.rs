//! The mail itself: headers, then text and HTML as alternatives.

use std::hash::{BuildHasher, Hasher};

use crate::headers::line;

/// Composes the message. `headers` are in the order they are to appear; the parts may be empty.
pub(crate) fn compose(headers: &[(String, String)], text: &str, html: &str) -> String {
    let boundary = format!("=_{}", unique());
    let mut out = String::new();
    for (name, value) in headers {
        out.push_str(&line(name, value));
    }
    out.push_str("MIME-Version: 1.0\r\n");
    out.push_str(&format!("Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n"));
    for (kind, body) in [("plain", text), ("html", html)] {
        if !body.is_empty() {
            out.push_str(&format!(
                "--{boundary}\r\nContent-Transfer-Encoding: quoted-printable\r\n\
                 Content-Type: text/{kind}; charset=UTF-8\r\n\r\n{}\r\n",
                quoted_printable(body)
            ));
        }
    }
    out.push_str(&format!("--{boundary}--\r\n"));
    out
}

/// Something no other message has.
pub(crate) fn unique() -> String {
    let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// RFC 2045: lines of at most 76 characters, everything but printable ASCII escaped.
fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for (i, row) in text.replace("\r\n", "\n").split('\n').enumerate() {
        if i > 0 {
            out.push_str("\r\n");
        }
        let (mut width, bytes) = (0, row.as_bytes());
        for (at, byte) in bytes.iter().enumerate() {
            let is_last = at + 1 == bytes.len();
            let plain =
                (b'!'..=b'~').contains(byte) && *byte != b'=' || matches!(byte, b' ' | b'\t') && !is_last;
            let piece = if plain { char::from(*byte).to_string() } else { format!("={byte:02X}") };
            if width + piece.len() > 75 {
                out.push_str("=\r\n");
                width = 0;
            }
            width += piece.len();
            out.push_str(&piece);
        }
    }
    out
}
