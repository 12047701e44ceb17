//! Numbers as the exposition formats write them.

use model::float;

/// The NaN that every NaN in an exposition becomes, so that none is mistaken for a staleness marker.
pub const NORMAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;

/// Parses a sample value. The error is the one of the original, Go's `strconv` included.
pub fn parse_float(text: &[u8]) -> Result<f64, String> {
    if let Some(value) = short_decimal(text) {
        return Ok(value);
    }
    if text.iter().any(|b| matches!(b, b'p' | b'P' | b'_')) {
        return Err("unsupported character in float".into());
    }
    let text_str = || quote(text);
    let syntax = || format!("strconv.ParseFloat: parsing {}: invalid syntax", text_str());
    let value: f64 = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or_else(syntax)?;
    if value.is_nan() {
        // Go knows no signed NaN.
        return if text.len() == 3 { Ok(f64::from_bits(NORMAL_NAN_BITS)) } else { Err(syntax()) };
    }
    if value.is_infinite() && text.iter().any(u8::is_ascii_digit) {
        return Err(format!("strconv.ParseFloat: parsing {}: value out of range", text_str()));
    }
    Ok(value)
}

/// Digits, perhaps with a point between them, few enough that number and power of ten are both held exactly
/// and one division rounds correctly. Nearly all samples are written so.
fn short_decimal(text: &[u8]) -> Option<f64> {
    const DIGITS_MAX: usize = 15;
    const POWERS: [f64; DIGITS_MAX] =
        [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14];
    if text.is_empty() || text.len() > DIGITS_MAX + 1 {
        return None;
    }
    let (mut number, mut digits, mut point) = (0u64, 0, None);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            number = number * 10 + u64::from(digit);
            digits += 1;
        } else if *byte == b'.' && point.is_none() {
            point = Some(digits);
        } else {
            return None;
        }
    }
    let fraction = point.map_or(0, |whole| digits - whole);
    // A point at either end is left to those who know whether that is a number.
    if digits > DIGITS_MAX || point.is_some_and(|whole| whole == 0 || fraction == 0) {
        return None;
    }
    Some(number as f64 / POWERS.get(fraction)?)
}

/// Parses a timestamp in milliseconds (text format).
pub(crate) fn parse_int(text: &[u8]) -> Result<i64, String> {
    let text_str = std::str::from_utf8(text).unwrap_or_default();
    text_str.parse().map_err(|e: std::num::ParseIntError| {
        let reason = match e.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.ParseInt: parsing {}: {reason}", quote(text))
    })
}

/// `1` → `1.0`: the canonical form of `le` and `quantile`, so that text and OpenMetrics expositions of
/// one histogram give the same series.
pub fn canonical_bound(value: &str) -> Option<String> {
    let mut text = float::format_g(parse_float(value.as_bytes()).ok()?);
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        text.push_str(".0");
    }
    Some(text)
}

/// Go's `%q` of bytes: as [`model::labels::write_quoted`], invalid UTF-8 as `\xNN`.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        let mut quoted = String::new();
        if model::labels::write_quoted(&mut quoted, chunk.valid()).is_ok() {
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out.push('"');
    out
}
