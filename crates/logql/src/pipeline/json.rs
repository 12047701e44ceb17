//! The `json` parser: one pass over the line, no tree.
//!
//! Nested keys are joined by `_`, arrays are skipped, and numbers keep the text they were written with:
//! a label holds what the line says, not what a float makes of it.

use std::borrow::Cow;

use logql_syntax::ast::JsonExtraction;
use logql_syntax::path::Step;

use super::labels::LabelState;
use super::parse::push_label_name;

/// Deeper nesting is reported as malformed instead of exhausting the stack.
const DEPTH_MAX: usize = 100;

pub(super) struct JsonParser {
    extractions: Vec<JsonExtraction>,
}

/// A scalar, or the text of something larger.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    String(Cow<'a, str>),
    Number(&'a str),
    Bool(bool),
    Null,
    /// The source text of an object or array.
    Nested(&'a str),
}

impl Token<'_> {
    fn text(&self) -> &str {
        match self {
            Token::String(text) => text,
            Token::Number(text) | Token::Nested(text) => text,
            Token::Bool(true) => "true",
            Token::Bool(false) => "false",
            Token::Null => "",
        }
    }
}

impl JsonParser {
    pub fn new(extractions: &[JsonExtraction]) -> JsonParser {
        JsonParser { extractions: extractions.to_vec() }
    }

    pub fn parse(&self, line: &str, state: &mut LabelState) {
        let outcome =
            if self.extractions.is_empty() { flatten(line, state) } else { self.extract(line, state) };
        if let Err(e) = outcome {
            state.set_error("JSONParserErr", &e);
        }
    }

    fn extract(&self, line: &str, state: &mut LabelState) -> Result<(), String> {
        // The whole line is checked once, so that a broken tail is an error whatever was asked for.
        Scanner::new(line).value(0)?;
        for extraction in &self.extractions {
            let found = lookup(line, &extraction.path.steps)?;
            state.set_parsed(&extraction.label, found.as_ref().map_or("", Token::text));
        }
        Ok(())
    }
}

fn flatten(line: &str, state: &mut LabelState) -> Result<(), String> {
    let mut prefix = String::new();
    Scanner::new(line).flatten(&mut prefix, 0, state)
}

fn lookup<'a>(text: &'a str, steps: &[Step]) -> Result<Option<Token<'a>>, String> {
    let mut current = Scanner::new(text).value(0)?;
    for step in steps {
        let Token::Nested(inner) = current else { return Ok(None) };
        let mut found = None;
        let mut scanner = Scanner::new(inner);
        match step {
            Step::Field(name) if inner.starts_with('{') => {
                scanner.object(&mut |key, value| {
                    if key == name && found.is_none() {
                        found = Some(value);
                    }
                })?;
            }
            Step::Index(index) if inner.starts_with('[') => {
                scanner.array(&mut |at, value| {
                    if at == *index {
                        found = Some(value);
                    }
                })?;
            }
            _ => {}
        }
        match found {
            Some(value) => current = value,
            None => return Ok(None),
        }
    }
    Ok(Some(current))
}

/// A JSON reader over borrowed text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    fn skip_blank(&mut self) {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_blank();
        self.text.as_bytes().get(self.at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The value that is the whole text.
    pub fn whole(&mut self) -> Result<Token<'a>, String> {
        let value = self.value(0)?;
        if self.peek().is_some() { Err("trailing text after the JSON value".into()) } else { Ok(value) }
    }

    /// Visits the fields of the object that is the whole text.
    pub fn object(&mut self, visit: &mut dyn FnMut(&str, Token<'a>)) -> Result<(), String> {
        if !self.accept(b'{') {
            return Err("expecting json object(6), but it is not".into());
        }
        if self.accept(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            let value = self.value(0)?;
            visit(&key, value);
            if self.accept(b'}') {
                return Ok(());
            }
            self.comma('}')?;
        }
    }

    /// Visits the elements of the array that is the whole text.
    pub fn array(&mut self, visit: &mut dyn FnMut(usize, Token<'a>)) -> Result<(), String> {
        if !self.accept(b'[') {
            return Err("expecting json array".into());
        }
        if self.accept(b']') {
            return Ok(());
        }
        for index in 0.. {
            let value = self.value(0)?;
            visit(index, value);
            if self.accept(b']') {
                break;
            }
            self.comma(']')?;
        }
        Ok(())
    }

    /// Sets a label for every scalar of the object at the cursor.
    fn flatten(&mut self, prefix: &mut String, depth: usize, state: &mut LabelState) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err("Value is nested too deeply".into());
        }
        if !self.accept(b'{') {
            return Err("expecting json object(6), but it is not".into());
        }
        if self.accept(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            let length = prefix.len();
            if length > 0 {
                prefix.push('_');
            }
            push_label_name(prefix, &key);
            if self.peek() == Some(b'{') {
                self.flatten(prefix, depth + 1, state)?;
            } else {
                let value = self.value(depth)?;
                if !matches!(value, Token::Nested(_) | Token::Null) && !prefix.is_empty() {
                    state.set_parsed(prefix, value.text());
                }
            }
            prefix.truncate(length);
            if self.accept(b'}') {
                return Ok(());
            }
            self.comma('}')?;
        }
    }

    fn comma(&mut self, close: char) -> Result<(), String> {
        if self.accept(b',') {
            return Ok(());
        }
        let kind = if close == '}' { "object" } else { "array" };
        Err(format!("Value looks like {kind}, but can't find closing '{close}' symbol"))
    }

    fn key(&mut self) -> Result<Cow<'a, str>, String> {
        if self.peek() != Some(b'"') {
            return Err("Value looks like object, but can't find closing '}' symbol".into());
        }
        let key = self.string()?;
        if self.accept(b':') { Ok(key) } else { Err("Malformed JSON error".into()) }
    }

    fn value(&mut self, depth: usize) -> Result<Token<'a>, String> {
        if depth > DEPTH_MAX {
            return Err("Value is nested too deeply".into());
        }
        match self.peek() {
            Some(b'"') => self.string().map(Token::String),
            Some(open @ (b'{' | b'[')) => {
                let start = self.at;
                self.skip_nested(open, depth)?;
                Ok(Token::Nested(&self.text[start..self.at]))
            }
            Some(b't') => self.word("true", Token::Bool(true)),
            Some(b'f') => self.word("false", Token::Bool(false)),
            Some(b'n') => self.word("null", Token::Null),
            Some(b'-' | b'0'..=b'9') => {
                let rest = &self.text[self.at..];
                let length = rest.bytes().take_while(|b| b.is_ascii_digit() || b"+-.eE".contains(b)).count();
                self.at += length;
                Ok(Token::Number(&rest[..length]))
            }
            _ => Err("Unknown value type".into()),
        }
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, String> {
        if !self.text[self.at..].starts_with(word) {
            return Err("Unknown value type".into());
        }
        self.at += word.len();
        Ok(token)
    }

    fn skip_nested(&mut self, open: u8, depth: usize) -> Result<(), String> {
        self.at += 1;
        let (close, close_char) = if open == b'{' { (b'}', '}') } else { (b']', ']') };
        if self.accept(close) {
            return Ok(());
        }
        loop {
            if open == b'{' {
                self.key()?;
            }
            self.value(depth + 1)?;
            if self.accept(close) {
                return Ok(());
            }
            self.comma(close_char)?;
        }
    }

    /// The string at the cursor, unescaped; borrowed when it has no escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, String> {
        let unterminated = || "Value is string, but can't find closing '\"' symbol".to_owned();
        self.at += 1;
        let rest = &self.text[self.at..];
        let end = memchr::memchr2(b'"', b'\\', rest.as_bytes()).ok_or_else(unterminated)?;
        if rest.as_bytes().get(end) == Some(&b'"') {
            self.at += end + 1;
            return Ok(Cow::Borrowed(&rest[..end]));
        }
        let mut out = String::with_capacity(end + 16);
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(Cow::Owned(out));
                }
                '\\' => match chars.next().map(|(_, c)| c).ok_or_else(unterminated)? {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    'b' => out.push('\u{8}'),
                    'f' => out.push('\u{c}'),
                    'u' => {
                        let mut unit = hex4(&mut chars);
                        // A surrogate pair is written as two escapes.
                        if let Some(high @ 0xd800..=0xdbff) = unit {
                            let mut ahead = chars.clone();
                            let escaped = ahead.next().is_some_and(|(_, c)| c == '\\')
                                && ahead.next().is_some_and(|(_, c)| c == 'u');
                            if let (true, Some(low @ 0xdc00..=0xdfff)) = (escaped, hex4(&mut ahead)) {
                                unit = Some(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                                chars = ahead;
                            }
                        }
                        out.push(unit.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    other => out.push(other),
                },
                c => out.push(c),
            }
        }
        Err(unterminated())
    }
}

fn hex4(chars: &mut std::str::CharIndices<'_>) -> Option<u32> {
    let mut value = 0;
    for _ in 0..4 {
        value = value * 16 + chars.next()?.1.to_digit(16)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Labels;

    fn parse(query: &str, line: &str) -> String {
        let log = logql_syntax::parse_log(&format!("{{a=\"b\"}} {query}")).unwrap();
        let pipeline = super::super::Pipeline::compile(&log.stages).unwrap();
        let mut state = LabelState::new(&Labels::from_pairs([("app", "x")]));
        let entry =
            storage::logs::EntryRef { ts: 0, line, structured_metadata: &Labels::from_pairs([("id", "7")]) };
        pipeline.process(entry, &mut state).unwrap();
        state.collect(|n, _| n != "__error_details__").to_string()
    }

    #[test]
    fn flattening() {
        let check = |line: &str, expected: &str| assert_eq!(parse("| json", line), expected, "{line}");
        check(r#"{"a":"b","n":1.50,"t":true,"x":null}"#, r#"{a="b", app="x", id="7", n="1.50", t="true"}"#);
        check(r#"{"a":{"b c":{"d":1}},"l":[1,2]}"#, r#"{a_b_c_d="1", app="x", id="7"}"#);
        check(r#"{"app":"y","id":"8"}"#, r#"{app="x", app_extracted="y", id="7", id_extracted="8"}"#);
        check(r#"{"1a":"q\"\u00e9\ud83d\ude00"}"#, "{_1a=\"q\\\"é😀\", app=\"x\", id=\"7\"}");
        check("{}", r#"{app="x", id="7"}"#);
    }

    #[test]
    fn broken_lines_keep_what_was_read() {
        let check = |line: &str, part: &str| {
            let found = parse("| json | drop __error_details__", line);
            assert!(found.contains("__error__=\"JSONParserErr\"") && found.contains(part), "{found}");
        };
        check("plain text", "app");
        check(r#"{"a":"b", "c"#, "a=\"b\"");
        check(r#"["a"]"#, "app");
        check("", "app");
        check(&r#"{"a":"#.repeat(10_000), "app");
        check(&format!("{{\"a\":{}", "[".repeat(10_000)), "app");
    }

    #[test]
    fn expressions() {
        let line = r#"{"a":{"b":[{"c":"deep"},2]},"x y":true,"num":1e3}"#;
        let check = |query: &str, expected: &str| assert_eq!(parse(query, line), expected, "{query}");
        check(r#"| json v="a.b[0].c""#, r#"{app="x", id="7", v="deep"}"#);
        check(r#"| json v="[\"x y\"]", num"#, r#"{app="x", id="7", num="1e3", v="true"}"#);
        check(r#"| json v="a.b""#, r#"{app="x", id="7", v="[{\"c\":\"deep\"},2]"}"#);
        check(r#"| json v="nope.b", w="a.b[9]""#, r#"{app="x", id="7"}"#);
    }
}
