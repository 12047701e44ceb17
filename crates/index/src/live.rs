//! The index of what is in memory: series are added as they appear and removed when they have gone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use hashbrown::HashTable;
use model::Labels;
use smallvec::SmallVec;

use crate::view::KeepValue;
use crate::{IndexError, IndexView, SeriesId, Slots};

/// Most label pairs of a churning world belong to very few series.
type Ids = SmallVec<[SeriesId; 4]>;
type Values = BTreeMap<Box<str>, Ids>;

#[derive(Default)]
pub struct LiveIndex {
    labels: Slots<Labels>,
    by_labels: HashTable<SeriesId>,
    names: BTreeMap<Box<str>, Values>,
    next_id: SeriesId,
}

impl LiveIndex {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub fn get(&self, labels: &Labels) -> Option<SeriesId> {
        let same = |id: &SeriesId| self.labels.get(*id as usize) == Some(labels);
        self.by_labels.find(labels.hash64(), same).copied()
    }

    pub fn labels_of(&self, id: SeriesId) -> Option<&Labels> {
        self.labels.get(id as usize)
    }

    /// The id of `labels`, a new one when they are new (then the flag is set). `None` when four billion
    /// ids have been used up.
    pub fn get_or_insert(&mut self, labels: &Labels) -> Option<(SeriesId, bool)> {
        if let Some(id) = self.get(labels) {
            return Some((id, false));
        }
        let id = self.next_id;
        self.next_id = id.checked_add(1)?;
        for (name, value) in labels {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), Values::new());
            }
            let Some(values) = self.names.get_mut(name) else { continue };
            match values.get_mut(value) {
                // Ids only grow, so pushing keeps the list ascending.
                Some(ids) => ids.push(id),
                None => {
                    values.insert(value.into(), Ids::from_slice(&[id]));
                }
            }
        }
        self.labels.insert(id as usize, labels.clone());
        let all = &self.labels;
        self.by_labels
            .insert_unique(labels.hash64(), id, |id| all.get(*id as usize).map_or(0, Labels::hash64));
        Some((id, true))
    }

    /// Forgets series, given in any order. Lists are rewritten once, however many series go.
    pub fn remove(&mut self, gone: &[SeriesId]) {
        let mut sorted = gone.to_vec();
        crate::postings::normalise(&mut sorted);
        let mut touched: BTreeMap<Box<str>, std::collections::BTreeSet<Box<str>>> = BTreeMap::new();
        for &id in &sorted {
            let Some(labels) = self.labels.remove(id as usize) else { continue };
            if let Ok(entry) = self.by_labels.find_entry(labels.hash64(), |other| *other == id) {
                entry.remove();
            }
            for (name, value) in &labels {
                match touched.get_mut(name) {
                    Some(values) if values.contains(value) => {}
                    Some(values) => drop(values.insert(value.into())),
                    None => drop(touched.insert(name.into(), [value.into()].into())),
                }
            }
        }
        for (name, touched_values) in touched {
            let Some(values) = self.names.get_mut(&name) else { continue };
            for value in touched_values {
                let Some(ids) = values.get_mut(&value) else { continue };
                ids.retain(|id| sorted.binary_search(id).is_err());
                if ids.is_empty() {
                    values.remove(&value);
                } else {
                    ids.shrink_to_fit();
                }
            }
            if values.is_empty() {
                self.names.remove(&name);
            }
        }
    }

    /// Label names with their values and how many series carry each pair, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (&str, usize)>)> {
        self.names.iter().map(|(name, values)| {
            (name.as_ref(), values.iter().map(|(value, ids)| (value.as_ref(), ids.len())))
        })
    }

    fn values_from<'a>(
        &'a self,
        name: &str,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Ids)> + 'a {
        let values = self.names.get(name);
        let from = (Bound::Included(prefix), Bound::Unbounded);
        values
            .into_iter()
            .flat_map(move |values| values.range::<str, _>(from))
            .map(|(value, ids)| (value.as_ref(), ids))
            .take_while(move |(value, _)| value.starts_with(prefix))
    }
}

impl IndexView for LiveIndex {
    fn all(&self) -> Result<Vec<SeriesId>, IndexError> {
        Ok(self.labels.iter().map(|(id, _)| id as SeriesId).collect())
    }

    fn value_count(&self, name: &str) -> Result<usize, IndexError> {
        Ok(self.names.get(name).map_or(0, BTreeMap::len))
    }

    fn postings(&self, name: &str, value: &str) -> Result<Cow<'_, [SeriesId]>, IndexError> {
        let ids = self.names.get(name).and_then(|values| values.get(value));
        Ok(Cow::Borrowed(ids.map_or(&[], |ids| ids.as_slice())))
    }

    fn collect(
        &self,
        name: &str,
        prefix: &str,
        keep: &mut KeepValue<'_>,
        out: &mut Vec<SeriesId>,
    ) -> Result<(), IndexError> {
        for (value, ids) in self.values_from(name, prefix) {
            if keep(value) {
                out.extend_from_slice(ids);
            }
        }
        Ok(())
    }

    fn visit_names(&self, visit: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<(), IndexError> {
        let _ = self.names.keys().try_for_each(|name| visit(name));
        Ok(())
    }

    fn visit_values(
        &self,
        name: &str,
        visit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let _ = self.values_from(name, "").try_for_each(|(value, _)| visit(value));
        Ok(())
    }

    fn visit_labels(&self, id: SeriesId, visit: &mut dyn FnMut(&str, &str)) -> Result<(), IndexError> {
        if let Some(labels) = self.labels_of(id) {
            labels.iter().for_each(|(name, value)| visit(name, value));
        }
        Ok(())
    }

    fn labels(&self, id: SeriesId) -> Result<Labels, IndexError> {
        Ok(self.labels_of(id).cloned().unwrap_or_default())
    }
}
