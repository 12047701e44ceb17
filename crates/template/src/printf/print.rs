//! One value, one verb.

use super::number;
use crate::number::{is_print, quote_with};
use crate::value::Value;

/// What stands between the percent sign and the verb.
#[derive(Default, Clone)]
pub(super) struct Flags {
    pub minus: bool,
    pub plus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    /// `%#v`: the value as Go source.
    pub source: bool,
    /// `%+v`: with field names.
    pub named: bool,
    pub width: Option<i64>,
    pub precision: Option<i64>,
}

impl Flags {
    pub fn precision(&self) -> Option<usize> {
        self.precision.and_then(|n| usize::try_from(n).ok())
    }

    pub fn width(&self) -> usize {
        self.width.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }
}

#[derive(Default)]
pub(super) struct Printer {
    pub out: String,
    pub flags: Flags,
}

impl Printer {
    /// An argument of a format; the flags of `%v` change their meaning.
    pub fn argument(&mut self, value: &Value, verb: char) {
        if verb == 'v' {
            self.flags.source = std::mem::take(&mut self.flags.sharp);
            self.flags.named = std::mem::take(&mut self.flags.plus);
        }
        match (verb, value) {
            ('T' | 'v', Value::Nil) => self.pad("<nil>"),
            ('T', value) => {
                let name = value.type_name().to_owned();
                self.text(&name);
            }
            ('p', value) => self.pointer(value),
            (verb, Value::Nil) => self.bad_verb(value, verb),
            (verb, value) => self.value(value, verb),
        }
    }

    /// Addresses mean nothing here; what has none is a mistake, as in Go.
    fn pointer(&mut self, value: &Value) {
        match value.flatten() {
            Value::List(_) | Value::Map(_) | Value::StrMap(_) => self.out.push_str("0xc000000000"),
            _ => self.bad_verb(value, 'p'),
        }
    }

    pub fn value(&mut self, value: &Value, verb: char) {
        if !self.flags.source
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && let Some(text) = value.stringer()
        {
            return self.string(value, &text, verb);
        }
        match value {
            Value::Nil => match verb {
                'v' if self.flags.source => self.out.push_str("interface {}(nil)"),
                _ => self.out.push_str("<nil>"),
            },
            Value::Bool(b) => match verb {
                't' | 'v' => self.pad(if *b { "true" } else { "false" }),
                _ => self.bad_verb(value, verb),
            },
            Value::Int(n) => self.integer(value, n.unsigned_abs(), *n < 0, verb),
            Value::Duration(d) => self.integer(value, d.0.unsigned_abs(), d.0 < 0, verb),
            Value::Byte(n) => {
                if verb == 'v' && self.flags.source {
                    self.flags.sharp = true;
                    self.integer(value, u64::from(*n), false, 'x');
                    self.flags.sharp = false;
                } else {
                    self.integer(value, u64::from(*n), false, verb);
                }
            }
            Value::Float(v) => match number::float(*v, verb, &self.flags) {
                Some(text) => self.out.push_str(&text),
                None => self.bad_verb(value, verb),
            },
            Value::Str(s) | Value::Html(s) | Value::Url(s) => self.string(value, s, verb),
            Value::Time(t) => self.string(value, &t.to_string(), verb),
            Value::List(items) => self.list(value, items, verb),
            Value::StrMap(map) => {
                let entries = map.iter().map(|(key, item)| (key.as_str(), Value::str(item)));
                self.map(value, entries, verb);
            }
            Value::Map(map) => {
                let entries = map.iter().map(|(key, item)| (key.as_str(), item.clone()));
                self.map(value, entries, verb);
            }
            Value::Object(object) => match object.underlying() {
                Some(Value::List(items)) => self.list(value, &items, verb),
                Some(Value::StrMap(map)) => {
                    let entries = map.iter().map(|(key, item)| (key.as_str(), Value::str(item)));
                    self.map(value, entries, verb);
                }
                Some(Value::Map(map)) => {
                    let entries = map.iter().map(|(key, item)| (key.as_str(), item.clone()));
                    self.map(value, entries, verb);
                }
                Some(inner) => self.value(&inner, verb),
                None => match object.fields() {
                    fields if fields.is_empty() => self.out.push_str(&object.display()),
                    fields => self.record(object.type_name(), &fields, verb),
                },
            },
        }
    }

    fn list(&mut self, list: &Value, items: &[Value], verb: char) {
        let (open, between, close) = if self.flags.source {
            self.out.push_str(list.type_name());
            ('{', ", ", '}')
        } else {
            ('[', " ", ']')
        };
        self.out.push(open);
        for (i, item) in items.iter().enumerate() {
            self.out.push_str(if i > 0 { between } else { "" });
            self.value(item, verb);
        }
        self.out.push(close);
    }

    fn map<'m>(&mut self, map: &Value, entries: impl Iterator<Item = (&'m str, Value)>, verb: char) {
        let (open, between, close) = if self.flags.source {
            self.out.push_str(map.type_name());
            ("{", ", ", '}')
        } else {
            ("map[", " ", ']')
        };
        self.out.push_str(open);
        for (i, (key, item)) in entries.enumerate() {
            self.out.push_str(if i > 0 { between } else { "" });
            self.value(&Value::str(key), verb);
            self.out.push(':');
            self.value(&item, verb);
        }
        self.out.push(close);
    }

    fn record(&mut self, name: &str, fields: &[(String, Value)], verb: char) {
        self.out.push_str(if self.flags.source { name } else { "" });
        self.out.push('{');
        for (i, (name, value)) in fields.iter().enumerate() {
            if i > 0 {
                self.out.push_str(if self.flags.source { ", " } else { " " });
            }
            if self.flags.source || self.flags.named {
                self.out.push_str(name);
                self.out.push(':');
            }
            self.value(value, verb);
        }
        self.out.push('}');
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.out.push_str(&format!("%!{verb}("));
        match value {
            Value::Nil => self.out.push_str("<nil>"),
            value => {
                self.out.push_str(value.type_name());
                self.out.push('=');
                self.plain(value);
            }
        }
        self.out.push(')');
    }

    /// The value of a misused verb: under the same flags, but without its `String` method.
    fn plain(&mut self, value: &Value) {
        match value {
            Value::Duration(d) => self.integer(value, d.0.unsigned_abs(), d.0 < 0, 'v'),
            value => self.value(value, 'v'),
        }
    }

    fn string(&mut self, value: &Value, text: &str, verb: char) {
        match verb {
            'v' if self.flags.source => self.quoted(text),
            'v' | 's' => self.text(text),
            'x' => self.hexadecimal(text, false),
            'X' => self.hexadecimal(text, true),
            'q' => self.quoted(text),
            _ => self.bad_verb(value, verb),
        }
    }

    /// The text cut to the precision.
    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let Some(count) = self.flags.precision() else { return text };
        text.char_indices().nth(count).map_or(text, |(at, _)| &text[..at])
    }

    fn text(&mut self, text: &str) {
        self.pad(self.cut(text));
    }

    fn quoted(&mut self, text: &str) {
        let text = self.cut(text);
        let raw = self.flags.sharp
            && !text.contains(['`', '\u{feff}', '\x7f'])
            && !text.chars().any(|c| c < ' ' && c != '\t');
        if raw {
            return self.pad(&format!("`{text}`"));
        }
        self.pad(&quote_with(text, '"', self.flags.plus));
    }

    fn hexadecimal(&mut self, text: &str, upper: bool) {
        let bytes = text.as_bytes();
        let bytes = bytes.get(..self.flags.precision().unwrap_or(bytes.len())).unwrap_or(bytes);
        let prefix = match (self.flags.sharp, upper) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let mut out = String::with_capacity(bytes.len() * 2);
        for (i, byte) in bytes.iter().enumerate() {
            if i > 0 && self.flags.space {
                out.push(' ');
            }
            if i == 0 || self.flags.space {
                out.push_str(prefix);
            }
            out.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        }
        self.pad(&out);
    }

    fn integer(&mut self, value: &Value, magnitude: u64, negative: bool, verb: char) {
        let code = if negative { None } else { u32::try_from(magnitude).ok() };
        let character = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        match verb {
            'c' => self.pad(character.encode_utf8(&mut [0; 4])),
            'q' => self.pad(&quote_with(character.encode_utf8(&mut [0; 4]), '\'', self.flags.plus)),
            'U' => {
                // A negative number shows as its two's complement.
                let bits = if negative { magnitude.wrapping_neg() } else { magnitude };
                let digits = self.flags.precision().unwrap_or(4).max(4);
                let mut text = format!("U+{bits:0digits$X}");
                if self.flags.sharp && code.and_then(char::from_u32).is_some_and(is_print) {
                    text.push_str(&format!(" '{character}'"));
                }
                self.pad_blank(&text);
            }
            _ => match number::integer(magnitude, negative, verb, &self.flags) {
                Some(text) => self.pad_blank(&text),
                None => self.bad_verb(value, verb),
            },
        }
    }

    /// Pads to the width; with the zero flag even text gets zeros.
    pub fn pad(&mut self, text: &str) {
        let fill = if self.flags.zero && !self.flags.minus { '0' } else { ' ' };
        pad_with(&mut self.out, text, &self.flags, fill);
    }

    fn pad_blank(&mut self, text: &str) {
        pad_with(&mut self.out, text, &self.flags, ' ');
    }
}

pub(super) fn pad_with(out: &mut String, text: &str, flags: &Flags, fill: char) {
    let missing = flags.width().saturating_sub(text.chars().count());
    if flags.minus {
        out.push_str(text);
    }
    out.extend(std::iter::repeat_n(fill, missing));
    if !flags.minus {
        out.push_str(text);
    }
}
