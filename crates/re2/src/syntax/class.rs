//! Character classes: brackets, Perl's and POSIX' names.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::error::{Error, Kind};
use super::escape::escape;
use super::parse::{Flags, first};
use super::unicode;

pub(super) fn ranges(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(low, high)| ClassUnicodeRange::new(*low, *high)))
}

/// The class of `.`.
pub(super) fn any(newline: bool) -> ClassUnicode {
    let mut class = ranges(&[('\n', '\n')]);
    if newline {
        return ranges(&[('\0', char::MAX)]);
    }
    class.negate();
    class
}

/// All characters that are the same in some case.
pub(super) fn fold(mut class: ClassUnicode, folding: bool) -> ClassUnicode {
    if folding {
        // Without case tables, which this build always has, the class stays as it is.
        let _ = class.try_case_fold_simple();
    }
    class
}

/// `\d` and its kin, by their letter. ASCII only, as in Go.
pub(super) fn perl(letter: char, folding: bool) -> Option<ClassUnicode> {
    let class = match letter.to_ascii_lowercase() {
        'd' => ranges(&[('0', '9')]),
        's' => ranges(&[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')]),
        'w' => ranges(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        _ => return None,
    };
    let mut class = fold(class, folding);
    if letter.is_ascii_uppercase() {
        class.negate();
    }
    Some(class)
}

fn posix(name: &str) -> Option<ClassUnicode> {
    Some(ranges(match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    }))
}

/// `[…]` at the start of `text`, and what follows it.
pub(super) fn bracket(text: &str, flags: Flags) -> Result<(ClassUnicode, &str), Error> {
    let mut rest = text.get(1..).unwrap_or_default();
    let negated = rest.strip_prefix('^');
    rest = negated.unwrap_or(rest);
    let mut class = ClassUnicode::empty();
    // A bracket right at the start is one of the characters.
    let mut at_start = true;
    while at_start || !rest.starts_with(']') {
        at_start = false;
        if let Some((named, after)) = named(rest, flags)? {
            class.union(&named);
            rest = after;
            continue;
        }
        let (low, after) = character(rest, text)?;
        let (mut high, mut end) = (low, after);
        if let Some(range) =
            after.strip_prefix('-').filter(|range| !range.is_empty() && !range.starts_with(']'))
        {
            (high, end) = character(range, text)?;
            if high < low {
                let part = rest.get(..rest.len() - end.len()).unwrap_or(rest);
                return Err(Error::new(Kind::CharRange, part));
            }
        }
        class.union(&fold(ranges(&[(low, high)]), flags.fold));
        rest = end;
    }
    if negated.is_some() {
        class.negate();
    }
    Ok((class, rest.get(1..).unwrap_or_default()))
}

/// `[:alpha:]`, `\pL` or `\d` inside brackets.
fn named(text: &str, flags: Flags) -> Result<Option<(ClassUnicode, &str)>, Error> {
    if let Some((name, rest)) = text.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) {
        let plain = name.strip_prefix('^');
        let Some(class) = posix(plain.unwrap_or(name)) else {
            let part = text.get(..text.len() - rest.len()).unwrap_or(text);
            return Err(Error::new(Kind::CharRange, part));
        };
        let mut class = fold(class, flags.fold);
        if plain.is_some() {
            class.negate();
        }
        return Ok(Some((class, rest)));
    }
    let Some(letter) = text.strip_prefix('\\').and_then(|after| after.chars().next()) else {
        return Ok(None);
    };
    if matches!(letter, 'p' | 'P') {
        return unicode::class(text, flags.fold).map(Some);
    }
    let class = perl(letter, flags.fold);
    Ok(class.map(|class| (class, text.get(2..).unwrap_or_default())))
}

fn character<'a>(text: &'a str, whole: &str) -> Result<(char, &'a str), Error> {
    if text.starts_with('\\') {
        return escape(text);
    }
    first(text, Kind::MissingBracket, whole)
}
