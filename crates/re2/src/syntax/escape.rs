//! Escapes that stand for one character.

use super::error::{Error, Kind};

pub(super) fn next(text: &str) -> Option<(char, &str)> {
    let c = text.chars().next()?;
    Some((c, &text[c.len_utf8()..]))
}

/// The character an escape stands for, and what follows it. `text` begins with the backslash.
pub(super) fn escape(text: &str) -> Result<(char, &str), Error> {
    let Some((c, mut rest)) = text.get(1..).and_then(next) else {
        return Err(Error::new(Kind::TrailingBackslash, ""));
    };
    let found = match c {
        'a' => Some('\x07'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        'x' => return hexadecimal(text, rest),
        // `\1` alone would refer back to a group, which no automaton can.
        '1'..='7' if !rest.starts_with(|c: char| c.is_digit(8)) => None,
        '0'..='7' => {
            let mut code = c.to_digit(8).unwrap_or_default();
            for _ in 0..2 {
                let Some(digit) = rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
                code = code * 8 + digit;
                rest = &rest[1..];
            }
            char::from_u32(code)
        }
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    };
    found.map(|c| (c, rest)).ok_or_else(|| invalid(text, rest))
}

fn invalid(text: &str, rest: &str) -> Error {
    Error::new(Kind::Escape, text.get(..text.len() - rest.len()).unwrap_or(text))
}

/// `\x41` and `\x{1F600}`. How much of a wrong one the message shows is Go's habit.
fn hexadecimal<'a>(text: &'a str, after: &'a str) -> Result<(char, &'a str), Error> {
    let Some((first, mut rest)) = next(after) else { return Err(invalid(text, after)) };
    let mut code = 0u32;
    if first != '{' {
        // Both digits are read before either is looked at.
        let second = next(rest);
        let rest = second.map_or(rest, |(_, rest)| rest);
        let digits = first.to_digit(16).zip(second.and_then(|(c, _)| c.to_digit(16)));
        let c = digits.and_then(|(high, low)| char::from_u32(high * 16 + low));
        return c.map(|c| (c, rest)).ok_or_else(|| invalid(text, rest));
    }
    let mut digits = 0;
    loop {
        let Some((c, after)) = next(rest) else { return Err(invalid(text, rest)) };
        rest = after;
        if c == '}' {
            break;
        }
        let Some(digit) = c.to_digit(16) else { return Err(invalid(text, rest)) };
        code = code * 16 + digit;
        digits += 1;
        if code > 0x10ffff {
            return Err(invalid(text, rest));
        }
    }
    if digits == 0 {
        return Err(invalid(text, rest));
    }
    // A surrogate is no character and so matches nothing; the nearest that can be written is the
    // replacement character, which is what such bytes are read as.
    Ok((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), rest))
}
