//! What a pattern that must match the whole text says about that text without any engine.

use super::tree::{Part, Tree};

/// The texts an alternation of plain words (`a|b|c`, `(foo\.bar|x)`) matches.
pub(crate) fn set(tree: &Tree) -> Option<Vec<String>> {
    match &tree.part {
        Part::Capture(_, inner) => set(inner),
        Part::Alternate(parts) => parts.iter().map(word).collect(),
        _ => word(tree).map(|word| vec![word]),
    }
}

fn word(tree: &Tree) -> Option<String> {
    match &tree.part {
        Part::Empty => Some(String::new()),
        Part::Literal(c) => Some(c.to_string()),
        Part::Concat(parts) => parts
            .iter()
            .map(|part| match part.part {
                Part::Literal(c) => Some(c),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// The characters every match begins with.
pub(crate) fn prefix(tree: &Tree) -> String {
    match &tree.part {
        Part::Literal(c) => c.to_string(),
        Part::Concat(parts) => parts
            .iter()
            .skip_while(|part| matches!(part.part, Part::BeginText))
            .map_while(|part| match part.part {
                Part::Literal(c) => Some(c),
                _ => None,
            })
            .collect(),
        _ => String::new(),
    }
}
