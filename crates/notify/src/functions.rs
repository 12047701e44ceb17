//! The functions of notification templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE};
use platform::Clock;
use template::time::{Duration, Time, Zone, parse};
use template::{Functions, Kind, Value, display, quote};

use crate::json;

const STRINGS: Kind = Kind::Named("[]string");

const ANYTHING: Kind = Kind::Named("[]interface {}");

pub(crate) fn functions(clock: Arc<dyn Clock>) -> Functions {
    let mut f = Functions::new();
    text(&mut f);
    patterns(&mut f);
    encodings(&mut f);
    times(&mut f, clock);
    collections(&mut f);
    f
}

fn text(f: &mut Functions) {
    f.add("toUpper", &[Kind::Str], |call| Ok(call.text(0).chars().map(upper).collect::<String>().into()));
    f.add("toLower", &[Kind::Str], |call| Ok(call.text(0).chars().map(lower).collect::<String>().into()));
    f.add("title", &[Kind::Str], |call| Ok(title(call.text(0)).into()));
    f.add("trimSpace", &[Kind::Str], |call| Ok(call.text(0).trim().into()));
    f.add("join", &[Kind::Str, STRINGS], |call| match call.arg(1).flatten() {
        Value::List(items) => {
            let parts: Vec<String> = items.iter().map(display).collect();
            Ok(parts.join(call.text(0)).into())
        }
        _ => Ok("".into()),
    });
    f.add("safeHtml", &[Kind::Str], |call| Ok(Value::Html(call.text(0).into())));
    f.add("safeUrl", &[Kind::Str], |call| Ok(Value::Url(call.text(0).into())));
}

fn patterns(f: &mut Functions) {
    f.add("match", &[Kind::Str, Kind::Str], |call| {
        let pattern = re2::Regex::new(call.text(0)).map_err(|e| e.to_string())?;
        Ok(Value::Bool(pattern.is_match(call.text(1))))
    });
    f.add("reReplaceAll", &[Kind::Str, Kind::Str, Kind::Str], |call| {
        let text = call.text(0);
        let pattern = re2::Regex::new(text).map_err(|e| {
            let plain = text.chars().all(|c| c != '`' && (c == '\t' || !c.is_control()));
            let quoted = if plain { format!("`{text}`") } else { quote(text) };
            format!("regexp: Compile({quoted}): {e}")
        })?;
        Ok(pattern.replace_all(call.text(2), call.text(1)).into())
    });
}

fn encodings(f: &mut Functions) {
    f.add("urlUnescape", &[Kind::Str], |call| unescape(call.text(0)).map(Value::from));
    f.add("toJson", &[Kind::Any], |call| Ok(json::encode(call.arg(0)).into()));
    f.add("base64encode", &[Kind::Str], |call| Ok(URL_SAFE.encode(call.text(0)).into()));
    f.add("base64decode", &[Kind::Str], |call| {
        Ok(String::from_utf8_lossy(&base64_decode(call.text(0))?).into_owned().into())
    });
}

fn times(f: &mut Functions, clock: Arc<dyn Clock>) {
    f.add("date", &[Kind::Str, Kind::Time], |call| Ok(time(call.arg(1)).format(call.text(0)).into()));
    f.add("tz", &[Kind::Str, Kind::Time], |call| Ok(Value::Time(time(call.arg(1)).in_zone(call.text(0))?)));
    let now = clock.clone();
    f.add("now", &[], move |_| Ok(Value::Time(Time::from_ns(now.now_ns()))));
    f.add("since", &[Kind::Time], move |call| {
        Ok(Value::Duration(Time::from_ns(clock.now_ns()).sub(&time(call.arg(0)))))
    });
    template::humanize::install(f);
    f.add("toDate", &[Kind::Str, Kind::Str], |call| {
        Ok(Value::Time(parse(call.text(0), call.text(1), &Zone::Utc).unwrap_or_else(|_| Time::zero())))
    });
    f.add("mustToDate", &[Kind::Str, Kind::Str], |call| {
        parse(call.text(0), call.text(1), &Zone::Utc).map(Value::Time)
    });
    f.add("duration", &[Kind::Int], |call| Ok(Value::Duration(Duration(call.int(0)))));
}

fn collections(f: &mut Functions) {
    f.add_variadic("stringSlice", &[], Kind::Str, |call| {
        Ok(Value::typed_list("[]string", call.args.to_vec()))
    });
    f.add_variadic("list", &[], Kind::Any, |call| Ok(Value::list(call.args.to_vec())));
    f.add_variadic("append", &[ANYTHING], Kind::Any, |call| {
        let mut items = match call.arg(0).flatten() {
            Value::List(items) => (*items).clone(),
            _ => Vec::new(),
        };
        items.extend(call.args.iter().skip(1).cloned());
        Ok(Value::list(items))
    });
    f.add_variadic("dict", &[], Kind::Any, |call| {
        if !call.args.len().is_multiple_of(2) {
            return Err("dict requires an even number of arguments".into());
        }
        let mut map = BTreeMap::new();
        for pair in call.args.chunks(2) {
            let Some(Value::Str(key)) = pair.first() else {
                return Err("dict keys must be strings".into());
            };
            map.insert(key.to_string(), pair.get(1).cloned().unwrap_or_default());
        }
        Ok(map.into())
    });
    f.add("routeLabels", &[Kind::Str], |call| {
        let labels = match call.root {
            Value::Object(data) => data.field("RouteLabels").map(|labels| labels.flatten()),
            _ => None,
        };
        Ok(match labels {
            Some(Value::StrMap(labels)) => Value::str(labels.get(call.text(0)).map_or("", String::as_str)),
            _ => "".into(),
        })
    });
}

/// The executor has checked the type.
fn time(value: &Value) -> Time {
    if let Value::Time(time) = value { time.clone() } else { Time::zero() }
}

/// One character to one: `ß` stays as it is.
fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    mapped.next().filter(|_| mapped.next().is_none()).unwrap_or(c)
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// The first letter of each word as a capital, the others small. A word is what Unicode takes for one: an
/// apostrophe or a full stop between letters does not end it.
fn title(text: &str) -> String {
    let (mut out, mut begun) = (String::with_capacity(text.len()), false);
    let mut chars = text.chars().peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        let joins = matches!(c, '\'' | '’' | '.' | ':' | '·' | '‧')
            && last.is_alphabetic()
            && chars.peek().is_some_and(|next| next.is_alphabetic());
        if !(c.is_alphanumeric() || c == '_' || joins) {
            begun = false;
        }
        if !c.is_alphabetic() {
            out.push(c);
        } else if begun {
            out.extend(c.to_lowercase());
        } else {
            push_title(&mut out, c);
            begun = true;
        }
        last = c;
    }
    out
}

fn push_title(out: &mut String, c: char) {
    match c {
        // Pairs of letters that are one character have a form of their own.
        'Ǆ' | 'ǆ' => out.push('ǅ'),
        'Ǉ' | 'ǉ' => out.push('ǈ'),
        'Ǌ' | 'ǌ' => out.push('ǋ'),
        'Ǳ' | 'ǳ' => out.push('ǲ'),
        c => {
            let mut mapped = c.to_uppercase();
            out.extend(mapped.next());
            out.extend(mapped.flat_map(char::to_lowercase));
        }
    }
}

/// `url.QueryUnescape`.
fn unescape(text: &str) -> Result<String, String> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digit = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
                let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                    let bad = String::from_utf8_lossy(after.get(..2).unwrap_or(after)).into_owned();
                    return Err(format!("invalid URL escape {}", quote(&format!("%{bad}"))));
                };
                out.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            byte => out.push(*byte),
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Go's URL alphabet with padding; line breaks are skipped, left-over bits ignored.
fn base64_decode(text: &str) -> Result<Vec<u8>, String> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let kept: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    TOLERANT.decode(&kept).map_err(|_| {
        // Where Go stops: at a character that has no place there, or before a group that is not whole.
        let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let digits = kept.iter().take_while(|b| is_digit(b)).count();
        let at = match kept.get(digits..).unwrap_or_default() {
            [] => digits - digits % 4,
            [b'=', b'=', _, ..] if digits % 4 == 2 => digits + 2,
            [b'=', _, ..] if digits % 4 == 3 => digits + 1,
            [b'='] if digits % 4 == 2 => digits + 1,
            [b'=', ..] if digits % 4 == 2 => digits + 1,
            _ => digits,
        };
        format!("illegal base64 data at input byte {at}")
    })
}
