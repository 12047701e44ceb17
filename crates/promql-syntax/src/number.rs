//! Number literals: decimal, hexadecimal, octal, binary, with underscores, `Inf` and `NaN`.

/// Reads a number as the original does: first as an integer with Go's base prefixes, then as a float.
pub fn parse_number(text: &str) -> Option<f64> {
    parse_integer(text).map(|n| n as f64).or_else(|| parse_float(text))
}

fn parse_integer(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    if !underscores_separate_digits(digits, radix != 10) {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), radix).ok()
}

fn parse_float(text: &str) -> Option<f64> {
    match text.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str() {
        "inf" | "infinity" => {
            return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if !underscores_separate_digits(text, false) {
        return None;
    }
    let plain = text.replace('_', "");
    // Rust reads overflow as infinity where Go reports an error.
    plain.parse::<f64>().ok().filter(|v| v.is_finite())
}

/// Underscores stand between digits only; one may follow a base prefix.
fn underscores_separate_digits(text: &str, after_prefix: bool) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter(|(_, b)| **b == b'_').all(|(i, _)| {
        let before = if i == 0 { after_prefix } else { bytes[i - 1].is_ascii_hexdigit() };
        before && bytes.get(i + 1).is_some_and(u8::is_ascii_hexdigit)
    })
}
