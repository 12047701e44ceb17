//! The labels of the entry at hand.
//!
//! A stream's labels are the same for thousands of entries, so they stay packed; what an entry adds or
//! hides lies over them in slots whose buffers are reused from entry to entry.

use std::sync::Arc;

use model::Labels;

pub const ERROR: &str = "__error__";
pub const ERROR_DETAILS: &str = "__error_details__";

/// Where a label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    Stream,
    Metadata,
    Parsed,
}

#[derive(Debug)]
struct Slot {
    name: String,
    value: String,
    category: Category,
    live: bool,
}

#[derive(Debug)]
pub struct LabelState {
    stream: Labels,
    /// Names of stream labels that this entry lost.
    hidden: Vec<String>,
    slots: Vec<Slot>,
    /// Slots beyond this are leftovers of earlier entries, kept for their buffers.
    used: usize,
    error: Option<&'static str>,
    error_details: String,
    /// When set, parsers need to set no other labels than these.
    wanted: Option<Arc<[String]>>,
}

impl LabelState {
    pub fn new(stream: &Labels) -> LabelState {
        LabelState::wanting(stream, None)
    }

    /// A state whose parsed labels matter only if they are in `wanted`.
    pub fn wanting(stream: &Labels, wanted: Option<Arc<[String]>>) -> LabelState {
        LabelState {
            wanted,
            stream: stream.clone(),
            hidden: Vec::new(),
            slots: Vec::new(),
            used: 0,
            error: None,
            error_details: String::new(),
        }
    }

    /// Starts over for an entry with this structured metadata.
    pub fn reset(&mut self, metadata: &Labels) {
        self.used = 0;
        self.hidden.clear();
        self.error = None;
        self.error_details.clear();
        for (name, value) in metadata {
            if self.stream.has(name) {
                self.push(&format!("{name}_extracted"), value, Category::Metadata);
            } else {
                self.push(name, value, Category::Metadata);
            }
        }
    }

    /// Whether the labels are exactly the stream's.
    pub fn is_untouched(&self) -> bool {
        self.used == 0 && self.hidden.is_empty() && self.error.is_none()
    }

    pub fn stream(&self) -> &Labels {
        &self.stream
    }

    /// The value of a label; `None` when the entry does not have it.
    pub fn get(&self, name: &str) -> Option<&str> {
        match name {
            ERROR => return self.error,
            ERROR_DETAILS => return self.error.map(|_| self.error_details.as_str()),
            _ => {}
        }
        if let Some(slot) = self.live().find(|s| s.name == name) {
            return Some(&slot.value);
        }
        if self.hidden.iter().any(|n| n == name) {
            return None;
        }
        self.stream.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    fn live(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().take(self.used).filter(|s| s.live)
    }

    fn push(&mut self, name: &str, value: &str, category: Category) {
        if self.used == self.slots.len() {
            self.slots.push(Slot { name: String::new(), value: String::new(), category, live: true });
        }
        let slot = &mut self.slots[self.used];
        self.used += 1;
        slot.name.clear();
        slot.name.push_str(name);
        slot.value.clear();
        slot.value.push_str(value);
        (slot.category, slot.live) = (category, true);
    }

    /// Sets a label as `label_format` does: whatever had the name before is replaced.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.slots.iter_mut().take(self.used).find(|s| s.name == name) {
            Some(slot) => {
                slot.value.clear();
                slot.value.push_str(value);
                (slot.category, slot.live) = (Category::Parsed, true);
            }
            None => self.push(name, value, Category::Parsed),
        }
    }

    /// Sets a label as a parser does. The stream's labels and structured metadata keep their names: a
    /// parsed one of the same name becomes `<name>_extracted`.
    pub fn set_parsed(&mut self, name: &str, value: &str) {
        if let Some(wanted) = &self.wanted
            && !wanted.iter().any(|w| w.strip_suffix("_extracted").unwrap_or(w) == name || w == name)
        {
            return;
        }
        let metadata = self.live().any(|s| s.name == name && s.category == Category::Metadata);
        let taken = metadata || (self.stream.has(name) && !self.hidden.iter().any(|n| n == name));
        if taken { self.set(&format!("{name}_extracted"), value) } else { self.set(name, value) }
    }

    pub fn remove(&mut self, name: &str) {
        for slot in self.slots.iter_mut().take(self.used).filter(|s| s.name == name) {
            slot.live = false;
        }
        if self.stream.has(name) && !self.hidden.iter().any(|n| n == name) {
            self.hidden.push(name.to_owned());
        }
    }

    /// Names of all labels, error labels left out.
    pub fn names(&self) -> Vec<String> {
        self.pairs().into_iter().map(|(name, _, _)| name.to_owned()).collect()
    }

    pub fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// The first error of an entry is the one that counts.
    pub fn set_error(&mut self, kind: &'static str, details: &str) {
        if self.error.is_none() {
            self.error = Some(kind);
            self.error_details.clear();
            self.error_details.push_str(details);
        }
    }

    pub fn clear_error(&mut self) {
        self.error = None;
    }

    pub fn clear_error_details(&mut self) {
        self.error_details.clear();
    }

    /// All labels with their category, sorted by name, error labels left out.
    pub fn pairs(&self) -> Vec<(&str, &str, Category)> {
        let mut pairs: Vec<(&str, &str, Category)> = self
            .live()
            .map(|s| (s.name.as_str(), s.value.as_str(), s.category))
            .filter(|(_, value, _)| !value.is_empty())
            .collect();
        for (name, value) in &self.stream {
            let replaced = self.live().any(|s| s.name == name);
            if !replaced && !self.hidden.iter().any(|n| n == name) {
                pairs.push((name, value, Category::Stream));
            }
        }
        pairs.sort_unstable_by(|a, b| a.0.cmp(b.0));
        pairs
    }

    /// The labels that `wanted` accepts; errors count as parsed.
    pub fn collect(&self, wanted: impl Fn(&str, Category) -> bool) -> Labels {
        let mut pairs: Vec<(&str, &str)> =
            self.pairs().into_iter().filter(|(n, _, c)| wanted(n, *c)).map(|(n, v, _)| (n, v)).collect();
        if let Some(error) = self.error
            && wanted(ERROR, Category::Parsed)
        {
            pairs.push((ERROR, error));
            if !self.error_details.is_empty() {
                pairs.push((ERROR_DETAILS, &self.error_details));
            }
            pairs.sort_unstable_by(|a, b| a.0.cmp(b.0));
        }
        pairs.dedup_by(|a, b| a.0 == b.0);
        Labels::from_sorted(pairs)
    }

    /// All labels, error labels included.
    pub fn all(&self) -> Labels {
        if self.is_untouched() { self.stream.clone() } else { self.collect(|_, _| true) }
    }

    /// The labels of one category; errors count as parsed.
    pub fn of(&self, category: Category) -> Labels {
        if category == Category::Stream && self.is_untouched() {
            return self.stream.clone();
        }
        self.collect(|_, c| c == category)
    }
}
