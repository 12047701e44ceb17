//! The compiled form, with the shortcuts that label matchers live on.

use std::sync::{Arc, OnceLock};

use regex_automata::meta;
use regex_automata::util::captures::Captures as RawCaptures;
use regex_syntax::hir::{Hir, Look};

use crate::expand::{Reference, walk};
use crate::plain::{self, Branch};
use crate::syntax::{Error, Tree, lower, parse, prefix, set};

/// Compiled programs larger than this are refused; Go has the same idea with another measure.
const COMPILED_BYTES_MAX: usize = 10 << 20;

/// A compiled Go regular expression.
#[derive(Debug, Clone)]
pub struct Regex {
    pattern: String,
    /// Compiled at once, or, where `plain` answers most questions, by the first to ask for more.
    engine: OnceLock<meta::Regex>,
    plain: Option<Vec<Branch>>,
    /// Names of the groups; the whole match is the first.
    names: Arc<[Option<String>]>,
    set: Option<Vec<String>>,
    prefix: String,
}

/// The groups of one match, as byte ranges into the searched text.
#[derive(Debug, Clone)]
pub struct Captures {
    raw: RawCaptures,
    names: Arc<[Option<String>]>,
}

impl Regex {
    /// Compiles `pattern` to match anywhere, like Go's `regexp.Compile`.
    pub fn new(pattern: &str) -> Result<Regex, Error> {
        let parsed = parse(pattern, false)?;
        let engine = compile(pattern, &parsed.tree, false)?;
        Ok(Regex {
            pattern: pattern.to_owned(),
            engine: engine.into(),
            plain: None,
            names: parsed.names.into(),
            set: None,
            prefix: String::new(),
        })
    }

    /// Compiles `^(?s:pattern)$`, the form of label matchers and relabelling.
    pub fn anchored(pattern: &str) -> Result<Regex, Error> {
        let parsed = parse(pattern, true)?;
        let plain = plain::branches(pattern);
        let engine = match plain {
            Some(_) => OnceLock::new(),
            None => compile(pattern, &parsed.tree, true)?.into(),
        };
        if pattern.contains("\\Q") {
            // An open quotation would swallow what stands behind the pattern.
            parse(&format!("^(?s:{pattern})$"), false)?;
        }
        let set = set(&parsed.tree);
        let prefix = if set.is_some() { String::new() } else { prefix(&parsed.tree) };
        Ok(Regex { pattern: pattern.to_owned(), engine, plain, names: parsed.names.into(), set, prefix })
    }

    /// `None` only if a plain pattern did not compile, which all of them do.
    fn engine(&self) -> Option<&meta::Regex> {
        if self.engine.get().is_none() {
            let parsed = parse(&self.pattern, true).ok()?;
            let compiled = compile(&self.pattern, &parsed.tree, true).ok()?;
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
        if let Some(set) = &self.set {
            return set.iter().any(|s| s == text);
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
        raw.is_match().then(|| Captures { raw, names: self.names.clone() })
    }

    /// The first match at or after byte `start` and its groups; what comes before is still seen by `^` and
    /// `\b`.
    pub fn captures_at(&self, text: &str, start: usize) -> Option<Captures> {
        let engine = self.engine()?;
        let mut raw = engine.create_captures();
        engine.captures(regex_automata::Input::new(text).range(start..), &mut raw);
        raw.is_match().then(|| Captures { raw, names: self.names.clone() })
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
        self.names.to_vec()
    }

    /// Expands Go's `$1`, `${name}`, `$$` in `replacement` from `captures` of `text` into `out`.
    pub fn expand(&self, replacement: &str, text: &str, captures: &Captures, out: &mut String) {
        walk(replacement, |part| {
            out.push_str(match part {
                Ok(literal) => literal,
                Err(Reference::Number(index)) => captures.get(index, text).unwrap_or_default(),
                Err(Reference::Name(name)) => captures.name(name, text).unwrap_or_default(),
            });
        });
    }

    /// Replaces every match, expanding `replacement` as [`Regex::expand`] does.
    pub fn replace_all(&self, text: &str, replacement: &str) -> String {
        let (mut out, mut last) = (String::with_capacity(text.len()), 0);
        for raw in self.engine().into_iter().flat_map(|engine| engine.captures_iter(text)) {
            let captures = Captures { raw, names: self.names.clone() };
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

    /// The text of the first group of that name that took part.
    pub fn name<'t>(&self, name: &str, text: &'t str) -> Option<&'t str> {
        let named = self.names.iter().enumerate().filter(|(_, known)| known.as_deref() == Some(name));
        named.filter_map(|(index, _)| self.get(index, text)).next()
    }
}

/// Trees higher than this are compiled on a stack of their own: the compiler recurses.
const HEIGHT_INLINE_MAX: u32 = 60;

/// Enough for the highest tree the parser allows.
const DEEP_STACK_BYTES: usize = 64 << 20;

fn compile(pattern: &str, tree: &Tree, anchored: bool) -> Result<meta::Regex, Error> {
    let build = || {
        let mut hir = lower(tree);
        if anchored {
            hir = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
        }
        meta::Builder::new()
            .configure(meta::Config::new().nfa_size_limit(Some(COMPILED_BYTES_MAX)))
            .build_from_hir(&hir)
            .map_err(|_| Error::too_large(pattern))
    };
    if tree.height <= HEIGHT_INLINE_MAX {
        return build();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK_BYTES).spawn_scoped(scope, build);
        // Without memory for the stack the pattern is too large.
        let joined = thread.ok().and_then(|thread| thread.join().ok());
        joined.unwrap_or_else(|| Err(Error::too_large(pattern)))
    })
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
        check("<(?i)?", "", true);
        check("^ab.*", "abc", true);
        check("ab|cd", "abd", false);
        check("foo\\.bar", "foo.bar", true);
        check("(?i)K", "\u{212a}", true);
    }

    #[test]
    fn literals_are_known_without_the_engine() {
        let check = |pattern: &str, set: Option<&[&str]>, prefix: &str| {
            let re = Regex::anchored(pattern).unwrap();
            let owned = set.map(|words| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
            assert_eq!(re.literal_set(), owned.as_deref(), "{pattern}");
            assert_eq!(re.literal_prefix(), prefix, "{pattern}");
        };
        check("a|bc|", Some(&["a", "bc", ""]), "");
        check("(?:a|b)", Some(&["a", "b"]), "");
        check(r"(foo\.bar|x)", Some(&["foo.bar", "x"]), "");
        check("", Some(&[""]), "");
        check("(?i)a|b", None, "");
        check("node_.+", None, "node_");
        check("^up$", None, "up");
        check("abc*", None, "ab");
        check("a(b)c", None, "a");
        check("ab|c.", None, "");
    }

    #[test]
    fn limits_are_go_s() {
        let nested = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
        assert!(Regex::new(&nested(990)).is_ok());
        let error = Regex::new(&nested(1100)).unwrap_err().to_string();
        assert!(error.starts_with("error parsing regexp: expression nests too deeply"), "{error}");
        let error = Regex::new(&"(".repeat(100_000)).unwrap_err().to_string();
        assert!(error.starts_with("error parsing regexp: missing closing )"), "{error}");
        let error = Regex::new(&"(a{1000}){10}".repeat(2)).unwrap_err().to_string();
        assert_eq!(error, "error parsing regexp: invalid repeat count: `{10}`");
        let error = Regex::new(&format!("({}){{1000}}", "ab".repeat(10_000))).unwrap_err().to_string();
        assert!(error.starts_with("error parsing regexp: expression too large"), "{error}");
        let error = Regex::anchored("a\\Qb").unwrap_err().to_string();
        assert_eq!(error, "error parsing regexp: missing closing ): `^(?s:a\\Qb)$`");
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
