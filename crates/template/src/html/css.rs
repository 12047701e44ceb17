//! Values in style sheets.

use super::UNSAFE;

pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || (!c.is_ascii() && c < '\u{fffe}') || c > '\u{ffff}'
}

/// Whether `text` ends with a keyword that is not the tail of a longer word.
pub(super) fn ends_with_keyword(text: &[u8], keyword: &[u8]) -> bool {
    let Some(start) = text.len().checked_sub(keyword.len()) else { return false };
    let (before, last) = text.split_at(start);
    let joined = String::from_utf8_lossy(before).chars().next_back().is_some_and(is_name_char);
    !joined && last.eq_ignore_ascii_case(keyword)
}

/// Resolves `\2f ` and `\/`.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.iter().take(6).take_while(|b| b.is_ascii_hexdigit()).count();
        if digits == 0 {
            // The next character stands for itself. A last backslash stands for nothing.
            let width = String::from_utf8_lossy(rest.get(..rest.len().min(4)).unwrap_or_default())
                .chars()
                .next()
                .map_or(0, |c| if c == char::REPLACEMENT_CHARACTER { 1 } else { c.len_utf8() });
            out.extend_from_slice(rest.get(..width).unwrap_or_default());
            rest = rest.get(width..).unwrap_or_default();
            continue;
        }
        let mut used = digits;
        let mut code =
            rest[..digits].iter().fold(0u32, |n, b| n * 16 + char::from(*b).to_digit(16).unwrap_or(0));
        if code > 0x10ffff {
            code /= 16;
            used -= 1;
        }
        let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[used..];
        // One blank belongs to the escape.
        rest = match rest {
            [b'\r', b'\n', after @ ..] => after,
            [b'\t' | b'\n' | b'\x0c' | b'\r' | b' ', after @ ..] => after,
            rest => rest,
        };
    }
    out.extend_from_slice(rest);
    out
}

/// Text inside a quoted string.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\0' | '\t' | '\n' | '\x0c' | '\r' | '"' | '&' | '\'' | '(' | ')' | '+' | '/' | ':' | ';'
            | '<' | '>' | '{' | '}' => {
                out.push_str(&format!("\\{:x}", c as u32));
                // Without a blank the following digit would be part of the number.
                let joins =
                    |c: &char| c.is_ascii_hexdigit() || matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ');
                if chars.peek().is_none_or(joins) {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// Values outside strings pass when they hold nothing that could end or extend the declaration.
pub(super) fn filter(text: &str) -> String {
    let decoded = String::from_utf8_lossy(&decode(text.as_bytes())).into_owned();
    let bad = |c: char| "\0\"'()/;@[\\]`{}<>".contains(c);
    if decoded.contains(bad) || decoded.contains("--") {
        return UNSAFE.into();
    }
    let mut name: String =
        decoded.chars().filter(|c| c.is_ascii() && is_name_char(*c) && *c != '-').collect();
    name.make_ascii_lowercase();
    if name.contains("expression") || name.contains("mozbinding") {
        return UNSAFE.into();
    }
    decoded
}
