//! The parsed pattern.

use regex_syntax::hir::ClassUnicode;

/// One part of a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Empty,
    Literal(char),
    Class(ClassUnicode),
    BeginLine,
    EndLine,
    BeginText,
    EndText,
    WordBoundary,
    NoWordBoundary,
    Capture(u32, Box<Tree>),
    Repeat { min: u32, max: Option<u32>, greedy: bool, of: Box<Tree> },
    Concat(Vec<Tree>),
    Alternate(Vec<Tree>),
}

/// A part with what the limits are about, counted once when it is built.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub part: Part,
    /// Levels of parts in parts; a run of literals is one level.
    pub height: u32,
    /// Instructions of Go's compiled program.
    pub size: u64,
    /// The largest product of counted repetitions around each other.
    pub repeats: u64,
}

impl Tree {
    pub fn leaf(part: Part) -> Tree {
        Tree { part, height: 1, size: 1, repeats: 1 }
    }

    pub fn capture(index: u32, of: Tree) -> Tree {
        let (height, size, repeats) = (of.height + 1, of.size.saturating_add(2), of.repeats);
        Tree { part: Part::Capture(index, Box::new(of)), height, size, repeats }
    }

    /// `*`, `+`, `?`, or with `counted` a number in braces.
    pub fn repeat(min: u32, max: Option<u32>, greedy: bool, counted: bool, of: Tree) -> Tree {
        let (low, inner) = (u64::from(min), of.size);
        let size = match (max.map(u64::from), counted) {
            (None, _) if min == 0 => inner.saturating_add(2),
            (None, _) => inner.saturating_mul(low).saturating_add(1),
            (Some(_), false) => inner.saturating_add(1),
            (Some(max), true) => inner.saturating_mul(max).saturating_add(max.saturating_sub(low)),
        };
        let times = match (counted, max) {
            (false, _) => 1,
            // What is repeated no times cannot be too much.
            (true, Some(0)) => 0,
            (true, max) => u64::from(max.unwrap_or(min)).max(1),
        };
        Tree {
            height: of.height + 1,
            size: size.max(1),
            repeats: of.repeats.saturating_mul(times),
            part: Part::Repeat { min, max, greedy, of: Box::new(of) },
        }
    }

    fn list(mut parts: Vec<Tree>, make: fn(Vec<Tree>) -> Part, between: u64) -> Tree {
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return only;
        }
        let tallest = parts.iter().map(|part| part.height).max().unwrap_or(0);
        let all_literals = parts.iter().all(|part| matches!(part.part, Part::Literal(_)));
        let joined = between.saturating_mul(parts.len().saturating_sub(1) as u64);
        Tree {
            // `abc` is one literal.
            height: if all_literals && between == 0 { 1 } else { tallest + 1 },
            size: parts.iter().fold(joined, |sum, part| sum.saturating_add(part.size)).max(1),
            repeats: parts.iter().map(|part| part.repeats).max().unwrap_or(1),
            part: make(parts),
        }
    }

    pub fn concat(parts: Vec<Tree>) -> Tree {
        if parts.is_empty() { Tree::leaf(Part::Empty) } else { Tree::list(parts, Part::Concat, 0) }
    }

    pub fn alternate(parts: Vec<Tree>) -> Tree {
        Tree::list(parts, Part::Alternate, 1)
    }
}
