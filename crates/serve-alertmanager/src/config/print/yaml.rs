//! YAML as the original's library writes it: block style, lists at the indentation of their key, texts
//! plain where they can only be read as texts, long lines folded.

use serde_json::Value as Json;

/// Lines longer than this are folded at the next space.
const WIDTH: usize = 80;

/// Keys whose lists are written on one line.
const FLOW: [&str; 4] = ["weekdays", "days_of_month", "months", "years"];

/// Writes a mapping.
pub(crate) fn yaml(value: &Json) -> String {
    let mut out = Writer::default();
    out.block(value, 0);
    out.text
}

#[derive(Default)]
struct Writer {
    text: String,
    column: usize,
}

/// How a text may be written.
struct Analysis {
    plain: bool,
    flow_plain: bool,
    single: bool,
    literal: bool,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn start(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn end(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    /// A mapping or list that is not empty, line by line.
    fn block(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Object(map) => {
                for (i, (key, value)) in map.iter().enumerate() {
                    // The first key of a list's item follows its dash.
                    if self.column == 0 || i > 0 {
                        self.start(indent);
                    }
                    self.key(key);
                    match value {
                        Json::Array(items) if FLOW.contains(&key.as_str()) => self.flow(items, indent + 2),
                        value => self.nested(value, indent),
                    }
                }
            }
            Json::Array(items) => {
                for item in items {
                    self.start(indent);
                    self.put("-");
                    match item {
                        Json::Object(map) if !map.is_empty() => {
                            self.put(" ");
                            self.block(item, indent + 2);
                        }
                        Json::Array(list) if !list.is_empty() => {
                            self.put(" ");
                            let inner = {
                                let mut inner = Writer::default();
                                inner.block(item, indent + 2);
                                inner.text
                            };
                            self.text.push_str(inner.trim_start_matches(' '));
                            self.column = 0;
                        }
                        item => self.nested(item, indent),
                    }
                }
            }
            plain => {
                self.scalar(plain, indent);
                self.end();
            }
        }
    }

    /// What follows a colon or a dash.
    fn nested(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Object(map) if map.is_empty() => self.put(" {}"),
            Json::Array(items) if items.is_empty() => self.put(" []"),
            Json::Array(_) => {
                self.end();
                self.block(value, indent);
                return;
            }
            Json::Object(_) => {
                self.end();
                self.block(value, indent + 2);
                return;
            }
            plain => {
                self.put(" ");
                self.scalar(plain, indent + 2);
            }
        }
        self.end();
    }

    fn flow(&mut self, items: &[Json], indent: usize) {
        self.put(" [");
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.put(",");
                if self.column > WIDTH {
                    self.line(indent);
                } else {
                    self.put(" ");
                }
            }
            match item {
                Json::String(text) if reads_as_text(text) && analyze(text).flow_plain => {
                    self.put(&text.clone());
                }
                Json::String(text) if reads_as_text(text) => self.single(text, indent, false),
                Json::String(text) => self.double(text, indent, false),
                other => self.put(&other.to_string()),
            }
        }
        self.put("]");
        self.end();
    }

    fn key(&mut self, key: &str) {
        let can = analyze(key);
        if !reads_as_text(key) || !(can.plain || can.single) {
            self.double(key, 0, false);
        } else if can.plain && !key.is_empty() {
            self.put(key);
        } else {
            self.single(key, 0, false);
        }
        self.put(":");
    }

    fn scalar(&mut self, value: &Json, indent: usize) {
        let Json::String(text) = value else {
            self.put(&value.to_string());
            return;
        };
        let can = analyze(text);
        if text.contains('\n') && can.literal {
            self.literal(text, indent);
        } else if text.contains('\n') || !reads_as_text(text) {
            self.double(text, indent, true);
        } else if can.plain {
            self.plain(text, indent);
        } else if can.single {
            self.single(text, indent, true);
        } else {
            self.double(text, indent, true);
        }
    }

    fn plain(&mut self, text: &str, indent: usize) {
        let mut chars = text.chars().peekable();
        let mut after_space = false;
        while let Some(c) = chars.next() {
            let folds = c == ' ' && !after_space && self.column > WIDTH && chars.peek() != Some(&' ');
            if folds {
                self.line(indent)
            } else {
                self.put(c.encode_utf8(&mut [0; 4]))
            }
            after_space = c == ' ';
        }
    }

    fn single(&mut self, text: &str, indent: usize, may_fold: bool) {
        self.put("'");
        let mut after_space = false;
        let all: Vec<char> = text.chars().collect();
        for (i, c) in all.iter().enumerate() {
            let inside = i > 0 && i + 1 < all.len() && all.get(i + 1) != Some(&' ');
            match c {
                ' ' if may_fold && !after_space && self.column > WIDTH && inside => self.line(indent),
                '\'' => self.put("''"),
                c => self.put(c.encode_utf8(&mut [0; 4])),
            }
            after_space = *c == ' ';
        }
        self.put("'");
    }

    fn double(&mut self, text: &str, indent: usize, may_fold: bool) {
        self.put("\"");
        let mut after_space = false;
        let all: Vec<char> = text.chars().collect();
        for (i, c) in all.iter().enumerate() {
            let inside = i > 0 && i + 1 < all.len();
            if *c == ' ' && may_fold && !after_space && self.column > WIDTH && inside {
                self.line(indent);
                if all.get(i + 1) == Some(&' ') {
                    self.put("\\");
                }
            } else if is_printable(*c)
                && !matches!(c, '"' | '\\' | '\n' | '\u{feff}' | '\u{2028}' | '\u{2029}')
            {
                self.put(c.encode_utf8(&mut [0; 4]));
            } else {
                self.put(&escape(*c));
            }
            after_space = *c == ' ';
        }
        self.put("\"");
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put("2");
        }
        match text.strip_suffix('\n') {
            None => self.put("-"),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => self.put("+"),
            Some(_) => {}
        }
        let body = text.strip_suffix('\n').unwrap_or(text);
        for line in body.split('\n') {
            self.text.push('\n');
            if !line.is_empty() {
                self.start(indent);
                self.put(line);
            }
        }
    }
}

/// Which notations keep the text as it is; the rules of libyaml's emitter.
fn analyze(text: &str) -> Analysis {
    let all: Vec<char> = text.chars().collect();
    let (mut block, mut flow, mut special, mut breaks) = (false, false, false, false);
    let (mut space_break, mut break_space) = (false, false);
    if text.starts_with("---") || text.starts_with("...") {
        (block, flow) = (true, true);
    }
    for (i, c) in all.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| all.get(i));
        let blank_follows = all.get(i + 1).is_none_or(|next| matches!(next, ' ' | '\t' | '\n' | '\r'));
        match (i, c) {
            (
                0,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`',
            ) => {
                (flow, block) = (true, true);
            }
            (0, '?' | ':') => {
                flow = true;
                block |= blank_follows;
            }
            (0, '-') if blank_follows => (flow, block) = (true, true),
            (0, _) => {}
            (_, ',' | '?' | '[' | ']' | '{' | '}') => flow = true,
            (_, ':') => {
                flow = true;
                block |= blank_follows;
            }
            (_, '#') if matches!(before, Some(' ' | '\t' | '\n')) => (flow, block) = (true, true),
            _ => {}
        }
        special |= !is_printable(*c);
        breaks |= *c == '\n';
        space_break |= *c == '\n' && before == Some(&' ');
        break_space |= *c == ' ' && before == Some(&'\n');
    }
    let starts = text.starts_with([' ', '\n']);
    let ends_space = text.ends_with(' ');
    let plain =
        !(starts || ends_space || text.ends_with('\n') || break_space || space_break || special || breaks);
    Analysis {
        plain: plain && !block && !text.is_empty(),
        flow_plain: plain && !flow && !block && !text.is_empty(),
        single: !(break_space || space_break || special),
        literal: !(ends_space || space_break || special),
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

fn escape(c: char) -> String {
    match c {
        '\0' => "\\0".into(),
        '\x07' => "\\a".into(),
        '\x08' => "\\b".into(),
        '\t' => "\\t".into(),
        '\n' => "\\n".into(),
        '\x0b' => "\\v".into(),
        '\x0c' => "\\f".into(),
        '\r' => "\\r".into(),
        '\x1b' => "\\e".into(),
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\u{85}' => "\\N".into(),
        '\u{2028}' => "\\L".into(),
        '\u{2029}' => "\\P".into(),
        c if (c as u32) <= 0xff => format!("\\x{:02X}", c as u32),
        c if (c as u32) <= 0xffff => format!("\\u{:04X}", c as u32),
        c => format!("\\U{:08X}", c as u32),
    }
}

/// Whether a plain word is a text and not a number, a switch, a time or nothing; the rules of YAML 1.1.
fn reads_as_text(text: &str) -> bool {
    const WORDS: [&str; 32] = [
        "", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On",
        "ON", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", ".nan", ".NaN",
        ".NAN", ".inf", "-.inf",
    ];
    const MORE: [&str; 6] = [".Inf", ".INF", "+.inf", "+.Inf", "-.Inf", "-.INF"];
    if WORDS.contains(&text) || MORE.contains(&text) || text == "+.INF" {
        return false;
    }
    let starts_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    !(starts_number && (is_number(text) || is_base_60(text) || is_date(text)))
}

fn is_number(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let digits = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)] {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
        }
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (digits, None),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_mantissa = match mantissa.split_once('.') {
        Some((whole, part)) => {
            all_digits(whole) && all_digits(part) && !(whole.is_empty() && part.is_empty())
        }
        None => all_digits(mantissa) && !mantissa.is_empty(),
    };
    is_mantissa && exponent.is_none_or(|e| !e.is_empty() && all_digits(e))
}

/// `1:20`, which older readers take for 80.
fn is_base_60(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (rest, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut parts = rest.split(':');
    let first = parts.next().unwrap_or("");
    let mut more = 0;
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        match bytes {
            [one] => one.is_ascii_digit(),
            [b'0'..=b'5', one] => one.is_ascii_digit(),
            _ => false,
        }
    };
    let parts_fit = parts.all(|part| {
        more += 1;
        is_part(part)
    });
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.chars().all(|c| c.is_ascii_digit() || c == '_')
        && parts_fit
        && more > 0
        && fraction.chars().all(|c| c.is_ascii_digit() || c == '_')
}

/// `2020-1-2`, alone or with a time.
fn is_date(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at).unwrap_or(""), text.get(at + 1..)),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let number = |part: &str, max: u32| {
        (1..=2).contains(&part.len()) && part.parse::<u32>().is_ok_and(|n| n >= 1 && n <= max)
    };
    let is_day = matches!(parts[..], [year, month, day]
        if year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && number(month, 12) && number(day, 31));
    is_day
        && time.is_none_or(|time| {
            let clock = time.trim_end_matches(|c: char| {
                c == 'Z' || c.is_ascii_digit() || matches!(c, '.' | ':' | '+' | '-')
            });
            clock.is_empty() && time.matches(':').count() >= 2
        })
}
