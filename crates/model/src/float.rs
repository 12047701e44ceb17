//! Floats as Go prints them, because clients compare text.
//!
//! All three functions print the shortest decimal that reads back to the same bits.

/// `strconv.FormatFloat(v, 'g', -1, 64)`: exposition text, template output, label values.
pub fn format_g(v: f64) -> String {
    let mut out = String::with_capacity(24);
    write_g(&mut out, v);
    out
}

/// Appends [`format_g`] of `v`.
pub fn write_g(out: &mut String, v: f64) {
    if !write_special(out, v) {
        let shortest = Shortest::of(v);
        // Shortest precision counts as six digits in Go's choice between plain and exponent form.
        let plain = (-4..6).contains(&shortest.exponent);
        shortest.write(out, plain);
    }
}

/// `strconv.FormatFloat(v, 'f', -1, 64)`: never an exponent. PromQL's number literals and API samples.
pub fn format_f(v: f64) -> String {
    let mut out = String::with_capacity(24);
    if !write_special(&mut out, v) {
        Shortest::of(v).write(&mut out, true);
    }
    out
}

/// The form of sample values in Prometheus' JSON replies: `'f'`, but an exponent below 1e-6 and from 1e21 on.
pub fn write_json(out: &mut String, v: f64) {
    if !write_special(out, v) {
        let abs = v.abs();
        if abs == 0.0 || (1e-4..1e15).contains(&abs) {
            // These come without an exponent, and are right but for a zero after the point.
            let mut buffer = zmij::Buffer::new();
            let text = buffer.format_finite(v);
            return out.push_str(text.strip_suffix(".0").unwrap_or(text));
        }
        Shortest::of(v).write(out, abs == 0.0 || (1e-6..1e21).contains(&abs));
    }
}

fn write_special(out: &mut String, v: f64) -> bool {
    if v.is_nan() {
        out.push_str("NaN");
    } else if v.is_infinite() {
        out.push_str(if v > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        return false;
    }
    true
}

/// More digits than the shortest form of any float has.
const DIGITS_MAX: usize = 24;

/// A finite float as sign, digits and the decimal exponent of the first digit.
struct Shortest {
    negative: bool,
    digits: [u8; DIGITS_MAX],
    len: usize,
    exponent: i32,
}

impl Shortest {
    fn of(v: f64) -> Shortest {
        let mut shortest =
            Shortest { negative: v.is_sign_negative(), digits: [b'0'; DIGITS_MAX], len: 0, exponent: 0 };
        let mut buffer = zmij::Buffer::new();
        // Digits with a point somewhere and maybe an exponent. Zeros at either end are not counted.
        let (mut point, mut seen, mut zeros) = (None, 0i32, 0);
        let text = buffer.format_finite(v.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        for byte in mantissa.bytes() {
            match byte {
                b'.' => point = Some(seen),
                b'0' if shortest.len == 0 => {
                    seen += 1;
                    shortest.exponent -= 1;
                }
                b'0' => {
                    seen += 1;
                    zeros += 1;
                }
                digit => {
                    seen += 1;
                    shortest.len += zeros;
                    zeros = 0;
                    if let Some(place) = shortest.digits.get_mut(shortest.len) {
                        *place = digit;
                        shortest.len += 1;
                    }
                }
            }
        }
        if shortest.len == 0 {
            (shortest.len, shortest.exponent) = (1, 0);
            return shortest;
        }
        shortest.exponent += point.unwrap_or(seen) - 1 + exponent.parse().unwrap_or(0);
        shortest
    }

    fn write(&self, out: &mut String, plain: bool) {
        if self.negative {
            out.push('-');
        }
        let digits = std::str::from_utf8(self.digits.get(..self.len).unwrap_or_default()).unwrap_or("");
        if !plain {
            let (first, more) = digits.split_at_checked(1).unwrap_or((digits, ""));
            out.push_str(first);
            if !more.is_empty() {
                out.push('.');
                out.push_str(more);
            }
            out.push_str(if self.exponent < 0 { "e-" } else { "e+" });
            if self.exponent.abs() < 10 {
                out.push('0');
            }
            write_integer(out, u64::from(self.exponent.unsigned_abs()));
        } else if self.exponent < 0 {
            out.push_str("0.");
            (1..-self.exponent).for_each(|_| out.push('0'));
            out.push_str(digits);
        } else {
            let before = self.exponent as usize + 1;
            match digits.split_at_checked(before) {
                Some((whole, "")) => out.push_str(whole),
                Some((whole, fraction)) => {
                    out.push_str(whole);
                    out.push('.');
                    out.push_str(fraction);
                }
                None => {
                    out.push_str(digits);
                    (digits.len()..before).for_each(|_| out.push('0'));
                }
            }
        }
    }
}

/// Appends decimal digits.
pub fn write_integer(out: &mut String, mut n: u64) {
    // The largest has twenty. Two at a time: divisions are what takes the time.
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while n >= 100 {
        let pair = (n % 100) as u8;
        n /= 100;
        at -= 2;
        digits[at] = b'0' + pair / 10;
        digits[at + 1] = b'0' + pair % 10;
    }
    if n >= 10 {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    at -= 1;
    digits[at] = b'0' + n as u8;
    // SAFETY: digits are ASCII.
    out.push_str(unsafe { std::str::from_utf8_unchecked(&digits[at..]) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_go() {
        let check = |v: f64, g: &str, f: &str, json: &str| {
            let mut j = String::new();
            write_json(&mut j, v);
            assert_eq!((format_g(v).as_str(), format_f(v).as_str(), j.as_str()), (g, f, json));
        };
        check(0.0, "0", "0", "0");
        check(-0.0, "-0", "-0", "-0");
        check(1.5, "1.5", "1.5", "1.5");
        check(100000.0, "100000", "100000", "100000");
        check(1e6, "1e+06", "1000000", "1000000");
        check(1234567.0, "1.234567e+06", "1234567", "1234567");
        check(1234567.5, "1.2345675e+06", "1234567.5", "1234567.5");
        check(0.0001, "0.0001", "0.0001", "0.0001");
        check(0.00001, "1e-05", "0.00001", "0.00001");
        check(1e-7, "1e-07", "0.0000001", "1e-07");
        check(1e21, "1e+21", "1000000000000000000000", "1e+21");
        check(f64::INFINITY, "+Inf", "+Inf", "+Inf");
        check(f64::NEG_INFINITY, "-Inf", "-Inf", "-Inf");
        check(f64::NAN, "NaN", "NaN", "NaN");
        check(1024.0, "1024", "1024", "1024");
        check(-1203.5, "-1203.5", "-1203.5", "-1203.5");
        check(0.30000000000000004, "0.30000000000000004", "0.30000000000000004", "0.30000000000000004");
        check(5e-324, "5e-324", &format!("0.{}5", "0".repeat(323)), "5e-324");
        check(
            f64::MAX,
            "1.7976931348623157e+308",
            &format!("17976931348623157{}", "0".repeat(292)),
            "1.7976931348623157e+308",
        );
    }

    #[test]
    fn agrees_with_the_standard_library() {
        // Rust's Display is the shortest form without an exponent.
        let mut bits = 1u64;
        for _ in 0..50_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let [any, short] = [f64::from_bits(bits), (bits >> 40) as f64 / 1000.0];
            for v in [any, short, short.trunc(), short * 1e6, -short / 1e7, short * 1e12]
                .into_iter()
                .filter(|v| v.is_finite())
            {
                let text = format_f(v);
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), v.to_bits(), "{text}");
                assert_eq!(text.len(), v.to_string().len(), "{text} {v}");
                if v == 0.0 || (1e-6..1e21).contains(&v.abs()) {
                    let mut json = String::new();
                    write_json(&mut json, v);
                    assert_eq!(json, text);
                }
            }
        }
        let integer = |n| {
            let mut out = String::new();
            write_integer(&mut out, n);
            out
        };
        assert_eq!(
            (integer(0), integer(10), integer(u64::MAX)),
            ("0".into(), "10".into(), u64::MAX.to_string())
        );
    }
}
