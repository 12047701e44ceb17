//! Cutting texts to what the other side takes, and group keys to what fits into an id.

use std::fmt::Write;

/// Stands at the end of a text that was cut.
const MARK: &str = "…";

/// At most `max` characters; what is cut ends with an ellipsis, unless there is hardly room for one.
pub(crate) fn cut_chars(text: String, max: usize) -> String {
    if text.len() <= max || text.chars().count() <= max {
        return text;
    }
    if max <= 3 {
        return text.chars().take(max).collect();
    }
    text.chars().take(max - 1).collect::<String>() + MARK
}

/// At most `max` bytes, without cutting through a character.
pub(crate) fn cut_bytes(text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    match max {
        0..=2 => ".".repeat(max),
        3 => MARK.into(),
        _ => {
            let mut end = max - MARK.len();
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text[..end].to_owned() + MARK
        }
    }
}

/// The group's key as an id: 64 hexadecimal digits, as other systems limit the length of theirs.
pub(crate) fn group_id(group_key: &str) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, group_key.as_bytes()).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a text cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The pieces between commas that are not empty.
pub(crate) fn comma_list(text: &str) -> Vec<String> {
    text.trim().split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let chars = |text: &str, max| cut_chars(text.to_owned(), max);
        assert_eq!((chars("äöü", 3), chars("äöüß", 3)), ("äöü".into(), "äöü".into()));
        assert_eq!((chars("äöüß", 4), chars("äöüß?", 4)), ("äöüß".into(), "äöü…".into()));
        let bytes = |text: &str, max| cut_bytes(text.to_owned(), max);
        assert_eq!(
            (bytes("abc", 3), bytes("abcd", 3), bytes("abcd", 2)),
            ("abc".into(), "…".into(), "..".into())
        );
        assert_eq!(
            (bytes("ääää", 8), bytes("ääää", 7), bytes("ääää", 6)),
            ("ääää".into(), "ää…".into(), "ä…".into())
        );
    }

    #[test]
    fn ids_and_lists() {
        assert_eq!(group_id(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(comma_list(" a,,b c, "), ["a", "b c"]);
        assert!(comma_list("").is_empty());
    }
}
