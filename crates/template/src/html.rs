//! The escaping mode: values are escaped for the place they appear in.
//!
//! `html/template` analyses a template once and inserts escapers. Here the literal text is followed
//! while it is written, by a small state machine that knows whether the output stands in text, a tag,
//! an attribute (and of which kind), a script or a style; each value is escaped by the state it meets.
//! For templates whose branches end where they began, which is all the original accepts, both give the
//! same output, and this way needs no copy of the tree.

use crate::exec::Sink;
use crate::printf::display;
use crate::value::Value;

/// What the original prints in place of a value it cannot make safe.
const UNSAFE: &str = "ZgotmplZ";

#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Place {
    #[default]
    Text,
    Comment,
    /// Between attributes of a tag.
    Tag,
    /// In an attribute's value.
    Attribute(Attribute, Quote),
    /// In the body of an element whose end tag is awaited.
    Body(Element),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Attribute {
    Plain,
    Url,
    Script,
    Style,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Quote {
    None,
    Single,
    Double,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Element {
    Script,
    Style,
    /// `title` and `textarea`: markup means nothing inside.
    Plain(&'static str),
}

impl Element {
    fn of(tag: &str) -> Option<Element> {
        Some(match tag {
            "script" => Element::Script,
            "style" => Element::Style,
            "textarea" => Element::Plain("textarea"),
            "title" => Element::Plain("title"),
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Element::Script => "script",
            Element::Style => "style",
            Element::Plain(name) => name,
        }
    }
}

/// Output that knows where it is.
#[derive(Debug, Default)]
pub(crate) struct HtmlSink {
    out: String,
    place: Place,
    /// The tag being read, and whether it is an end tag.
    tag: String,
    attribute_name: String,
    /// The part of the current attribute value or script before the next value.
    so_far: String,
}

impl HtmlSink {
    pub fn into_string(self) -> String {
        self.out
    }

    fn keep(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Consumes some of `text` and returns the rest.
    fn step<'t>(&mut self, text: &'t str) -> &'t str {
        match self.place {
            Place::Text => self.in_text(text),
            Place::Comment => match text.find("-->") {
                Some(end) => {
                    self.place = Place::Text;
                    &text[end + 3..]
                }
                None => "",
            },
            Place::Tag => self.in_tag(text),
            Place::Attribute(kind, quote) => self.in_attribute(text, kind, quote),
            Place::Body(element) => self.in_body(text, element),
        }
    }

    fn in_text<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(at) = text.find('<') else {
            self.keep(text);
            return "";
        };
        self.keep(&text[..at]);
        let rest = &text[at..];
        if let Some(after) = rest.strip_prefix("<!--") {
            // Comments are left out, as the original does.
            self.place = Place::Comment;
            return after;
        }
        let name_at = if rest.starts_with("</") { 2 } else { 1 };
        let name_len =
            rest[name_at..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len() - name_at);
        if name_len == 0 {
            // Not a tag: a bare `<` or a doctype.
            self.keep(if rest.starts_with("<!") { "<" } else { "&lt;" });
            return &rest[1..];
        }
        let end = name_at + name_len;
        self.tag = if name_at == 1 { rest[1..end].to_ascii_lowercase() } else { String::new() };
        self.keep(&rest[..end]);
        self.place = Place::Tag;
        self.attribute_name.clear();
        &rest[end..]
    }

    fn in_tag<'t>(&mut self, text: &'t str) -> &'t str {
        for (at, c) in text.char_indices() {
            match c {
                '>' => {
                    self.keep(&text[..=at]);
                    let element = Element::of(&self.tag);
                    self.place = element.map_or(Place::Text, Place::Body);
                    self.so_far.clear();
                    return &text[at + 1..];
                }
                '=' => {
                    let rest = &text[at + 1..];
                    let value = rest.trim_start();
                    let blank = rest.len() - value.len();
                    let quote = match value.chars().next() {
                        Some('"') => Quote::Double,
                        Some('\'') => Quote::Single,
                        _ => Quote::None,
                    };
                    let width = at + 1 + blank + usize::from(quote != Quote::None);
                    self.keep(&text[..width]);
                    self.place = Place::Attribute(attribute_kind(&self.attribute_name), quote);
                    self.so_far.clear();
                    return &text[width..];
                }
                c if c.is_whitespace() || c == '/' => self.attribute_name.clear(),
                c => self.attribute_name.extend(c.to_lowercase()),
            }
        }
        self.keep(text);
        ""
    }

    fn in_attribute<'t>(&mut self, text: &'t str, _kind: Attribute, quote: Quote) -> &'t str {
        let end = match quote {
            Quote::Double => text.find('"'),
            Quote::Single => text.find('\''),
            Quote::None => text.find(|c: char| c.is_whitespace() || c == '>'),
        };
        let Some(end) = end else {
            self.keep(text);
            self.so_far.push_str(text);
            return "";
        };
        let width = end + usize::from(quote != Quote::None);
        self.keep(&text[..width]);
        self.place = Place::Tag;
        self.attribute_name.clear();
        &text[width..]
    }

    fn in_body<'t>(&mut self, text: &'t str, element: Element) -> &'t str {
        let lower = text.to_ascii_lowercase();
        match lower.find(&format!("</{}", element.name())) {
            Some(at) => {
                self.keep(&text[..at]);
                self.place = Place::Text;
                &text[at..]
            }
            None => {
                self.keep(text);
                self.so_far.push_str(text);
                ""
            }
        }
    }
}

impl Sink for HtmlSink {
    fn literal(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            rest = self.step(rest);
        }
    }

    fn value(&mut self, value: &Value) {
        let text = match value {
            Value::Nil => String::new(),
            value => display(value),
        };
        let escaped = match self.place {
            Place::Comment => String::new(),
            Place::Text => match value {
                Value::Html(html) => html.to_string(),
                _ => escape_text(&text),
            },
            Place::Body(Element::Plain(_)) => escape_text(&text),
            Place::Body(Element::Script) => script_value(value, &self.so_far),
            Place::Body(Element::Style) => style_value(&text),
            Place::Tag => attribute_name_value(&text),
            Place::Attribute(kind, quote) => {
                let safe = match kind {
                    Attribute::Plain => match value {
                        Value::Html(html) => strip_tags(html),
                        _ => text,
                    },
                    Attribute::Url => url_value(&text, &self.so_far, matches!(value, Value::Url(_))),
                    Attribute::Script => script_value(value, &self.so_far),
                    Attribute::Style => style_value(&text),
                };
                self.so_far.push_str(&safe);
                if quote == Quote::None { escape_unquoted(&safe) } else { escape_text(&safe) }
            }
        };
        self.keep(&escaped);
    }

    fn written(&self) -> usize {
        self.out.len()
    }
}

fn attribute_kind(name: &str) -> Attribute {
    let name = name.strip_prefix("data-").unwrap_or(name);
    let name = name.rsplit_once(':').map_or(name, |(_, local)| local);
    match name {
        "href" | "src" | "action" | "formaction" | "cite" | "poster" | "background" | "data" | "icon"
        | "longdesc" | "manifest" | "profile" | "usemap" | "codebase" | "classid" | "archive" => {
            Attribute::Url
        }
        "style" => Attribute::Style,
        name if name.starts_with("on") => Attribute::Script,
        name if name.contains("src") || name.contains("uri") || name.contains("url") => Attribute::Url,
        _ => Attribute::Plain,
    }
}

/// `&#34; &amp; &#39; &#43; &lt; &gt;`, as the original writes them.
pub(crate) fn escape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '+' => out.push_str("&#43;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn escape_unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.push_str("&#xfffd;"),
            '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ' | '"' | '\'' | '+' | '=' | '`' => {
                out.push_str(&format!("&#{};", c as u32));
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn strip_tags(html: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0usize);
    for c in html.chars() {
        match c {
            '<' => depth += 1,
            '>' if depth > 0 => depth -= 1,
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

fn attribute_name_value(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    let kind = attribute_kind(&text.to_ascii_lowercase());
    if plain && kind == Attribute::Plain { text.to_ascii_lowercase() } else { UNSAFE.into() }
}

/// Values inside URLs: only harmless schemes at the start; percent-encoding that depends on the part.
fn url_value(text: &str, before: &str, trusted: bool) -> String {
    if before.contains('?') || before.contains('#') {
        return if trusted { normalize_url(text) } else { query_component(text) };
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains('/'));
    let harmless =
        scheme.is_none_or(|s| ["http", "https", "mailto"].iter().any(|ok| s.eq_ignore_ascii_case(ok)));
    if before.trim().is_empty() && !trusted && !harmless {
        return format!("#{UNSAFE}");
    }
    normalize_url(text)
}

fn percent(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

fn normalize_url(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    for (i, byte) in bytes.iter().copied().enumerate() {
        let is_escape = byte == b'%'
            && bytes.get(i + 1).is_some_and(u8::is_ascii_hexdigit)
            && bytes.get(i + 2).is_some_and(u8::is_ascii_hexdigit);
        if byte.is_ascii_alphanumeric() || b"!#$&*+,/:;=?@[]-._~".contains(&byte) || is_escape {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

fn query_component(text: &str) -> String {
    percent(text, |b| b"-._~".contains(&b))
}

/// `url.QueryEscape`: spaces become plus signs, hexadecimal in capitals.
pub(crate) fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A value in a script: inside a string literal its text, elsewhere its JSON form.
fn script_value(value: &Value, before: &str) -> String {
    if inside_string(before) {
        return escape_js_text(&display(value));
    }
    match value {
        Value::Nil => " null ".into(),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => format!(" {} ", display(value)),
        Value::List(items) => {
            let parts: Vec<String> =
                items.iter().map(|item| script_value(item, "").trim().to_owned()).collect();
            format!("[{}]", parts.join(","))
        }
        Value::Object(object) if object.underlying().is_some() => script_value(&value.flatten(), before),
        other => format!("\"{}\"", escape_js_json(&display(other))),
    }
}

/// Whether a script stands inside a quoted string after `before`.
fn inside_string(before: &str) -> bool {
    let (mut quote, mut escaped) = (None, false);
    for c in before.chars() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            _ => {}
        }
    }
    quote.is_some()
}

fn escape_js_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

fn escape_js_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\\u0000"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\x0b' => out.push_str("\\u000b"),
            '\x0c' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\u0022"),
            '`' => out.push_str("\\u0060"),
            '&' => out.push_str("\\u0026"),
            '\'' => out.push_str("\\u0027"),
            '+' => out.push_str("\\u002b"),
            '/' => out.push_str("\\/"),
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '\\' => out.push_str("\\\\"),
            '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// The `js` function of `text/template`.
pub(crate) fn escape_js_builtin(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// Style values pass when they hold nothing that could end or extend the declaration.
fn style_value(text: &str) -> String {
    let suspicious = text.chars().any(|c| "\0\"'()/;@[\\]`{}<>".contains(c))
        || text.contains("--")
        || ["expression", "mozbinding"]
            .iter()
            .any(|bad| text.to_ascii_lowercase().replace('-', "").contains(bad));
    if suspicious { UNSAFE.into() } else { text.to_owned() }
}
