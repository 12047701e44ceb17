//! From the tree to the engine's own form.

use regex_syntax::hir::{Capture, Class, Hir, Look, Repetition};

use super::tree::{Part, Tree};

/// Recursion is bounded by the height the parser allows.
pub(crate) fn lower(tree: &Tree) -> Hir {
    match &tree.part {
        Part::Empty => Hir::empty(),
        Part::Literal(c) => Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()),
        Part::Class(class) => Hir::class(Class::Unicode(class.clone())),
        Part::BeginLine => Hir::look(Look::StartLF),
        Part::EndLine => Hir::look(Look::EndLF),
        Part::BeginText => Hir::look(Look::Start),
        Part::EndText => Hir::look(Look::End),
        Part::WordBoundary => Hir::look(Look::WordAscii),
        Part::NoWordBoundary => Hir::look(Look::WordAsciiNegate),
        // Names stay outside the engine, which would refuse to see one twice.
        Part::Capture(index, of) => {
            Hir::capture(Capture { index: *index, name: None, sub: Box::new(lower(of)) })
        }
        Part::Repeat { min, max, greedy, of, .. } => {
            let sub = Box::new(lower(of));
            Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub })
        }
        Part::Concat(parts) => Hir::concat(parts.iter().map(lower).collect()),
        Part::Alternate(parts) => Hir::alternation(parts.iter().map(lower).collect()),
    }
}
