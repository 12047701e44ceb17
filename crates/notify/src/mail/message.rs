//! The mail itself: headers, then text and HTML as alternatives, in the bytes of the original.

use ring::rand::{SecureRandom, SystemRandom};

use super::headers::line;
use crate::text::hex;

/// Lines of quoted-printable text, the `=` of a soft break included (RFC 2045).
const LINE_CHARS_MAX: usize = 76;

/// Composes the message. `headers` are in the order they are to appear; a part that is `None` is left out.
pub(crate) fn compose(headers: &[(String, String)], text: Option<&str>, html: Option<&str>) -> String {
    let boundary = random(30);
    let mut out: String = headers.iter().map(|(name, value)| line(name, value)).collect();
    out.push_str(&format!("Content-Type: multipart/alternative;  boundary={boundary}\r\n"));
    out.push_str("MIME-Version: 1.0\r\n\r\n");
    // The preferred one comes last (RFC 2046).
    let parts = [("plain", text), ("html", html)];
    let parts = parts.into_iter().filter_map(|(kind, body)| Some((kind, body?)));
    let mut before = "";
    for (kind, body) in parts {
        out.push_str(&format!(
            "{before}--{boundary}\r\nContent-Transfer-Encoding: quoted-printable\r\n\
             Content-Type: text/{kind}; charset=UTF-8\r\n\r\n{}",
            quoted_printable(body)
        ));
        before = "\r\n";
    }
    out.push_str(&format!("\r\n--{boundary}--\r\n"));
    out
}

/// Random bytes in hexadecimal digits.
pub(crate) fn random(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    // Without chance two messages have the same boundary, which does no harm.
    let _ = SystemRandom::new().fill(&mut buffer);
    hex(&buffer)
}

/// RFC 2045: everything but printable ASCII is escaped, and white space at a line's end. Each of `\r\n`, `\n`
/// and `\r` ends a line.
pub(crate) fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for (i, row) in text.replace("\r\n", "\n").split(['\n', '\r']).enumerate() {
        if i > 0 {
            out.push_str("\r\n");
        }
        let (mut width, bytes) = (0, row.as_bytes());
        for (at, byte) in bytes.iter().enumerate() {
            let is_last = at + 1 == bytes.len();
            let plain =
                (b'!'..=b'~').contains(byte) && *byte != b'=' || matches!(byte, b' ' | b'\t') && !is_last;
            let piece = if plain { char::from(*byte).to_string() } else { format!("={byte:02X}") };
            if width + piece.len() > LINE_CHARS_MAX - 1 {
                out.push_str("=\r\n");
                width = 0;
            }
            width += piece.len();
            out.push_str(&piece);
        }
    }
    out
}
