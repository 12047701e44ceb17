//! From one context to the next: how text moves the reader.
//!
//! Each function reads a prefix of the text in one state and returns the context after it with the number of
//! bytes read. Zero bytes may be read when the state changes.

use super::attribute::{self, Content};
use super::context::{Attr, Context, Delim, Element, JsCtx, State, UrlPart};
use super::css::{decode, ends_with_keyword};
use super::entity::unescape;
use super::js::{is_ident_part, is_js_type, next_ctx};
use crate::number::quote;

/// Quotes some bytes of a page as messages do; `limit` is in characters.
fn shown(text: &[u8], limit: usize) -> String {
    let text: String = String::from_utf8_lossy(text).chars().take(limit).collect();
    quote(&text)
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

fn find_any(text: &[u8], any: &[u8]) -> Option<usize> {
    text.iter().position(|b| any.contains(b))
}

fn at(text: &[u8], index: usize) -> Option<u8> {
    text.get(index).copied()
}

fn rest(text: &[u8], start: usize) -> &[u8] {
    text.get(start..).unwrap_or_default()
}

pub(super) fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r')
}

fn skip_space(text: &[u8], start: usize) -> usize {
    start + rest(text, start).iter().take_while(|b| is_space(**b)).count()
}

/// Reads some of `text` and says where that leads; attribute values end at their delimiter.
pub(super) fn after_text(c: &Context, text: &[u8]) -> (Context, usize) {
    let ends: &[u8] = match c.delim {
        Delim::None => {
            let (ended, before) = special_tag_end(c, text);
            if before == 0 {
                return (ended, 0);
            }
            return step(c, text.get(..before).unwrap_or(text));
        }
        Delim::DoubleQuote => b"\"",
        Delim::SingleQuote => b"'",
        Delim::SpaceOrTagEnd => b" \t\n\x0c\r>",
    };
    let end = find_any(text, ends);
    let value = text.get(..end.unwrap_or(text.len())).unwrap_or(text);
    if c.delim == Delim::SpaceOrTagEnd
        && let Some(bad) = find_any(value, b"\"'<=`")
    {
        // Browsers differ about these, so the author has to quote.
        let character = shown(value.get(bad..=bad).unwrap_or_default(), 1);
        let message = format!("{character} in unquoted attr: {}", shown(value, usize::MAX));
        return (Context::broken(message), text.len());
    }
    let Some(end) = end else {
        // The value goes on behind this text. What the reader sees is the decoded text.
        let decoded = unescape(&String::from_utf8_lossy(text));
        let (mut c, mut left) = (c.clone(), decoded.as_bytes());
        while !left.is_empty() {
            let (next, read) = step(&c, left);
            let stuck = read == 0 && next.state == c.state;
            (c, left) = (next, rest(left, if stuck { 1 } else { read }));
        }
        return (c, text.len());
    };
    let mut element = c.element;
    let is_type = c.state == State::Attr && c.element == Element::Script && c.attr == Attr::ScriptType;
    if is_type && !is_js_type(&String::from_utf8_lossy(value)) {
        // What is no script is read as HTML.
        element = Element::None;
    }
    let width = end + usize::from(c.delim != Delim::SpaceOrTagEnd);
    (Context { state: State::Tag, element, ..Context::default() }, width)
}

/// One transition, whatever ends attribute values.
pub(super) fn step(c: &Context, text: &[u8]) -> (Context, usize) {
    match c.state {
        State::Text => in_text(c, text),
        State::Tag => in_tag(c, text),
        State::AttrName => attr_name(c, text),
        State::AfterName => after_name(c, text),
        State::BeforeValue => before_value(c, text),
        State::HTMLCmt => match find(text, b"-->") {
            Some(end) => (Context::default(), end + 3),
            None => (c.clone(), text.len()),
        },
        State::RCDATA => special_tag_end(c, text),
        State::URL | State::Srcset => (in_url(c, text), text.len()),
        State::MetaContent => meta_content(c, text),
        State::MetaContentURL => match find(text, b";") {
            Some(end) => (Context { state: State::MetaContent, ..c.clone() }, end + 1),
            None => (c.clone(), text.len()),
        },
        State::JS => in_js(c, text),
        State::JSDqStr | State::JSSqStr | State::JSRegexp => js_delimited(c, text),
        State::JSTmplLit => js_template(c, text),
        State::JSBlockCmt => block_comment(c, text, State::JS),
        State::CSSBlockCmt => block_comment(c, text, State::CSS),
        State::JSLineCmt | State::JSHTMLOpenCmt | State::JSHTMLCloseCmt => {
            let end = find_any(text, b"\n\r");
            let wide = find(text, "\u{2028}".as_bytes()).into_iter().chain(find(text, "\u{2029}".as_bytes()));
            line_comment(c, text, end.into_iter().chain(wide).min(), State::JS)
        }
        State::CSSLineCmt => line_comment(c, text, find_any(text, b"\n\x0c\r"), State::CSS),
        State::CSS => in_css(c, text),
        State::CSSDqStr | State::CSSSqStr | State::CSSDqURL | State::CSSSqURL | State::CSSURL => {
            css_string(c, text)
        }
        State::Attr | State::Error | State::Dead => (c.clone(), text.len()),
    }
}

fn in_text(c: &Context, text: &[u8]) -> (Context, usize) {
    let mut from = 0;
    loop {
        let Some(open) = find(rest(text, from), b"<").map(|i| from + i) else {
            return (c.clone(), text.len());
        };
        if open + 1 == text.len() {
            return (c.clone(), text.len());
        }
        if rest(text, open).starts_with(b"<!--") {
            return (Context::of(State::HTMLCmt), open + 4);
        }
        let mut name = open + 1;
        let is_end = at(text, name) == Some(b'/');
        if is_end {
            name += 1;
            if name == text.len() {
                return (c.clone(), text.len());
            }
        }
        let end = tag_name_end(text, name);
        if end != name {
            let element =
                if is_end { Element::None } else { element(text.get(name..end).unwrap_or_default()) };
            return (Context { state: State::Tag, element, ..Context::default() }, end);
        }
        from = end;
    }
}

fn tag_name_end(text: &[u8], start: usize) -> usize {
    if !at(text, start).is_some_and(|b| b.is_ascii_alphabetic()) {
        return start;
    }
    let mut end = start + 1;
    loop {
        match at(text, end) {
            Some(b) if b.is_ascii_alphanumeric() => end += 1,
            // `x-y` and `x:y`, but not `x-"`.
            Some(b':' | b'-') if at(text, end + 1).is_some_and(|b| b.is_ascii_alphanumeric()) => end += 2,
            _ => return end,
        }
    }
}

fn element(name: &[u8]) -> Element {
    match name.to_ascii_lowercase().as_slice() {
        b"script" => Element::Script,
        b"style" => Element::Style,
        b"textarea" => Element::Textarea,
        b"title" => Element::Title,
        b"meta" => Element::Meta,
        _ => Element::None,
    }
}

fn in_tag(c: &Context, text: &[u8]) -> (Context, usize) {
    let start = skip_space(text, 0);
    let Some(first) = at(text, start) else {
        return (c.clone(), text.len());
    };
    if first == b'>' {
        let (state, element) = match c.element {
            Element::Meta | Element::None => (State::Text, Element::None),
            Element::Script => (State::JS, c.element),
            Element::Style => (State::CSS, c.element),
            Element::Textarea | Element::Title => (State::RCDATA, c.element),
        };
        return (Context { state, element, ..Context::default() }, start + 1);
    }
    let end = match attr_name_end(text, start) {
        Ok(end) => end,
        Err(message) => return (Context::broken(message), text.len()),
    };
    if start == end {
        let message = format!(
            "expected space, attr name, or end of tag, but got {}",
            shown(rest(text, start), usize::MAX)
        );
        return (Context::broken(message), text.len());
    }
    let name = String::from_utf8_lossy(text.get(start..end).unwrap_or_default()).to_lowercase();
    let attr = match (c.element, name.as_str()) {
        (Element::Script, "type") => Attr::ScriptType,
        (Element::Meta, "content") => Attr::MetaContent,
        _ => match attribute::content(&name) {
            Content::Url => Attr::URL,
            Content::Css => Attr::Style,
            Content::Js => Attr::Script,
            Content::Srcset => Attr::Srcset,
            Content::Plain | Content::Html | Content::Unsafe => Attr::None,
        },
    };
    // At the end of the text the name may go on with a value.
    let state = if end == text.len() { State::AttrName } else { State::AfterName };
    (Context { state, element: c.element, attr, ..Context::default() }, end)
}

fn attr_name_end(text: &[u8], start: usize) -> Result<usize, String> {
    for (i, b) in text.iter().copied().enumerate().skip(start) {
        match b {
            b'=' | b'>' => return Ok(i),
            b if is_space(b) => return Ok(i),
            b'\'' | b'"' | b'<' => {
                return Err(format!("{} in attribute name: {}", shown(&[b], 1), shown(text, 32)));
            }
            _ => {}
        }
    }
    Ok(text.len())
}

fn attr_name(c: &Context, text: &[u8]) -> (Context, usize) {
    match attr_name_end(text, 0) {
        Err(message) => (Context::broken(message), text.len()),
        Ok(end) if end == text.len() => (c.clone(), end),
        Ok(end) => (Context { state: State::AfterName, ..c.clone() }, end),
    }
}

fn after_name(c: &Context, text: &[u8]) -> (Context, usize) {
    let start = skip_space(text, 0);
    match at(text, start) {
        None => (c.clone(), text.len()),
        Some(b'=') => (Context { state: State::BeforeValue, ..c.clone() }, start + 1),
        Some(_) => (Context { state: State::Tag, ..c.clone() }, start),
    }
}

fn before_value(c: &Context, text: &[u8]) -> (Context, usize) {
    let start = skip_space(text, 0);
    let (delim, width) = match at(text, start) {
        None => return (c.clone(), text.len()),
        Some(b'\'') => (Delim::SingleQuote, 1),
        Some(b'"') => (Delim::DoubleQuote, 1),
        Some(_) => (Delim::SpaceOrTagEnd, 0),
    };
    (Context { state: c.attr.start(), delim, ..c.clone() }, start + width)
}

/// The end tag of an element with special content ends it, whatever state that content is in.
fn special_tag_end(c: &Context, text: &[u8]) -> (Context, usize) {
    let tag: &[u8] = match c.element {
        Element::None => return (c.clone(), text.len()),
        Element::Script if c.state.is_in_script_literal() || c.state.is_comment() => {
            return (c.clone(), text.len());
        }
        Element::Script => b"script",
        Element::Style => b"style",
        Element::Textarea => b"textarea",
        Element::Title => b"title",
        Element::Meta => b"",
    };
    match tag_end(text, tag) {
        Some(end) => (Context::default(), end),
        None => (c.clone(), text.len()),
    }
}

fn tag_end(text: &[u8], tag: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let open = from + find(rest(text, from), b"</")?;
        let name = rest(text, open + 2);
        from = open + 2;
        if name.get(..tag.len()).is_some_and(|found| found.eq_ignore_ascii_case(tag)) {
            if at(name, tag.len()).is_some_and(|b| b"> \t\n\x0c/".contains(&b)) {
                return Some(open);
            }
            from += tag.len();
        }
    }
}

pub(super) fn in_url(c: &Context, text: &[u8]) -> Context {
    let mut c = c.clone();
    if find_any(text, b"#?").is_some() {
        c.url_part = UrlPart::QueryOrFrag;
    } else if skip_space(text, 0) != text.len() && c.url_part == UrlPart::None {
        // Blanks before a URL are no part of it.
        c.url_part = UrlPart::PreQuery;
    }
    c
}

fn meta_content(c: &Context, text: &[u8]) -> (Context, usize) {
    for i in 0..text.len() {
        let word = text.get(i..i + 3).filter(|_| i + 3 < text.len());
        if word.is_some_and(|word| word.eq_ignore_ascii_case(b"url")) {
            let equals = skip_space(text, i + 3);
            if at(text, equals) == Some(b'=') {
                return (Context { state: State::MetaContentURL, ..c.clone() }, equals + 1);
            }
        }
    }
    (c.clone(), text.len())
}

fn in_js(c: &Context, text: &[u8]) -> (Context, usize) {
    let mut c = c.clone();
    let Some(mut i) = find_any(text, b"\"`'/{}<-#") else {
        c.js_ctx = next_ctx(text, c.js_ctx);
        return (c, text.len());
    };
    c.js_ctx = next_ctx(text.get(..i).unwrap_or_default(), c.js_ctx);
    let special = rest(text, i);
    match special.first() {
        Some(b'"') => (c.state, c.js_ctx) = (State::JSDqStr, JsCtx::Regexp),
        Some(b'\'') => (c.state, c.js_ctx) = (State::JSSqStr, JsCtx::Regexp),
        Some(b'`') => (c.state, c.js_ctx) = (State::JSTmplLit, JsCtx::Regexp),
        Some(b'/') => match (special.get(1), c.js_ctx) {
            (Some(b'/'), _) => (c.state, i) = (State::JSLineCmt, i + 1),
            (Some(b'*'), _) => (c.state, i) = (State::JSBlockCmt, i + 1),
            (_, JsCtx::Regexp) => c.state = State::JSRegexp,
            (_, JsCtx::DivOp) => c.js_ctx = JsCtx::Regexp,
            (_, JsCtx::Unknown) => {
                let message = format!("'/' could start a division or regexp: {}", shown(special, 32));
                return (Context::broken(message), text.len());
            }
        },
        // Scripts know HTML's comment marks too, each until the end of its line.
        Some(b'<') if special.starts_with(b"<!--") => (c.state, i) = (State::JSHTMLOpenCmt, i + 3),
        Some(b'-') if special.starts_with(b"-->") => (c.state, i) = (State::JSHTMLCloseCmt, i + 2),
        Some(b'#') if special.get(1) == Some(&b'!') => (c.state, i) = (State::JSLineCmt, i + 1),
        Some(b'#') => {
            // A private name.
            i += rest(special, 1).iter().take_while(|b| is_ident_part(**b)).count();
            c.js_ctx = JsCtx::DivOp;
        }
        Some(brace @ (b'{' | b'}')) => {
            let change = if *brace == b'{' { 1 } else { -1 };
            match c.js_brace_depth.last_mut() {
                Some(depth) if *depth + change < 0 => {
                    // The end of `${…}`: back to the template literal.
                    c.js_brace_depth.pop();
                    c.state = State::JSTmplLit;
                }
                Some(depth) => {
                    *depth += change;
                    c.js_ctx = next_ctx(&[*brace], c.js_ctx);
                }
                None => c.js_ctx = next_ctx(&[*brace], c.js_ctx),
            }
        }
        _ => {}
    }
    (c, i + 1)
}

fn unfinished_escape(language: &str, text: &[u8]) -> (Context, usize) {
    let message = format!("unfinished escape sequence in {language} string: {}", shown(text, usize::MAX));
    (Context::broken(message), text.len())
}

fn js_template(c: &Context, text: &[u8]) -> (Context, usize) {
    let mut from = 0;
    while let Some(i) = find_any(rest(text, from), b"`\\$").map(|i| from + i) {
        from = i + 1;
        match at(text, i) {
            Some(b'\\') if i + 1 == text.len() => return unfinished_escape("JS", text),
            Some(b'\\') => from = i + 2,
            Some(b'$') if at(text, i + 1) == Some(b'{') => {
                let mut c = c.clone();
                c.js_brace_depth.push(0);
                (c.state, c.js_ctx) = (State::JS, JsCtx::Regexp);
                return (c, i + 2);
            }
            Some(b'`') => return (Context { state: State::JS, ..c.clone() }, i + 1),
            _ => {}
        }
    }
    (c.clone(), text.len())
}

/// Strings and regular expressions.
fn js_delimited(c: &Context, text: &[u8]) -> (Context, usize) {
    let specials: &[u8] = match c.state {
        State::JSSqStr => b"\\'",
        State::JSRegexp => b"\\/[]",
        _ => b"\\\"",
    };
    let (mut from, mut in_class) = (0, false);
    while let Some(i) = find_any(rest(text, from), specials).map(|i| from + i) {
        from = i + 1;
        match at(text, i) {
            Some(b'\\') if i + 1 == text.len() => return unfinished_escape("JS", text),
            Some(b'\\') => from = i + 2,
            Some(b'[') => in_class = true,
            Some(b']') => in_class = false,
            Some(b'/')
                if i > 0 && text.get(i - 1..i + 7).is_some_and(|s| s.eq_ignore_ascii_case(b"</script")) =>
            {
                // Left to be escaped, so that it does not end the element.
                from = i + 2;
            }
            _ if !in_class => {
                return (Context { state: State::JS, js_ctx: JsCtx::DivOp, ..c.clone() }, i + 1);
            }
            _ => {}
        }
    }
    if in_class {
        // Which escapes a value in here would need depends on what follows.
        let message = format!("unfinished JS regexp charset: {}", shown(text, usize::MAX));
        return (Context::broken(message), text.len());
    }
    (c.clone(), text.len())
}

fn block_comment(c: &Context, text: &[u8], after: State) -> (Context, usize) {
    match find(text, b"*/") {
        Some(end) => (Context { state: after, ..c.clone() }, end + 2),
        None => (c.clone(), text.len()),
    }
}

/// The line's end is no part of the comment.
fn line_comment(c: &Context, text: &[u8], end: Option<usize>, after: State) -> (Context, usize) {
    match end {
        Some(end) => (Context { state: after, ..c.clone() }, end),
        None => (c.clone(), text.len()),
    }
}

fn in_css(c: &Context, text: &[u8]) -> (Context, usize) {
    let mut from = 0;
    let to = |state: State, read: usize| (Context { state, ..c.clone() }, read);
    while let Some(i) = find_any(rest(text, from), b"(\"'/").map(|i| from + i) {
        from = i + 1;
        match at(text, i) {
            Some(b'(') => {
                let before = text.get(..i).unwrap_or_default().trim_ascii_end();
                if ends_with_keyword(before, b"url") {
                    let start = skip_space(text, i + 1);
                    return match at(text, start) {
                        Some(b'"') => to(State::CSSDqURL, start + 1),
                        Some(b'\'') => to(State::CSSSqURL, start + 1),
                        _ => to(State::CSSURL, start),
                    };
                }
            }
            Some(b'/') => match at(text, i + 1) {
                Some(b'/') => return to(State::CSSLineCmt, i + 2),
                Some(b'*') => return to(State::CSSBlockCmt, i + 2),
                _ => {}
            },
            Some(b'"') => return to(State::CSSDqStr, i + 1),
            _ => return to(State::CSSSqStr, i + 1),
        }
    }
    (c.clone(), text.len())
}

fn css_string(c: &Context, text: &[u8]) -> (Context, usize) {
    let ends: &[u8] = match c.state {
        State::CSSDqStr | State::CSSDqURL => b"\\\"",
        State::CSSSqStr | State::CSSSqURL => b"\\'",
        _ => b"\\\t\n\x0c\r )",
    };
    let (mut c, mut from) = (c.clone(), 0);
    while let Some(mut i) = find_any(rest(text, from), ends).map(|i| from + i) {
        if at(text, i) != Some(b'\\') {
            c.state = State::CSS;
            return (c, i + 1);
        }
        i += 1;
        if i == text.len() {
            return unfinished_escape("CSS", text);
        }
        c = in_url(&c, &decode(text.get(..=i).unwrap_or(text)));
        from = i + 1;
    }
    (in_url(&c, &decode(rest(text, from))), text.len())
}
