//! Integers in five bases and floats in five notations.

use super::print::{Flags, pad_with};

/// The digits of an integer with sign, prefix, precision and zero padding; `None` for other verbs.
pub(super) fn integer(magnitude: u64, negative: bool, verb: char, flags: &Flags) -> Option<String> {
    let mut digits = match verb {
        'd' | 'v' => magnitude.to_string(),
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        _ => return None,
    };
    let signed = negative || flags.plus || flags.space;
    let least = match flags.precision() {
        // Zero in no digits at all is nothing but blanks.
        Some(0) if magnitude == 0 => return Some(String::new()),
        Some(precision) => precision,
        None if flags.zero && !flags.minus => flags.width().saturating_sub(usize::from(signed)),
        None => 0,
    };
    digits.insert_str(0, &"0".repeat(least.saturating_sub(digits.len())));
    let prefix = match verb {
        'O' => "0o",
        _ if !flags.sharp => "",
        'b' => "0b",
        'o' if !digits.starts_with('0') => "0",
        'x' => "0x",
        'X' => "0X",
        _ => "",
    };
    // `%#O` has both prefixes.
    let octal = if verb == 'O' && flags.sharp && !digits.starts_with('0') { "0" } else { "" };
    let sign = match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    Some(format!("{sign}{prefix}{octal}{digits}"))
}

/// A float, padded; `None` for other verbs.
pub(super) fn float(v: f64, verb: char, flags: &Flags) -> Option<String> {
    let magnitude = v.abs();
    let (notation, precision) = match verb {
        'v' => ('g', flags.precision()),
        'g' | 'G' | 'x' | 'X' | 'b' => (verb, flags.precision()),
        'f' | 'F' => ('f', Some(flags.precision().unwrap_or(6))),
        'e' | 'E' => (verb, Some(flags.precision().unwrap_or(6))),
        _ => return None,
    };
    let negative = v.is_sign_negative() && !v.is_nan();
    let sign = match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let mut out = String::new();
    if !v.is_finite() {
        let text = if v.is_nan() { format!("{sign}NaN") } else { format!("{}Inf", infinite_sign(sign)) };
        pad_with(&mut out, &text, flags, ' ');
        return Some(out);
    }
    let mut digits = match notation {
        'f' => format!("{magnitude:.*}", precision.unwrap_or(6)),
        'e' => exponent(&format!("{magnitude:.*e}", precision.unwrap_or(6)), 'e'),
        'E' => exponent(&format!("{magnitude:.*e}", precision.unwrap_or(6)), 'E'),
        'x' | 'X' => hexadecimal(magnitude, precision, notation),
        'b' => binary(magnitude),
        _ => general(magnitude, precision, if notation == 'G' { 'E' } else { 'e' }),
    };
    if flags.sharp && notation != 'b' {
        digits = with_point(&digits, notation, precision);
    }
    if flags.zero && !flags.minus {
        let zeros = flags.width().saturating_sub(sign.len() + digits.len());
        return Some(format!("{sign}{}{digits}", "0".repeat(zeros)));
    }
    pad_with(&mut out, &format!("{sign}{digits}"), flags, ' ');
    Some(out)
}

/// Infinity always has a sign.
fn infinite_sign(sign: &str) -> &str {
    if sign.is_empty() { "+" } else { sign }
}

/// Rust writes `1.5e6` and `1.5e-6`, Go `1.5e+06` and `1.5e-06`.
fn exponent(text: &str, letter: char) -> String {
    let (mantissa, exp) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = match exp.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exp),
    };
    format!("{mantissa}{letter}{sign}{digits:0>2}")
}

/// `%g`: significant digits, trailing zeros removed, an exponent when the number is far from one.
fn general(v: f64, precision: Option<usize>, letter: char) -> String {
    let Some(precision) = precision else {
        let text = model::float::format_g(v);
        return if letter == 'E' { text.replace('e', "E") } else { text };
    };
    let precision = precision.max(1);
    let scientific = format!("{v:.*e}", precision - 1);
    let (mantissa, exp) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exp: i32 = exp.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let significant = trim(mantissa).replace('.', "").len() as i32;
    let mut threshold = precision as i32;
    // Digits that are all before the point make room for an exponent later.
    if threshold > significant && significant > exp {
        threshold = significant;
    }
    if exp < -4 || exp >= threshold {
        return exponent(&format!("{}e{exp}", trim(mantissa)), letter);
    }
    let decimals = usize::try_from(precision as i32 - 1 - exp).unwrap_or(0);
    trim(&format!("{v:.decimals$}"))
}

/// The sharp flag: a decimal point always, and trailing zeros up to the precision with `%g`.
fn with_point(digits: &str, notation: char, precision: Option<usize>) -> String {
    let end = match notation {
        'x' | 'X' => digits.find(['p', 'P']),
        _ => digits.find(['e', 'E']),
    };
    let (number, tail) = digits.split_at(end.unwrap_or(digits.len()));
    let mut out = number.to_owned();
    let wanted = if matches!(notation, 'g' | 'G' | 'x') { precision.unwrap_or(6) } else { 0 };
    let mut seen = number.bytes().filter(|b| *b != b'.').skip_while(|b| *b == b'0').count();
    if notation == 'x' {
        // The prefix counts among the digits there: the `x` is the first that is no zero.
        seen = number.bytes().skip_while(|b| *b == b'0').filter(|b| *b != b'.').count();
    }
    if !out.contains('.') {
        seen += usize::from(number == "0");
        out.push('.');
    }
    out.push_str(&"0".repeat(wanted.saturating_sub(seen)));
    out + tail
}

/// `%x`: `0x1.8p+01`.
fn hexadecimal(v: f64, precision: Option<usize>, verb: char) -> String {
    let bits = v.to_bits();
    let mut mantissa = bits & ((1 << 52) - 1);
    let mut exp = ((bits >> 52) & 0x7ff) as i32 - 1023;
    if v == 0.0 {
        exp = 0;
    } else if exp == -1023 {
        // Subnormal numbers are shifted until they begin with a one.
        let shift = mantissa.leading_zeros() - 11;
        mantissa = (mantissa << shift) & ((1 << 52) - 1);
        exp = -1022 - shift as i32;
    }
    let mut lead = u64::from(v != 0.0);
    if let Some(digits) = precision.filter(|digits| *digits < 13) {
        let dropped = 52 - 4 * digits as u32;
        let whole = (lead << 52) | mantissa;
        let (kept, rest, half) = (whole >> dropped, whole & ((1 << dropped) - 1), 1u64 << (dropped - 1));
        let rounded = kept + u64::from(rest > half || (rest == half && kept & 1 == 1));
        let whole = rounded << dropped;
        (lead, mantissa) = (whole >> 52, whole & ((1 << 52) - 1));
        if lead == 2 {
            (lead, exp) = (1, exp + 1);
        }
    }
    let mut fraction = format!("{mantissa:013x}");
    match precision {
        Some(digits) if digits < 13 => fraction.truncate(digits),
        Some(digits) => fraction.push_str(&"0".repeat(digits - 13)),
        None => fraction.truncate(fraction.trim_end_matches('0').len()),
    }
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exp < 0 { '-' } else { '+' };
    let text = format!("0x{lead}{point}{fraction}p{sign}{:02}", exp.unsigned_abs());
    if verb == 'X' { text.to_uppercase() } else { text }
}

/// `%b`: the mantissa as an integer and a power of two.
fn binary(v: f64) -> String {
    let bits = v.to_bits();
    let (mantissa, exp) = match ((bits >> 52) & 0x7ff) as i32 {
        0 => (bits & ((1 << 52) - 1), 1),
        exp => ((bits & ((1 << 52) - 1)) | 1 << 52, exp),
    };
    let exp = exp - 1075;
    let sign = if exp < 0 { "" } else { "+" };
    format!("{mantissa}p{sign}{exp}")
}
