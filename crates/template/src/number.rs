//! Literals: numbers, character constants, quoted strings.

/// A number literal: an ideal constant that takes the type its place asks for.
///
/// Which of the three it can be was decided when it was parsed: `3` is all of them, `3.0` too, `3.5` only a
/// float, `-3` no unsigned integer, `0xFFFFFFFFFFFFFFFF` no signed one.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub text: String,
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
}

impl Number {
    pub fn parse(text: &str) -> Result<Number, String> {
        if let Some(real) = text.strip_suffix('i')
            && parse_float(real).is_some()
        {
            return Err(format!("imaginary numbers are not supported: {}", quote(text)));
        }
        let (negative, magnitude) = match text.as_bytes().first() {
            Some(b'-') => (true, parse_unsigned(&text[1..])),
            Some(b'+') => (false, parse_unsigned(&text[1..])),
            _ => (false, parse_unsigned(text)),
        };
        let mut number = Number { text: text.to_owned(), int: None, uint: None, float: None };
        if let Some(magnitude) = magnitude {
            number.int = match negative {
                true => 0i64.checked_sub_unsigned(magnitude),
                false => i64::try_from(magnitude).ok(),
            };
            // A sign rules an unsigned number out, unless it is zero.
            let signed = text.starts_with(['-', '+']);
            number.uint = (!signed || number.int == Some(0)).then_some(magnitude);
        }
        if let Some(int) = number.int {
            number.float = Some(int as f64);
        } else if let Some(uint) = number.uint {
            number.float = Some(uint as f64);
        } else if let Some(float) = parse_float(text) {
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quote(text)));
            }
            number.float = Some(float);
            let whole = float.trunc() == float;
            number.int = (whole && (-9.223372036854776e18..9.223372036854776e18).contains(&float))
                .then_some(float as i64);
            number.uint = (whole && (0.0..1.8446744073709552e19).contains(&float)).then_some(float as u64);
        }
        if number.float.is_none() {
            return Err(format!("illegal number syntax: {}", quote(text)));
        }
        Ok(number)
    }

    /// A character constant is its code point.
    pub fn parse_char(text: &str) -> Result<Number, String> {
        let invalid = || "invalid syntax".to_owned();
        let inner = text.strip_prefix('\'').ok_or_else(invalid)?;
        if inner.starts_with('\'') {
            return Err(invalid());
        }
        let mut unescaper = Unescaper { rest: inner, delimiter: '\'' };
        let code = match unescaper.next().ok_or_else(invalid)?? {
            Unescaped::Char(c) => c as u32,
            Unescaped::Byte(byte) => u32::from(byte),
        };
        if unescaper.rest != "'" {
            return Err(format!("malformed character constant: {text}"));
        }
        Ok(Number {
            text: text.into(),
            int: Some(code.into()),
            uint: Some(code.into()),
            float: Some(code.into()),
        })
    }

    /// Whether the literal stays a float where any type would do.
    pub fn prefers_float(&self) -> bool {
        let bytes = self.text.as_bytes();
        let is_hex = bytes.len() > 2
            && bytes.first() == Some(&b'0')
            && matches!(bytes.get(1), Some(b'x' | b'X'))
            && !self.text.contains(['p', 'P']);
        !is_hex && bytes.first() != Some(&b'\'') && self.text.contains(['.', 'e', 'E', 'p', 'P'])
    }
}

/// Underscores may stand between digits, and after a base's prefix.
fn underscores_fit(digits: &str, has_prefix: bool) -> bool {
    !digits.ends_with('_') && !digits.contains("__") && (has_prefix || !digits.starts_with('_'))
}

/// `strconv.ParseUint(text, 0, 64)`.
fn parse_unsigned(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits, prefixed) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..)?, true),
        Some("0o") => (8, lower.get(2..)?, true),
        Some("0b") => (2, lower.get(2..)?, true),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..)?, true),
        _ => (10, lower.as_str(), false),
    };
    if !underscores_fit(digits, prefixed) || digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), radix).ok()
}

/// `strconv.ParseFloat`: decimal with underscores only behind a base prefix, or hexadecimal with an exponent
/// of two.
fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let value = match lower.strip_prefix("0x") {
        Some(hex) => parse_hex_float(hex)?,
        None => {
            let allowed = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-');
            if !lower.bytes().all(allowed) || !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                return None;
            }
            lower.parse::<f64>().ok().filter(|v| v.is_finite())?
        }
    };
    Some(if text.starts_with('-') { -value } else { value })
}

fn parse_hex_float(hex: &str) -> Option<f64> {
    let (mantissa, exponent) = hex.split_once('p')?;
    if !underscores_fit(mantissa, true) {
        return None;
    }
    let mantissa = mantissa.replace('_', "");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let exponent: i32 = exponent.parse().ok()?;
    // Sixteen digits are all a double can tell apart.
    let significant =
        u64::from_str_radix(digits.trim_start_matches('0').get(..16).unwrap_or(&digits), 16).ok()?;
    let dropped = digits.trim_start_matches('0').len().saturating_sub(16) as i32;
    let shift = exponent.saturating_sub(4 * fraction.len() as i32).saturating_add(4 * dropped);
    let value = significant as f64 * 2f64.powi(shift);
    value.is_finite().then_some(value)
}

/// Go's `strconv.Unquote` for interpreted and raw strings.
pub(crate) fn unquote(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('`').and_then(|t| t.strip_suffix('`')) {
        return Some(raw.replace('\r', ""));
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::with_capacity(inner.len());
    for item in (Unescaper { rest: inner, delimiter: '"' }) {
        match item.ok()? {
            Unescaped::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Unescaped::Byte(byte) => out.push(byte),
        }
    }
    // A character may be spelled byte by byte, so validity shows only at the end.
    Some(String::from_utf8_lossy(&out).into_owned())
}

enum Unescaped {
    Char(char),
    /// `\xff` and `\377` are bytes, not characters.
    Byte(u8),
}

/// Reads one character or escape after the other.
struct Unescaper<'a> {
    rest: &'a str,
    delimiter: char,
}

impl Unescaper<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        let mut code = 0u32;
        for _ in 0..count {
            code = code.checked_mul(radix)?.checked_add(self.take()?.to_digit(radix)?)?;
        }
        Some(code)
    }

    fn escape(&mut self) -> Option<Unescaped> {
        let c = match self.take()? {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' => '\\',
            'x' => return Some(Unescaped::Byte(self.digits(2, 16)? as u8)),
            'u' => char::from_u32(self.digits(4, 16)?)?,
            'U' => char::from_u32(self.digits(8, 16)?)?,
            first @ '0'..='7' => {
                let code = first.to_digit(8)? * 64 + self.digits(2, 8)?;
                return Some(Unescaped::Byte(u8::try_from(code).ok()?));
            }
            c if c == self.delimiter => c,
            _ => return None,
        };
        Some(Unescaped::Char(c))
    }
}

impl Iterator for Unescaper<'_> {
    type Item = Result<Unescaped, String>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.take()? {
            '\\' => Some(self.escape().ok_or_else(|| "invalid syntax".into())),
            '\n' => Some(Err("invalid syntax".into())),
            c if c == self.delimiter && self.delimiter == '"' => Some(Err("invalid syntax".into())),
            c => Some(Ok(Unescaped::Char(c))),
        }
    }
}

/// Go's `strconv.Quote`.
pub fn quote(text: &str) -> String {
    quote_with(text, '"', false)
}

/// Quotes with `delimiter`; `ascii` escapes everything outside ASCII too.
pub(crate) fn quote_with(text: &str, delimiter: char, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(delimiter);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c == delimiter => {
                out.push('\\');
                out.push(c);
            }
            c if (' '..='~').contains(&c) || (!ascii && is_print(c)) => out.push(c),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if (c as u32) < 0x10000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push(delimiter);
    out
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // The standard library's debug form leaves the same characters alone, but for marks that begin a text.
    let text: String = ['a', c].iter().collect();
    text.escape_debug().eq(text.chars())
}
