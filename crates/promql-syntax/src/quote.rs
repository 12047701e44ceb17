//! String literals: Go's escapes, read and written.

/// Reads a literal with its quotes (`"`, `'` or backtick). The bytes need not be UTF-8, since `\xff` is
/// allowed. `None` when the literal is malformed.
pub fn unquote(literal: &str) -> Option<Vec<u8>> {
    let quote = literal.chars().next()?;
    let body = literal.get(1..)?.strip_suffix(quote)?;
    if quote == '`' {
        return (!body.contains('`')).then(|| body.bytes().filter(|b| *b != b'\r').collect());
    }
    if !matches!(quote, '"' | '\'') || body.contains('\n') {
        return None;
    }
    let mut out = Vec::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => unescape(&mut chars, quote, &mut out)?,
            c if c == quote => return None,
            c => push_char(&mut out, c),
        }
    }
    Some(out)
}

fn unescape(chars: &mut std::str::Chars<'_>, quote: char, out: &mut Vec<u8>) -> Option<()> {
    let c = chars.next()?;
    let mut digits = |first: Option<char>, n: usize, radix: u32| {
        let mut value = 0;
        let mut next = first;
        for _ in 0..n {
            let digit = next.take().or_else(|| chars.next())?.to_digit(radix)?;
            value = value * radix + digit;
        }
        Some(value)
    };
    match c {
        'a' => out.push(7),
        'b' => out.push(8),
        'f' => out.push(12),
        'n' => out.push(b'\n'),
        'r' => out.push(b'\r'),
        't' => out.push(b'\t'),
        'v' => out.push(11),
        '\\' => out.push(b'\\'),
        '0'..='7' => out.push(u8::try_from(digits(Some(c), 3, 8)?).ok()?),
        'x' => out.push(u8::try_from(digits(None, 2, 16)?).ok()?),
        'u' => push_char(out, char::from_u32(digits(None, 4, 16)?)?),
        'U' => push_char(out, char::from_u32(digits(None, 8, 16)?)?),
        c if c == quote => push_char(out, c),
        _ => return None,
    }
    Some(())
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Go's `%q` of a string.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// Go's `%q` of bytes that may not be UTF-8.
pub fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_escaped(&mut out, c));
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out.push('"');
    out
}

/// Go's `%q` of one character.
pub(crate) fn quote_char(c: char) -> String {
    match c {
        '\'' => r"'\''".into(),
        '"' => "'\"'".into(),
        c => {
            let mut out = String::from("'");
            push_escaped(&mut out, c);
            out.push('\'');
            out
        }
    }
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
        c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
        c => out.push(c),
    }
}
