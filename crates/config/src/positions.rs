//! Where things stand in a YAML document, and the way to them.
//!
//! Types alone cannot check everything: a name must be defined elsewhere, two settings exclude each
//! other. Such a fault is found after reading, when line numbers are gone. So a fault carries the way to
//! the value it is about, and [`Positions`] finds that way in the text again, only when there is
//! something to complain about.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::error::ConfigError;

/// One step of the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// What is wrong with one value: the way there from the top, and the original's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Innermost step first, because it is built on the way up.
    steps: Vec<Step>,
    pub message: String,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { steps: Vec::new(), message: message.into() }
    }

    /// The same fault, seen from the mapping that has the value under `key`.
    pub fn under(mut self, key: &str) -> Fault {
        self.steps.push(Step::Key(key.to_owned()));
        self
    }

    /// The same fault, seen from the list that has the value at `index`.
    pub fn at(mut self, index: usize) -> Fault {
        self.steps.push(Step::Index(index));
        self
    }

    /// The fault as an error of `file`, whose content is `text`.
    pub fn into_error(self, file: &str, text: &str) -> ConfigError {
        let position = Positions::of(text).find(self.steps.iter().rev());
        ConfigError::located(file, position, &way(self.steps.iter().rev()), self.message)
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Fault {
        Fault::new(message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Fault {
        Fault::new(message)
    }
}

/// `receivers[1].slack_configs[0].channel: message`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = way(self.steps.iter().rev());
        if !way.is_empty() {
            write!(f, "{way}: ")?;
        }
        f.write_str(&self.message)
    }
}

fn way<'a>(steps: impl Iterator<Item = &'a Step>) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Key(key) if out.is_empty() => out.push_str(key),
            Step::Key(key) => {
                out.push('.');
                out.push_str(key);
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// Line and column, both from 1.
pub type Position = (u64, u64);

/// The keys and elements of a document with their positions.
#[derive(Debug, Default)]
pub struct Positions {
    root: Option<Node>,
}

#[derive(Debug)]
struct Node {
    at: Position,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scalar,
    List(Vec<Node>),
    /// Position of the key, key, value.
    Map(Vec<(Position, String, Node)>),
}

impl Positions {
    /// Knows nothing about a text that is not YAML.
    pub fn of(text: &str) -> Positions {
        Positions { root: serde_saphyr::from_str(text).ok() }
    }

    /// The position of the value at the end of the way, or of the last step that exists. A key's position
    /// is where its name is written.
    pub fn find<'a>(&self, way: impl Iterator<Item = &'a Step>) -> Option<Position> {
        let mut node = self.root.as_ref()?;
        let mut position = None;
        for step in way {
            (position, node) = match (step, &node.content) {
                (Step::Key(key), Content::Map(entries)) => match entries.iter().find(|(_, k, _)| k == key) {
                    Some((at, _, value)) => (Some(*at), value),
                    None => break,
                },
                (Step::Index(index), Content::List(items)) => match items.get(*index) {
                    Some(item) => (Some(item.at), item),
                    None => break,
                },
                _ => break,
            };
        }
        position.or(Some(node.at))
    }

    /// The way to the value that a position lies in, written out; empty for the document itself.
    pub fn way_to(&self, position: Position) -> String {
        let (mut steps, mut node) = (Vec::new(), self.root.as_ref());
        // Whatever starts last before the position contains it.
        while let Some(Node { content, .. }) = node {
            node = match content {
                Content::Scalar => None,
                Content::List(items) => {
                    let found = items.iter().enumerate().rfind(|(_, item)| item.at <= position);
                    found.map(|(index, item)| {
                        steps.push(Step::Index(index));
                        item
                    })
                }
                Content::Map(entries) => {
                    let found = entries.iter().rfind(|(at, _, _)| *at <= position);
                    found.map(|(_, key, value)| {
                        steps.push(Step::Key(key.clone()));
                        value
                    })
                }
            };
        }
        way(steps.iter())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        let at = (spanned.referenced.line(), spanned.referenced.column());
        Ok(Node { at, content: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Content, E> {
        Ok(Content::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Content, E> {
        Ok(Content::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Content, E> {
        Ok(Content::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Content, E> {
        Ok(Content::Scalar)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Content, E> {
        Ok(Content::Scalar)
    }

    fn visit_unit<E: Error>(self) -> Result<Content, E> {
        Ok(Content::Scalar)
    }

    fn visit_none<E: Error>(self) -> Result<Content, E> {
        Ok(Content::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let at = (key.referenced.line(), key.referenced.column());
            entries.push((at, key.value, map.next_value()?));
        }
        Ok(Content::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
global:
  x: 1
receivers:
- name: a
- name: b
  slack_configs:
  - channel: '#c'
    fields: [{title: t}, {title: u}]
route: {receiver: a, routes: [{match: {1: 2}}]}
";

    #[test]
    fn ways_lead_to_positions_and_back() {
        let key = |k: &str| Step::Key(k.into());
        let cases: [(Vec<Step>, Position, &str); 7] = [
            (vec![key("global")], (1, 1), "global"),
            (vec![key("global"), key("x")], (2, 3), "global.x"),
            (vec![key("receivers"), Step::Index(1), key("name")], (5, 3), "receivers[1].name"),
            (
                vec![key("receivers"), Step::Index(1), key("slack_configs"), Step::Index(0), key("channel")],
                (7, 5),
                "receivers[1].slack_configs[0].channel",
            ),
            (
                vec![
                    key("receivers"),
                    Step::Index(1),
                    key("slack_configs"),
                    Step::Index(0),
                    key("fields"),
                    Step::Index(1),
                    key("title"),
                ],
                (8, 27),
                "receivers[1].slack_configs[0].fields[1].title",
            ),
            (vec![key("route"), key("receiver")], (9, 9), "route.receiver"),
            (
                vec![key("route"), key("routes"), Step::Index(0), key("match"), key("1")],
                (9, 40),
                "route.routes[0].match.1",
            ),
        ];
        let positions = Positions::of(TEXT);
        for (steps, position, shown) in cases {
            assert_eq!(positions.find(steps.iter()), Some(position), "{shown}");
            assert_eq!(positions.way_to(position), shown);
        }
        // What is not there is complained about at the nearest thing that is.
        let missing = [key("global"), key("nothing"), key("at all")];
        assert_eq!(positions.find(missing.iter()), Some((1, 1)));
        assert_eq!(Positions::of("a: [").find([].iter()), None);
    }

    #[test]
    fn a_fault_becomes_an_error_with_line_and_way() {
        let fault = Fault::new("no such receiver").under("receiver").under("route");
        assert_eq!(fault.to_string(), "route.receiver: no such receiver");
        let error = fault.into_error("am.yml", TEXT);
        assert_eq!(error.to_string(), "am.yml:9:9: route.receiver: no such receiver");
        assert_eq!((error.line(), error.message()), (Some(9), "no such receiver"));
        let error = Fault::new("empty").into_error("am.yml", "");
        assert_eq!(error.to_string(), "am.yml:1:1: empty");
    }
}
