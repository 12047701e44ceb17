//! Literals: numbers, character constants, quoted strings.

/// A number literal: an ideal constant that takes the type its place asks for.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub text: String,
    pub int: Option<i64>,
    pub float: Option<f64>,
    /// A literal that looks like a float (`1.0`, `1e3`) stays one where any type would do.
    pub prefers_float: bool,
}

impl Number {
    pub fn parse(text: &str) -> Result<Number, String> {
        let bad = || format!("illegal number syntax: {}", quote(text));
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") || digits.is_empty() {
            return Err(bad());
        }
        let lower = digits.replace('_', "").to_ascii_lowercase();
        let (radix, body) = match lower.get(..2) {
            Some("0x") => (16, &lower[2..]),
            Some("0o") => (8, &lower[2..]),
            Some("0b") => (2, &lower[2..]),
            _ if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit()) => {
                (8, &lower[1..])
            }
            _ => (10, lower.as_str()),
        };
        let sign = if negative { "-" } else { "" };
        if let Ok(int) = i64::from_str_radix(&format!("{sign}{body}"), radix) {
            return Ok(Number {
                text: text.into(),
                int: Some(int),
                float: Some(int as f64),
                prefers_float: false,
            });
        }
        if radix != 10 {
            return Err(bad());
        }
        if lower.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("integer overflow: {}", quote(text)));
        }
        let value: f64 = lower.parse().map_err(|_| bad())?;
        let value = if negative { -value } else { value };
        let whole = value.trunc() == value && value.abs() < 9.2e18;
        Ok(Number {
            text: text.into(),
            int: whole.then_some(value as i64),
            float: Some(value),
            prefers_float: true,
        })
    }

    /// A character constant is its code point.
    pub fn parse_char(text: &str) -> Result<Number, String> {
        let bad = || format!("malformed character constant: {text}");
        let inner = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).ok_or_else(bad)?;
        let unquoted = unescape(inner, '\'').ok_or_else(bad)?;
        let mut chars = unquoted.chars();
        let (Some(c), None) = (chars.next(), chars.next()) else {
            return Err(bad());
        };
        let code = i64::from(c as u32);
        Ok(Number { text: text.into(), int: Some(code), float: Some(code as f64), prefers_float: false })
    }
}

/// Go's `strconv.Unquote` for interpreted and raw strings.
pub(crate) fn unquote(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('`').and_then(|t| t.strip_suffix('`')) {
        return Some(raw.replace('\r', ""));
    }
    unescape(text.strip_prefix('"')?.strip_suffix('"')?, '"')
}

fn unescape(inner: &str, delimiter: char) -> Option<String> {
    let mut out = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    let mut bytes_at: Vec<(usize, u8)> = Vec::new();
    let mut count = 0usize;
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(c);
            count += c.len_utf8();
            continue;
        }
        let escape = chars.next()?;
        let mut hex = |digits: usize| -> Option<u32> {
            let code: String = chars.by_ref().take(digits).collect();
            (code.len() == digits).then(|| u32::from_str_radix(&code, 16).ok()).flatten()
        };
        let c = match escape {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' => '\\',
            'x' => {
                // A raw byte; multi-byte characters may be spelled byte by byte.
                let byte = hex(2)? as u8;
                bytes_at.push((count, byte));
                push('\0');
                count += 1;
                continue;
            }
            'u' => char::from_u32(hex(4)?)?,
            'U' => char::from_u32(hex(8)?)?,
            '0'..='7' => {
                let mut code = escape.to_digit(8)?;
                for _ in 0..2 {
                    code = code * 8 + chars.next()?.to_digit(8)?;
                }
                bytes_at.push((count, u8::try_from(code).ok()?));
                push('\0');
                count += 1;
                continue;
            }
            c if c == delimiter => c,
            _ => return None,
        };
        push(c);
        count += c.len_utf8();
    }
    for (at, byte) in bytes_at {
        if let Some(slot) = out.get_mut(at) {
            *slot = byte;
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// Go's `strconv.Quote`.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    // Writing to a string cannot fail.
    let _ = model::labels::write_quoted(&mut out, text);
    out
}
