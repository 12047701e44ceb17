//! Go's `fmt` verbs over [`Value`].

use crate::number::quote;
use crate::value::Value;

/// Widths and precisions beyond this are refused, as `fmt` does.
const WIDTH_MAX: i64 = 1_000_000;

/// `fmt.Sprint` of one value: `%v`.
pub fn display(value: &Value) -> String {
    match value {
        Value::Nil => "<nil>".into(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(v) => model::float::format_g(*v),
        Value::Str(s) | Value::Html(s) | Value::Url(s) => s.to_string(),
        Value::Time(t) => t.to_string(),
        Value::Duration(d) => d.to_string(),
        Value::List(items) => {
            format!("[{}]", items.iter().map(display).collect::<Vec<_>>().join(" "))
        }
        Value::StrMap(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{v}")).collect();
            format!("map[{}]", pairs.join(" "))
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", display(v))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        Value::Object(o) => o.underlying().map_or_else(|| o.display(), |v| display(&v)),
    }
}

#[derive(Default, Clone)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `fmt.Sprintf`.
pub fn sprintf(format: &str, args: &[Value]) -> String {
    let mut state = State { args, next: 0, reordered: false, bad_index: false, out: String::new() };
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            state.out.push(c);
            continue;
        }
        state.directive(&mut chars);
    }
    if !state.reordered && state.next < args.len() {
        state.out.push_str("%!(EXTRA ");
        for (i, arg) in args.iter().enumerate().skip(state.next) {
            if i > state.next {
                state.out.push_str(", ");
            }
            match arg {
                Value::Nil => state.out.push_str("<nil>"),
                arg => state.out.push_str(&format!("{}={}", arg.type_name(), display(arg))),
            }
        }
        state.out.push(')');
    }
    state.out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

struct State<'a> {
    args: &'a [Value],
    next: usize,
    reordered: bool,
    bad_index: bool,
    out: String,
}

impl State<'_> {
    fn directive(&mut self, chars: &mut Chars<'_>) {
        let mut flags = Flags::default();
        self.bad_index = false;
        while let Some(c) = chars.peek() {
            match c {
                '-' => {
                    flags.minus = true;
                    flags.zero = false;
                }
                '+' => flags.plus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                '0' => flags.zero = !flags.minus,
                _ => break,
            }
            chars.next();
        }
        self.index(chars);
        match self.star_or_number(chars) {
            Ok(Some(n)) if n < 0 => {
                flags.minus = true;
                flags.zero = false;
                flags.width = Some(n.unsigned_abs() as usize);
            }
            Ok(width) => flags.width = width.map(|n| n as usize),
            Err(()) => self.out.push_str("%!(BADWIDTH)"),
        }
        if chars.peek() == Some(&'.') {
            chars.next();
            self.index(chars);
            match self.star_or_number(chars) {
                Ok(Some(n)) if n >= 0 => flags.precision = Some(n as usize),
                Ok(None) => flags.precision = Some(0),
                Ok(Some(_)) => {}
                Err(()) => self.out.push_str("%!(BADPREC)"),
            }
        }
        self.index(chars);
        let Some(verb) = chars.next() else {
            self.out.push_str("%!(NOVERB)");
            return;
        };
        if verb == '%' {
            self.out.push('%');
        } else if self.bad_index {
            self.out.push_str(&format!("%!{verb}(BADINDEX)"));
        } else if let Some(arg) = self.args.get(self.next) {
            self.next += 1;
            self.out.push_str(&one(verb, arg, &flags));
        } else {
            self.out.push_str(&format!("%!{verb}(MISSING)"));
        }
    }

    /// `[n]` chooses the argument to use next.
    fn index(&mut self, chars: &mut Chars<'_>) {
        if chars.peek() != Some(&'[') {
            return;
        }
        chars.next();
        self.reordered = true;
        let text: String = std::iter::from_fn(|| chars.next().filter(|c| *c != ']')).collect();
        match text.parse::<usize>() {
            Ok(n) if n >= 1 && n <= self.args.len() => self.next = n - 1,
            _ => self.bad_index = true,
        }
    }

    fn star_or_number(&mut self, chars: &mut Chars<'_>) -> Result<Option<i64>, ()> {
        if chars.peek() == Some(&'*') {
            chars.next();
            let arg = self.args.get(self.next);
            self.next += 1;
            return match arg {
                Some(Value::Int(n)) if n.abs() <= WIDTH_MAX => Ok(Some(*n)),
                _ => Err(()),
            };
        }
        let mut digits = String::new();
        while let Some(c) = chars.peek().filter(|c| c.is_ascii_digit()) {
            digits.push(*c);
            chars.next();
        }
        match digits.parse::<i64>() {
            Ok(n) if n <= WIDTH_MAX => Ok(Some(n)),
            Ok(_) => Err(()),
            Err(_) => Ok(None),
        }
    }
}

fn one(verb: char, arg: &Value, flags: &Flags) -> String {
    match (verb, arg) {
        ('T', arg) => return pad(arg.type_name(), flags),
        ('v', Value::Nil) => return pad("<nil>", flags),
        (_, Value::Nil) => return format!("%!{verb}(<nil>)"),
        _ => {}
    }
    let text = match arg {
        Value::Object(object) => match object.underlying() {
            Some(value) => return one(verb, &value, flags),
            None if matches!(verb, 'v' | 's') => Some(pad(&object.display(), flags)),
            None => None,
        },
        Value::Bool(b) => matches!(verb, 't' | 'v').then(|| pad(&b.to_string(), flags)),
        Value::Int(n) => integer(verb, *n, flags),
        Value::Float(v) => float(verb, *v, flags),
        Value::Str(s) | Value::Html(s) | Value::Url(s) => string(verb, s, flags),
        Value::Duration(d) => match verb {
            'v' | 's' | 'q' => string(verb, &d.to_string(), flags),
            _ => integer(verb, d.0, flags),
        },
        Value::Time(t) => string(verb, &t.to_string(), flags),
        Value::List(items) => {
            let parts: Vec<String> = items.iter().map(|item| one(verb, item, flags)).collect();
            Some(format!("[{}]", parts.join(" ")))
        }
        Value::StrMap(map) => {
            let parts: Vec<String> = map
                .iter()
                .map(|(k, v)| {
                    format!("{}:{}", one(verb, &Value::str(k), flags), one(verb, &Value::str(v), flags))
                })
                .collect();
            Some(format!("map[{}]", parts.join(" ")))
        }
        Value::Map(map) => {
            let parts: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{}:{}", one(verb, &Value::str(k), flags), one(verb, v, flags)))
                .collect();
            Some(format!("map[{}]", parts.join(" ")))
        }
        Value::Nil => None,
    };
    text.unwrap_or_else(|| format!("%!{verb}({}={})", arg.type_name(), display(arg)))
}

fn pad(text: &str, flags: &Flags) -> String {
    let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        return text.to_owned();
    }
    if flags.minus {
        format!("{text}{}", " ".repeat(missing))
    } else if flags.zero {
        format!("{}{text}", "0".repeat(missing))
    } else {
        format!("{}{text}", " ".repeat(missing))
    }
}

/// Zeros go between the sign and the digits.
fn pad_number(negative: bool, digits: &str, flags: &Flags, zeros_allowed: bool) -> String {
    let sign = match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let width = flags.width.unwrap_or(0);
    let zeros = flags.zero && !flags.minus && zeros_allowed;
    let length = sign.len() + digits.chars().count();
    if zeros && width > length {
        return format!("{sign}{}{digits}", "0".repeat(width - length));
    }
    pad(&format!("{sign}{digits}"), &Flags { zero: false, ..flags.clone() })
}

fn integer(verb: char, n: i64, flags: &Flags) -> Option<String> {
    let magnitude = n.unsigned_abs();
    let mut digits = match verb {
        'd' | 'v' => magnitude.to_string(),
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'c' => return Some(pad(&char_of(n).to_string(), flags)),
        'q' => return Some(pad(&quote_char(char_of(n)), flags)),
        'U' => {
            let text = format!("U+{magnitude:04X}");
            let text = if flags.sharp { format!("{text} '{}'", char_of(n)) } else { text };
            return Some(pad(&text, &Flags { zero: false, ..flags.clone() }));
        }
        _ => return None,
    };
    if let Some(precision) = flags.precision {
        digits = format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
        if precision == 0 && n == 0 {
            digits.clear();
        }
    }
    let prefix = match verb {
        'O' => "0o",
        'b' if flags.sharp => "0b",
        'o' if flags.sharp && !digits.starts_with('0') => "0",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        _ => "",
    };
    Some(pad_number(n < 0, &format!("{prefix}{digits}"), flags, flags.precision.is_none()))
}

fn char_of(n: i64) -> char {
    u32::try_from(n).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn quote_char(c: char) -> String {
    match c {
        '\'' => r"'\''".into(),
        '"' => "'\"'".into(),
        c => {
            let quoted = quote(&c.to_string());
            format!("'{}'", quoted.trim_matches('"'))
        }
    }
}

fn float(verb: char, v: f64, flags: &Flags) -> Option<String> {
    let magnitude = v.abs();
    let negative = v.is_sign_negative() && !v.is_nan();
    let digits = match verb {
        'v' | 'g' | 'G' => general(magnitude, flags.precision),
        'f' | 'F' => format!("{magnitude:.*}", flags.precision.unwrap_or(6)),
        'e' | 'E' => exponent(&format!("{magnitude:.*e}", flags.precision.unwrap_or(6))),
        _ => return None,
    };
    if !v.is_finite() {
        let text = if v.is_nan() { "NaN" } else { "Inf" };
        let sign = match (negative, flags.plus || v.is_infinite() && verb == 'v', flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ if v.is_infinite() => "+",
            _ => "",
        };
        return Some(pad(&format!("{sign}{text}"), &Flags { zero: false, ..flags.clone() }));
    }
    let digits = if verb.is_uppercase() { digits.to_uppercase() } else { digits };
    Some(pad_number(negative, &digits, flags, true))
}

/// Rust writes `1.5e6` and `1.5e-6`, Go `1.5e+06` and `1.5e-06`.
fn exponent(text: &str) -> String {
    let (mantissa, exp) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = match exp.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exp),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `%g`: significant digits, trailing zeros removed, an exponent when the number is far from one.
fn general(v: f64, precision: Option<usize>) -> String {
    let Some(precision) = precision else {
        return model::float::format_g(v);
    };
    if !v.is_finite() {
        return String::new();
    }
    let precision = precision.max(1);
    let scientific = format!("{v:.*e}", precision - 1);
    let (mantissa, exp) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exp: i32 = exp.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let mut threshold = precision as i32;
    let significant = trim(mantissa).replace('.', "").len() as i32;
    if threshold > significant && significant > exp {
        threshold = significant;
    }
    if exp < -4 || exp >= threshold {
        return exponent(&format!("{}e{exp}", trim(mantissa)));
    }
    let decimals = (precision as i32 - 1 - exp).max(0) as usize;
    trim(&format!("{v:.decimals$}"))
}

fn string(verb: char, s: &str, flags: &Flags) -> Option<String> {
    let cut: String = match flags.precision {
        Some(n) => s.chars().take(n).collect(),
        None => s.to_owned(),
    };
    Some(match verb {
        's' | 'v' => pad(&cut, flags),
        'q' if flags.sharp && !cut.contains('`') && !cut.chars().any(|c| c.is_control() && c != '\t') => {
            pad(&format!("`{cut}`"), flags)
        }
        'q' => pad(&quote(&cut), flags),
        'x' | 'X' => {
            let separator = if flags.space { " " } else { "" };
            let bytes = s.as_bytes();
            let bytes = bytes.get(..flags.precision.unwrap_or(bytes.len())).unwrap_or(bytes);
            let hex: Vec<String> = bytes
                .iter()
                .map(|b| if verb == 'x' { format!("{b:02x}") } else { format!("{b:02X}") })
                .collect();
            pad(&hex.join(separator), flags)
        }
        _ => return None,
    })
}
