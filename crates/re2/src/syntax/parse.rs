//! The grammar: alternatives of sequences of repeated atoms.
//!
//! Groups are kept on a stack, not in recursion, so that no pattern can exhaust the thread's. Errors come in
//! the order in which the pattern is read, as in Go.

use super::error::{Error, Kind};
use super::escape::{escape, next};
use super::tree::{Part, Tree};
use super::{class, unicode};

/// Counts in braces, and products of nested ones, above this are refused.
const REPEAT_MAX: u32 = 1000;

/// Levels of parts in parts. Go has the same limit.
const HEIGHT_MAX: u32 = 1000;

/// Instructions of Go's program that would fill 128 MiB.
const SIZE_MAX: u64 = (128 << 20) / 40;

/// What flags change, until the group around ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flags {
    /// `i`
    pub fold: bool,
    /// `m`
    pub multi_line: bool,
    /// `s`
    pub dot_newline: bool,
    /// `U`
    pub swap_greed: bool,
}

/// A pattern that was understood.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub tree: Tree,
    /// Names of the groups; the whole match is the first.
    pub names: Vec<Option<String>>,
}

/// A group that is not closed yet, or the pattern itself.
struct Group {
    /// Its number, for one that captures.
    capture: Option<u32>,
    /// The flags around it.
    flags: Flags,
    alternatives: Vec<Tree>,
    sequence: Vec<Tree>,
}

impl Group {
    fn new(capture: Option<u32>, flags: Flags) -> Group {
        Group { capture, flags, alternatives: Vec::new(), sequence: Vec::new() }
    }

    fn bar(&mut self) {
        self.alternatives.push(Tree::concat(std::mem::take(&mut self.sequence)));
    }

    fn finish(mut self) -> Tree {
        self.bar();
        let tree = Tree::alternate(self.alternatives);
        match self.capture {
            Some(index) => Tree::capture(index, tree),
            None => tree,
        }
    }
}

/// Parses `pattern`; with `dot_newline`, as if `(?s)` came first.
pub(crate) fn parse(pattern: &str, dot_newline: bool) -> Result<Parsed, Error> {
    let flags = Flags { fold: false, multi_line: false, dot_newline, swap_greed: false };
    let mut parser =
        Parser { pattern, flags, groups: Vec::new(), top: Group::new(None, flags), names: vec![None] };
    parser.run()?;
    let Parser { groups, top, names, .. } = parser;
    if !groups.is_empty() {
        return Err(Error::new(Kind::MissingParen, pattern));
    }
    let tree = top.finish();
    check(pattern, &tree)?;
    Ok(Parsed { tree, names })
}

struct Parser<'a> {
    pattern: &'a str,
    flags: Flags,
    /// The groups around the current one.
    groups: Vec<Group>,
    top: Group,
    names: Vec<Option<String>>,
}

fn check(pattern: &str, tree: &Tree) -> Result<(), Error> {
    if tree.size > SIZE_MAX {
        return Err(Error::new(Kind::Large, pattern));
    }
    if tree.height > HEIGHT_MAX {
        return Err(Error::new(Kind::NestingDepth, pattern));
    }
    Ok(())
}

/// The part of `before` that was read when `after` is left.
fn read<'a>(before: &'a str, after: &str) -> &'a str {
    before.get(..before.len().saturating_sub(after.len())).unwrap_or(before)
}

impl<'a> Parser<'a> {
    fn push(&mut self, tree: Tree) -> Result<(), Error> {
        check(self.pattern, &tree)?;
        self.top.sequence.push(tree);
        Ok(())
    }

    fn literal(&mut self, c: char) -> Result<(), Error> {
        let part = match self.flags.fold.then(|| unicode::folded_char(c)).flatten() {
            Some(class) => Part::Class(class),
            None => Part::Literal(c),
        };
        self.push(Tree::leaf(part))
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut rest = self.pattern;
        // The last repetition operator and all behind it, when nothing came after it yet.
        let mut repeated = "";
        while let Some(c) = rest.chars().next() {
            let before = rest;
            rest = &rest[c.len_utf8()..];
            let mut operator = "";
            match c {
                '(' if rest.starts_with('?') => rest = self.perl(before)?,
                '(' => {
                    let index = self.name(None);
                    self.open(Some(index), self.flags);
                }
                '|' => self.top.bar(),
                ')' => self.close()?,
                '^' if self.flags.multi_line => self.push(Tree::leaf(Part::BeginLine))?,
                '^' => self.push(Tree::leaf(Part::BeginText))?,
                '$' if self.flags.multi_line => self.push(Tree::leaf(Part::EndLine))?,
                '$' => self.push(Tree::leaf(Part::EndText))?,
                '.' => self.push(Tree::leaf(Part::Class(class::any(self.flags.dot_newline))))?,
                '[' => {
                    let (class, after) = class::bracket(before, self.flags)?;
                    rest = after;
                    self.push(Tree::leaf(Part::Class(class)))?;
                }
                '*' | '+' | '?' => {
                    let (min, max) = match c {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    rest = self.repeat(min, max, false, before, rest, repeated)?;
                    operator = before;
                }
                '{' => match counts(before) {
                    None => self.literal('{')?,
                    Some((min, max, after)) => {
                        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || max < min) {
                            return Err(Error::new(Kind::RepeatSize, read(before, after)));
                        }
                        rest = self.repeat(min, max, true, before, after, repeated)?;
                        operator = before;
                    }
                },
                '\\' => rest = self.backslash(before)?,
                c => self.literal(c)?,
            }
            repeated = operator;
        }
        Ok(())
    }

    fn open(&mut self, capture: Option<u32>, outer: Flags) {
        let group = std::mem::replace(&mut self.top, Group::new(capture, outer));
        self.groups.push(group);
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(outer) = self.groups.pop() else {
            return Err(Error::new(Kind::UnexpectedParen, self.pattern));
        };
        let group = std::mem::replace(&mut self.top, outer);
        self.flags = group.flags;
        self.push(group.finish())
    }

    /// The number of a new group.
    fn name(&mut self, name: Option<&str>) -> u32 {
        self.names.push(name.map(str::to_owned));
        u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
    }

    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        counted: bool,
        before: &'a str,
        after: &'a str,
        repeated: &str,
    ) -> Result<&'a str, Error> {
        let (lazy, after) = match after.strip_prefix('?') {
            Some(after) => (true, after),
            None => (false, after),
        };
        if !repeated.is_empty() {
            return Err(Error::new(Kind::RepeatOp, read(repeated, after)));
        }
        let Some(of) = self.top.sequence.pop() else {
            return Err(Error::new(Kind::MissingRepeatArgument, read(before, after)));
        };
        let tree = Tree::repeat(min, max, lazy == self.flags.swap_greed, counted, of);
        check(self.pattern, &tree)?;
        let many = min >= 2 || max.is_some_and(|max| max >= 2);
        if counted && many && tree.repeats > u64::from(REPEAT_MAX) {
            return Err(Error::new(Kind::RepeatSize, read(before, after)));
        }
        self.top.sequence.push(tree);
        Ok(after)
    }

    /// `(?flags)`, `(?flags:`, `(?P<name>`, `(?<name>`.
    fn perl(&mut self, before: &'a str) -> Result<&'a str, Error> {
        let named = |prefix: &str| before.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        if let Some(rest) = named("(?P<").or_else(|| named("(?<")) {
            let Some((name, after)) = rest.split_once('>') else {
                return Err(Error::new(Kind::NamedCapture, before));
            };
            if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
                return Err(Error::new(Kind::NamedCapture, read(before, after)));
            }
            let index = self.name(Some(name));
            self.open(Some(index), self.flags);
            return Ok(after);
        }
        let mut rest = before.get(2..).unwrap_or_default();
        let (mut flags, mut value, mut seen) = (self.flags, true, false);
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                'i' => flags.fold = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_newline = value,
                'U' => flags.swap_greed = value,
                '-' if value => {
                    (value, seen) = (false, false);
                    continue;
                }
                ':' | ')' if value || seen => {
                    if c == ':' {
                        self.open(None, self.flags);
                    }
                    self.flags = flags;
                    return Ok(rest);
                }
                _ => break,
            }
            seen = true;
        }
        Err(Error::new(Kind::PerlOp, read(before, rest)))
    }

    fn backslash(&mut self, before: &'a str) -> Result<&'a str, Error> {
        let after = before.get(1..).unwrap_or_default();
        let Some(c) = after.chars().next() else {
            return Err(Error::new(Kind::TrailingBackslash, ""));
        };
        let rest = &after[c.len_utf8()..];
        let part = match c {
            'A' => Part::BeginText,
            'b' => Part::WordBoundary,
            'B' => Part::NoWordBoundary,
            'z' => Part::EndText,
            'C' => return Err(Error::new(Kind::Escape, "\\C")),
            'Q' => {
                let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
                literal.chars().try_for_each(|c| self.literal(c))?;
                return Ok(rest);
            }
            'p' | 'P' => {
                let (class, rest) = unicode::class(before, self.flags.fold)?;
                self.push(Tree::leaf(Part::Class(class)))?;
                return Ok(rest);
            }
            c => match class::perl(c, self.flags.fold) {
                Some(class) => Part::Class(class),
                None => {
                    let (c, rest) = escape(before)?;
                    self.literal(c)?;
                    return Ok(rest);
                }
            },
        };
        self.push(Tree::leaf(part))?;
        Ok(rest)
    }
}

/// `{n}`, `{n,}` or `{n,m}`: minimum, maximum, and what follows. Anything else is literal text.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = count(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = count(rest)?;
            (Some(max), rest)
        }
    };
    Some((min, max, rest.strip_prefix('}')?))
}

/// A number without leading zeros; what is far too large stays too large.
fn count(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    if number.is_empty() || (number.len() > 1 && number.starts_with('0')) {
        return None;
    }
    Some((number.parse().unwrap_or(u32::MAX), rest))
}

/// The first character of `text`, for what must be there.
pub(super) fn first<'a>(text: &'a str, kind: Kind, part: &str) -> Result<(char, &'a str), Error> {
    next(text).ok_or_else(|| Error::new(kind, part))
}
