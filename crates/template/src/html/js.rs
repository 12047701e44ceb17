//! Values in scripts.

use super::context::JsCtx;
use super::json;
use crate::value::Value;

fn is_js_space(c: char) -> bool {
    matches!(
        c,
        '\x0c' | '\n' | '\r' | '\t' | '\x0b' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

/// What a slash after `text` would begin. A guess from the last token, as the original guesses.
pub(super) fn next_ctx(text: &[u8], before: JsCtx) -> JsCtx {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end_matches(is_js_space).as_bytes();
    let Some(last) = text.last().copied() else { return before };
    match last {
        // `x++ /` divides, `x + /` begins a regular expression.
        b'+' | b'-' => {
            let run = text.iter().rev().take_while(|b| **b == last).count();
            if run % 2 == 1 { JsCtx::Regexp } else { JsCtx::DivOp }
        }
        b'.' => {
            let after_digit = text.len() > 1 && text.get(text.len() - 2).is_some_and(u8::is_ascii_digit);
            if after_digit { JsCtx::DivOp } else { JsCtx::Regexp }
        }
        b',' | b'<' | b'>' | b'=' | b'*' | b'%' | b'&' | b'|' | b'^' | b'?' | b'!' | b'~' | b'(' | b'['
        | b':' | b';' | b'{' | b'}' => JsCtx::Regexp,
        _ => {
            let word = text.iter().rev().take_while(|b| is_ident_part(**b)).count();
            let (head, word) = text.split_at(text.len() - word);
            let head = String::from_utf8_lossy(head);
            // `x.return /` divides.
            let is_member = head.trim_end_matches(is_js_space).ends_with('.');
            if precedes_regexp(word) && !is_member { JsCtx::Regexp } else { JsCtx::DivOp }
        }
    }
}

fn precedes_regexp(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 15] = [
        b"break",
        b"case",
        b"continue",
        b"delete",
        b"do",
        b"else",
        b"finally",
        b"in",
        b"instanceof",
        b"return",
        b"throw",
        b"try",
        b"typeof",
        b"void",
        b"yield",
    ];
    WORDS.contains(&word)
}

pub(super) fn is_ident_part(b: u8) -> bool {
    b == b'$' || b == b'_' || b.is_ascii_alphanumeric()
}

/// Whether the content of `<script type=…>` is a script (or JSON, which is read the same way).
pub(super) fn is_js_type(mime: &str) -> bool {
    let mime = mime.split(';').next().unwrap_or_default().to_lowercase();
    let mime = mime.trim();
    let subtype = mime.strip_prefix("text/").or_else(|| mime.strip_prefix("application/"));
    let versioned = mime.strip_prefix("text/javascript1.");
    mime.is_empty()
        || mime == "module"
        || matches!(mime, "application/json" | "application/ld+json" | "text/jscript" | "text/livescript")
        || versioned.is_some_and(|minor| matches!(minor, "0" | "1" | "2" | "3" | "4" | "5"))
        || subtype.is_some_and(|subtype| {
            matches!(subtype, "ecmascript" | "javascript" | "x-ecmascript" | "x-javascript")
        })
}

/// A value where an expression is expected: its JSON form, set apart from what stands beside it.
pub(super) fn value(args: &[Value]) -> String {
    let encoded = match args {
        [value] => match (value, value.stringer()) {
            (Value::Time(_), _) | (_, None) => json::encode(value),
            (_, Some(text)) => json::encode(&Value::from(text)),
        },
        args => json::encode(&Value::from(crate::printf::sprint(args))),
    };
    let text = match encoded {
        Ok(text) => text,
        Err(message) => {
            let message = escape_script_tags(&message).replace("*/", "* /").replace("<!--", "\\x3C!--");
            return format!(" /* {message} */null ");
        }
    };
    let bytes = text.as_bytes();
    let pad =
        bytes.first().is_some_and(|b| is_ident_part(*b)) || bytes.last().is_some_and(|b| is_ident_part(*b));
    if pad { format!(" {text} ") } else { text }
}

fn escape_script_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let after = text[at..].get(1..).unwrap_or_default();
        let name = after.strip_prefix('/').unwrap_or(after);
        let is_script = name.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("script"));
        if c == '<' && is_script { out.push_str("\\x3C") } else { out.push(c) }
    }
    out
}

/// The three places a value can have in a script besides an expression.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Literal {
    Str,
    Template,
    Regexp,
}

/// Escapes a text for a literal.
pub(super) fn escape(text: &str, literal: Literal) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\x0c' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '/' => out.push_str("\\/"),
            '\\' => out.push_str("\\\\"),
            '`' if literal == Literal::Regexp => out.push('`'),
            '$' | '{' | '}' if literal == Literal::Template => out.push_str(&unicode(c)),
            '$' | '(' | ')' | '*' | '-' | '.' | '?' | '[' | ']' | '^' | '{' | '|' | '}'
                if literal == Literal::Regexp =>
            {
                out.push('\\');
                out.push(c);
            }
            '"' | '`' | '&' | '\'' | '+' | '<' | '>' | '\u{2028}' | '\u{2029}' => out.push_str(&unicode(c)),
            c if c < ' ' => out.push_str(&unicode(c)),
            c => out.push(c),
        }
    }
    if out.is_empty() && literal == Literal::Regexp {
        // Two slashes would begin a comment.
        return "(?:)".into();
    }
    out
}

fn unicode(c: char) -> String {
    format!("\\u{:04x}", c as u32)
}
