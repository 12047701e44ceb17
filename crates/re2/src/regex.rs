//! The compiled form, with the shortcuts that label matchers live on.

use std::sync::OnceLock;

use regex_automata::meta;
use regex_automata::util::captures::Captures as RawCaptures;
use regex_automata::util::syntax as util_syntax;

use crate::plain::{self, Branch};
use crate::syntax::{self, Error};

/// Compiled programs larger than this are refused; Go has the same idea with another measure.
const COMPILED_BYTES_MAX: usize = 10 << 20;

/// A compiled Go regular expression.
#[derive(Debug, Clone)]
pub struct Regex {
    pattern: String,
    /// Compiled at once, or, where `plain` answers most questions, by the first to ask for more.
    engine: OnceLock<meta::Regex>,
    plain: Option<Vec<Branch>>,
    set: Option<Vec<String>>,
    prefix: String,
}

/// The groups of one match, as byte ranges into the searched text.
#[derive(Debug, Clone)]
pub struct Captures {
    raw: RawCaptures,
}

impl Regex {
    /// Compiles `pattern` to match anywhere, like Go's `regexp.Compile`.
    pub fn new(pattern: &str) -> Result<Regex, Error> {
        let translated = syntax::translate(pattern)?;
        let engine = compile(pattern, &translated)?.into();
        Ok(Regex { pattern: pattern.to_owned(), engine, plain: None, set: None, prefix: String::new() })
    }

    /// Compiles `^(?s:pattern)$`, the form of label matchers and relabelling.
    pub fn anchored(pattern: &str) -> Result<Regex, Error> {
        let plain = plain::branches(pattern);
        let engine = match plain {
            Some(_) => OnceLock::new(),
            None => compile_anchored(pattern)?.into(),
        };
        let exact = |branch: &Branch| branch.exact().map(str::to_owned);
        let set: Option<Vec<String>> =
            plain.as_ref().and_then(|branches| branches.iter().map(exact).collect());
        let prefix = if set.is_some() { String::new() } else { literal_prefix(pattern) };
        Ok(Regex { pattern: pattern.to_owned(), engine, plain, set, prefix })
    }

    /// `None` only if a plain pattern did not compile, which all of them do.
    fn engine(&self) -> Option<&meta::Regex> {
        if self.engine.get().is_none() {
            let compiled = compile_anchored(&self.pattern).ok()?;
            return Some(self.engine.get_or_init(|| compiled));
        }
        self.engine.get()
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    pub fn is_match(&self, text: &str) -> bool {
        if let Some(plain) = &self.plain {
            return plain.iter().any(|branch| branch.matches(text));
        }
        text.starts_with(&self.prefix) && self.engine().is_some_and(|engine| engine.is_match(text))
    }

    /// When an anchored pattern is a plain alternation of literals (`a|b|c`), those literals.
    pub fn literal_set(&self) -> Option<&[String]> {
        self.set.as_deref()
    }

    /// A literal that every match of an anchored pattern starts with; empty when none is known.
    pub fn literal_prefix(&self) -> &str {
        &self.prefix
    }

    /// The first match and its groups.
    pub fn captures(&self, text: &str) -> Option<Captures> {
        let engine = self.engine()?;
        let mut raw = engine.create_captures();
        engine.captures(text, &mut raw);
        raw.is_match().then_some(Captures { raw })
    }

    /// Byte range of the first match at or after `start`.
    pub fn find_at(&self, text: &str, start: usize) -> Option<(usize, usize)> {
        let input = regex_automata::Input::new(text).range(start..);
        self.engine()?.find(input).map(|m| (m.start(), m.end()))
    }

    /// Byte ranges of all non-overlapping matches.
    pub fn find_iter<'r, 't: 'r>(&'r self, text: &'t str) -> impl Iterator<Item = (usize, usize)> + 'r {
        let found = self.engine().into_iter().flat_map(move |engine| engine.find_iter(text));
        found.map(|m| (m.start(), m.end()))
    }

    /// Names of the groups, index 0 (the whole match) included; `None` for unnamed groups.
    pub fn group_names(&self) -> Vec<Option<String>> {
        let Some(engine) = self.engine() else { return Vec::new() };
        let info = engine.group_info();
        info.pattern_names(regex_automata::PatternID::ZERO).map(|n| n.map(str::to_owned)).collect()
    }

    /// Expands Go's `$1`, `${name}`, `$$` in `replacement` from `captures` of `text` into `out`.
    pub fn expand(&self, replacement: &str, text: &str, captures: &Captures, out: &mut String) {
        let mut rest = replacement;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let (name, after) = match rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
                Some((name, after)) if is_group_name(name) => (name, after),
                Some(_) => ("", rest),
                None => {
                    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                    rest.split_at(end)
                }
            };
            if name.is_empty() {
                // A lone dollar is kept, as Go does with malformed references.
                out.push('$');
                continue;
            }
            rest = after;
            let group = match name.parse::<usize>() {
                Ok(index) => captures.get(index, text),
                Err(_) => captures.name(name, text),
            };
            out.push_str(group.unwrap_or(""));
        }
        out.push_str(rest);
    }

    /// Replaces every match, expanding `replacement` as [`Regex::expand`] does.
    pub fn replace_all(&self, text: &str, replacement: &str) -> String {
        let (mut out, mut last) = (String::with_capacity(text.len()), 0);
        for raw in self.engine().into_iter().flat_map(|engine| engine.captures_iter(text)) {
            let captures = Captures { raw };
            let Some((start, end)) = captures.range(0) else { continue };
            out.push_str(&text[last..start]);
            self.expand(replacement, text, &captures, &mut out);
            last = end;
        }
        out.push_str(&text[last..]);
        out
    }
}

impl Captures {
    pub fn range(&self, index: usize) -> Option<(usize, usize)> {
        self.raw.get_group(index).map(|s| (s.start, s.end))
    }

    /// The text of group `index`; `None` when it did not take part.
    pub fn get<'t>(&self, index: usize, text: &'t str) -> Option<&'t str> {
        self.range(index).and_then(|(start, end)| text.get(start..end))
    }

    pub fn name<'t>(&self, name: &str, text: &'t str) -> Option<&'t str> {
        self.raw.get_group_by_name(name).and_then(|s| text.get(s.start..s.end))
    }
}

fn compile_anchored(pattern: &str) -> Result<meta::Regex, Error> {
    compile(pattern, &format!("^(?s:{})$", syntax::translate(pattern)?))
}

fn compile(pattern: &str, translated: &str) -> Result<meta::Regex, Error> {
    meta::Builder::new()
        .configure(meta::Config::new().nfa_size_limit(Some(COMPILED_BYTES_MAX)))
        .syntax(util_syntax::Config::new().nest_limit(250))
        .build(translated)
        .map_err(|e| Error::from_engine(pattern, &e))
}

fn is_group_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn literal_prefix(pattern: &str) -> String {
    if pattern.contains('|') {
        return String::new();
    }
    let end = pattern.find(|c| r"\.+*?()[]{}^$".contains(c)).unwrap_or(pattern.len());
    let mut prefix = &pattern[..end];
    // A quantifier binds to the character before it, which then is not required.
    if pattern[end..].starts_with(['*', '?', '{', '+']) {
        let last = prefix.char_indices().next_back().map_or(0, |(at, _)| at);
        prefix = &prefix[..last];
    }
    prefix.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchored_matches_whole_text_across_lines() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(Regex::anchored(pattern).unwrap().is_match(text), expected, "{pattern} on {text:?}");
        };
        check("a|b", "b", true);
        check("a|b", "ab", false);
        check("(a|b)", "a", true);
        check(".*", "x\ny", true);
        check("ab*", "a", true);
        check("node_.+", "node_cpu", true);
        check("node_.+", "nod", false);
        check("", "", true);
        check("", "x", false);
        check("(?i:up)", "UP", true);
        check("(?i)up|down", "DOWN", true);
    }

    #[test]
    fn expansion_is_go_s() {
        let re = Regex::anchored(r"(?P<host>[^:]+):(\d+)").unwrap();
        let check = |replacement: &str, expected: &str| {
            let text = "localhost:9090";
            let (captures, mut out) = (re.captures(text).unwrap(), String::new());
            re.expand(replacement, text, &captures, &mut out);
            assert_eq!(out, expected, "{replacement}");
        };
        check("$1", "localhost");
        check("${1}x", "localhostx");
        check("$1x", "");
        check("$host/$2", "localhost/9090");
        check("$$1", "$1");
        check("a$", "a$");
        check("$9", "");
    }

    #[test]
    fn replace_all_keeps_the_rest() {
        assert_eq!(Regex::new("[0-9]+").unwrap().replace_all("a1b22c", "<$0>"), "a<1>b<22>c");
    }
}
