//! Terminal colour sequences, for `decolorize`.

/// The text without escape sequences; `None` when there are none.
pub(super) fn strip(line: &str) -> Option<String> {
    if !line.contains(['\u{1b}', '\u{9b}']) {
        return None;
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}']) {
        out.push_str(&rest[..at]);
        let after = &rest[at..];
        match sequence_length(after) {
            Some(length) => rest = &after[length..],
            None => {
                let first = after.chars().next().map_or(1, char::len_utf8);
                out.push_str(&after[..first]);
                rest = &after[first..];
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

/// Length of the control sequence (`ESC [ parameters letter`) at the start of `text`.
fn sequence_length(text: &str) -> Option<usize> {
    let introducer = if text.starts_with("\u{1b}[") { 2 } else { '\u{9b}'.len_utf8() };
    if !text.starts_with("\u{1b}[") && !text.starts_with('\u{9b}') {
        return None;
    }
    let body = text.get(introducer..)?;
    let parameters =
        body.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b':' | b'?' | b' ')).count();
    let last = body.as_bytes().get(parameters)?;
    (0x40..=0x7e).contains(last).then_some(introducer + parameters + 1)
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn colours_go_and_text_stays() {
        assert_eq!(strip("\u{1b}[31;1mred\u{1b}[0m µ").as_deref(), Some("red µ"));
        assert_eq!(strip("plain"), None);
        assert_eq!(strip("lone \u{1b} escape").as_deref(), Some("lone \u{1b} escape"));
        assert_eq!(strip("cut \u{1b}[3").as_deref(), Some("cut \u{1b}[3"));
    }
}
