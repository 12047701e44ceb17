//! Values in text and attributes.

use super::UNSAFE;
use super::attribute::{Content, content};
use super::context::{Context, Delim, Element, State};
use super::transition;

/// What kind of text a value is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Trust {
    Plain,
    Html,
    Url,
}

/// For text between tags and quoted attributes. `references` says whether the text already has character
/// references, whose ampersands must stay.
pub(super) fn escape(text: &str, references: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.push(char::REPLACEMENT_CHARACTER),
            '"' => out.push_str("&#34;"),
            '&' if !references => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '+' => out.push_str("&#43;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// For attributes without quotes, where blanks and more would end the value.
pub(super) fn escape_unquoted(text: &str, trust: Trust) -> String {
    if text.is_empty() {
        return UNSAFE.into();
    }
    let html = trust == Trust::Html;
    let stripped;
    let text = if html {
        stripped = strip_tags(text);
        &stripped
    } else {
        text
    };
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.push_str("&#xfffd;"),
            '&' if !html => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ' | '"' | '\'' | '+' | '=' | '`' => {
                out.push_str(&format!("&#{};", c as u32));
            }
            '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{ffff}' => out.push_str(&format!("&#x{:x};", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// For quoted attributes; of trusted HTML only the text remains.
pub(super) fn escape_attribute(text: &str, trust: Trust) -> String {
    match trust {
        Trust::Html => escape(&strip_tags(text), true),
        _ => escape(text, false),
    }
}

/// The text of a piece of HTML.
fn strip_tags(html: &str) -> String {
    let (text, mut c, mut i) = (html.as_bytes(), Context::default(), 0);
    let (mut out, mut all_text) = (Vec::with_capacity(text.len()), true);
    while i < text.len() {
        let rest = text.get(i..).unwrap_or_default();
        let ends: &[u8] = match c.delim {
            Delim::None => {
                let mut seen = c.clone();
                if c.element != Element::None && !c.state.is_in_tag() {
                    seen.state = State::RCDATA;
                }
                let (next, read) = transition::step(&seen, rest);
                if matches!(c.state, State::Text | State::RCDATA) {
                    let read = rest.get(..read).unwrap_or(rest);
                    // The tag that begins here is no text.
                    let tag =
                        (next.state != c.state).then(|| read.iter().rposition(|b| *b == b'<')).flatten();
                    out.extend_from_slice(read.get(..tag.unwrap_or(read.len())).unwrap_or_default());
                } else {
                    all_text = false;
                }
                let stuck = read == 0 && next.state == c.state;
                i += if stuck { 1 } else { read };
                c = next;
                continue;
            }
            Delim::DoubleQuote => b"\"",
            Delim::SingleQuote => b"'",
            Delim::SpaceOrTagEnd => b" \t\n\x0c\r>",
        };
        let Some(end) = rest.iter().position(|b| ends.contains(b)) else { break };
        i += end + usize::from(c.delim != Delim::SpaceOrTagEnd);
        c = Context { state: State::Tag, element: c.element, ..Context::default() };
    }
    if all_text {
        return html.to_owned();
    }
    if matches!(c.state, State::Text | State::RCDATA) {
        out.extend_from_slice(text.get(i..).unwrap_or_default());
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A value that is an attribute's name, or part of one.
pub(super) fn filter_name(text: &str) -> String {
    let name = text.to_lowercase();
    let plain = name.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase());
    if name.is_empty() || !plain || content(&name) != Content::Plain { UNSAFE.into() } else { name }
}
