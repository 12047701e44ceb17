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
/// Value → where its ids are in `postings`.
type Values = BTreeMap<Box<str>, u32>;

#[derive(Default)]
pub struct LiveIndex {
    labels: Slots<Labels>,
    by_labels: HashTable<Entry>,
    names: BTreeMap<Box<str>, Values>,
    postings: Vec<Ids>,
    /// Places in `postings` without a value.
    free: Vec<u32>,
    /// The labels added last, and where the ids of each pair are. Neighbours share most of their labels, and
    /// comparing them is faster than finding them.
    last: Option<(Labels, SmallVec<[u32; 12]>)>,
    next_id: SeriesId,
}

/// With a piece of the hash, so that neither a growing table nor a search in vain reads labels.
#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    id: SeriesId,
}

impl Entry {
    fn new(labels: &Labels, id: SeriesId) -> Entry {
        Entry { hash: labels.hash64() as u32, id }
    }

    /// All bits of the table's hash come from the piece.
    fn spread(&self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl LiveIndex {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub fn get(&self, labels: &Labels) -> Option<SeriesId> {
        self.find(labels, Entry::new(labels, 0))
    }

    fn find(&self, labels: &Labels, entry: Entry) -> Option<SeriesId> {
        let same =
            |other: &Entry| other.hash == entry.hash && self.labels.get(other.id as usize) == Some(labels);
        self.by_labels.find(entry.spread(), same).map(|entry| entry.id)
    }

    pub fn labels_of(&self, id: SeriesId) -> Option<&Labels> {
        self.labels.get(id as usize)
    }

    /// The id of `labels`, a new one when they are new (then the flag is set). `None` when four billion
    /// ids have been used up.
    pub fn get_or_insert(&mut self, labels: &Labels) -> Option<(SeriesId, bool)> {
        let entry = Entry::new(labels, self.next_id);
        if let Some(id) = self.find(labels, entry) {
            return Some((id, false));
        }
        let id = entry.id;
        self.next_id = id.checked_add(1)?;
        let last = self.last.take();
        let (last_labels, last_places) = last.unwrap_or_default();
        let mut known = last_labels.iter().zip(&last_places).peekable();
        let mut now = SmallVec::with_capacity(last_places.len());
        for pair in labels {
            while known.next_if(|(other, _)| other.0 < pair.0).is_some() {}
            let place = match known.next_if(|(other, _)| *other == pair) {
                Some((_, place)) => *place,
                None => self.place_of(pair),
            };
            if let Some(ids) = self.postings.get_mut(place as usize) {
                // Ids only grow, so pushing keeps the list ascending.
                ids.push(id);
            }
            now.push(place);
        }
        self.last = Some((labels.clone(), now));
        self.labels.insert(id as usize, labels.clone());
        self.by_labels.insert_unique(entry.spread(), entry, Entry::spread);
        Some((id, true))
    }

    /// Where the ids of a pair are, an empty list when it is new.
    fn place_of(&mut self, (name, value): (&str, &str)) -> u32 {
        let values = match self.names.get_mut(name) {
            Some(values) => values,
            None => self.names.entry(name.into()).or_default(),
        };
        if let Some(place) = values.get(value) {
            return *place;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.postings.push(Ids::new());
            self.postings.len() as u32 - 1
        });
        values.insert(value.into(), place);
        place
    }

    /// Forgets series, given in any order. Lists are rewritten once, however many series go.
    pub fn remove(&mut self, gone: &[SeriesId]) {
        self.last = None;
        let mut sorted = gone.to_vec();
        crate::postings::normalise(&mut sorted);
        let mut touched: BTreeMap<Box<str>, std::collections::BTreeSet<Box<str>>> = BTreeMap::new();
        for &id in &sorted {
            let Some(labels) = self.labels.remove(id as usize) else { continue };
            let entry = Entry::new(&labels, id);
            if let Ok(entry) = self.by_labels.find_entry(entry.spread(), |other| other.id == id) {
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
                let Some(place) = values.get(&value).copied() else { continue };
                let Some(ids) = self.postings.get_mut(place as usize) else { continue };
                ids.retain(|id| sorted.binary_search(id).is_err());
                if ids.is_empty() {
                    *ids = Ids::new();
                    self.free.push(place);
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
            (name.as_ref(), values.iter().map(|(value, place)| (value.as_ref(), self.ids(*place).len())))
        })
    }

    fn ids(&self, place: u32) -> &[SeriesId] {
        self.postings.get(place as usize).map_or(&[], |ids| ids)
    }

    fn values_from<'a>(
        &'a self,
        name: &str,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a [SeriesId])> + 'a {
        let values = self.names.get(name);
        let from = (Bound::Included(prefix), Bound::Unbounded);
        values
            .into_iter()
            .flat_map(move |values| values.range::<str, _>(from))
            .map(|(value, place)| (value.as_ref(), self.ids(*place)))
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
        Ok(Cow::Borrowed(ids.map_or(&[], |place| self.ids(*place))))
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
