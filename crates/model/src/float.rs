//! Floats as Go prints them, because clients compare text.
//!
//! All three functions print the shortest decimal that reads back to the same bits.

use std::fmt::Write;

/// `strconv.FormatFloat(v, 'g', -1, 64)`: exposition text, template output, label values.
pub fn format_g(v: f64) -> String {
    let mut out = String::with_capacity(24);
    write_g(&mut out, v);
    out
}

/// Appends [`format_g`] of `v`.
pub fn write_g(out: &mut String, v: f64) {
    if !write_special(out, v) {
        let (digits, exp) = shortest(v);
        // Shortest precision counts as six digits in Go's choice between plain and exponent form.
        let limit = 6;
        if exp < -4 || exp >= limit { write_exponent(out, v, &digits, exp) } else { write_plain(out, v) }
    }
}

/// `strconv.FormatFloat(v, 'f', -1, 64)`: never an exponent. PromQL's number literals and API samples.
pub fn format_f(v: f64) -> String {
    let mut out = String::with_capacity(24);
    if !write_special(&mut out, v) {
        write_plain(&mut out, v);
    }
    out
}

/// The form of sample values in Prometheus' JSON replies: `'f'`, but an exponent below 1e-6 and from 1e21 on.
pub fn write_json(out: &mut String, v: f64) {
    if write_special(out, v) {
        return;
    }
    let abs = v.abs();
    if abs != 0.0 && !(1e-6..1e21).contains(&abs) {
        let (digits, exp) = shortest(v);
        write_exponent(out, v, &digits, exp);
    } else {
        write_plain(out, v);
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

/// Shortest digits (no point) and the decimal exponent of the first digit.
fn shortest(v: f64) -> (String, i32) {
    let text = format!("{:e}", v.abs());
    let (mantissa, exp) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exp.parse().unwrap_or(0))
}

fn write_plain(out: &mut String, v: f64) {
    // Rust's Display is the shortest round-trip form without an exponent.
    let _ = write!(out, "{v}");
}

fn write_exponent(out: &mut String, v: f64, digits: &str, exp: i32) {
    if v.is_sign_negative() {
        out.push('-');
    }
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    let _ = write!(out, "e{}{:02}", if exp < 0 { '-' } else { '+' }, exp.abs());
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
    }
}
