//! Answers questions from an index page without unpacking it.

use std::borrow::Cow;
use std::ops::ControlFlow;

use model::Labels;

use super::layout::Layout;
use super::pairs::{Pairs, Values};
use super::series::{Entry, SeriesTable};
use super::symbols::Symbols;
use crate::view::KeepValue;
use crate::{IndexError, IndexView, SeriesId};

/// Reads a page made by [`IndexWriter`](super::IndexWriter). Opening checks the header only, so a reader
/// can be made anew for every query.
#[derive(Clone, Copy)]
pub struct IndexReader<'a> {
    count: u32,
    symbols: Symbols<'a>,
    series: SeriesTable<'a>,
    pairs: Pairs<'a>,
}

impl<'a> IndexReader<'a> {
    pub fn open(page: &'a [u8]) -> Result<IndexReader<'a>, IndexError> {
        let layout = Layout::read(page)?;
        let count = layout.series_count;
        let shapes = layout.shapes.of(page, "shapes section")?;
        Ok(IndexReader {
            count,
            symbols: Symbols::read(layout.symbols.of(page, "symbols section")?)?,
            series: SeriesTable::read(count, shapes, layout.series.of(page, "series section")?)?,
            pairs: Pairs::read(layout.pairs.of(page, "pairs section")?, count)?,
        })
    }

    pub fn len(&self) -> usize {
        self.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn values_of(&self, name: &str) -> Result<Option<Values>, IndexError> {
        match self.symbols.find(name)? {
            Ok(symbol) => self.pairs.values_of(symbol),
            Err(_) => Ok(None),
        }
    }
}

impl IndexView for IndexReader<'_> {
    fn all(&self) -> Result<Vec<SeriesId>, IndexError> {
        Ok((0..self.count).collect())
    }

    fn value_count(&self, name: &str) -> Result<usize, IndexError> {
        Ok(self.values_of(name)?.map_or(0, |values| values.count as usize))
    }

    fn postings(&self, name: &str, value: &str) -> Result<Cow<'_, [SeriesId]>, IndexError> {
        let mut ids = Vec::new();
        if let (Some(values), Ok(symbol)) = (self.values_of(name)?, self.symbols.find(value)?) {
            let at = self.pairs.lower_bound(values, symbol)?;
            if at < values.count {
                let (found, list) = self.pairs.value(values, at)?;
                if found == symbol {
                    self.pairs.list(list, &mut ids)?;
                }
            }
        }
        Ok(Cow::Owned(ids))
    }

    fn collect(
        &self,
        name: &str,
        prefix: &str,
        keep: &mut KeepValue<'_>,
        out: &mut Vec<SeriesId>,
    ) -> Result<(), IndexError> {
        let Some(values) = self.values_of(name)? else { return Ok(()) };
        let first = match self.symbols.find(prefix)? {
            Ok(symbol) | Err(symbol) => symbol,
        };
        let mut walker = self.symbols.walker();
        for at in self.pairs.lower_bound(values, first)?..values.count {
            let (symbol, list) = self.pairs.value(values, at)?;
            let value = walker.get(symbol)?;
            if !value.starts_with(prefix) {
                break;
            }
            if keep(value) {
                self.pairs.list(list, out)?;
            }
        }
        Ok(())
    }

    fn visit_names(&self, visit: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<(), IndexError> {
        let mut walker = self.symbols.walker();
        for at in 0..self.pairs.name_count() {
            if visit(walker.get(self.pairs.name(at)?.0)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn visit_values(
        &self,
        name: &str,
        visit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let Some(values) = self.values_of(name)? else { return Ok(()) };
        let mut walker = self.symbols.walker();
        for at in 0..values.count {
            if visit(walker.get(self.pairs.value(values, at)?.0)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn visit_labels(&self, id: SeriesId, visit: &mut dyn FnMut(&str, &str)) -> Result<(), IndexError> {
        if id >= self.count {
            return Ok(());
        }
        let mut entry = Entry::default();
        self.series.get(id, &mut entry)?;
        let (mut names, mut values) = (self.symbols.walker(), self.symbols.walker());
        for (name, value) in entry.names.iter().zip(&entry.values) {
            visit(names.get(*name)?, values.get(*value)?);
        }
        Ok(())
    }

    fn labels(&self, id: SeriesId) -> Result<Labels, IndexError> {
        let mut packed = Vec::with_capacity(256);
        self.visit_labels(id, &mut |name, value| {
            for text in [name, value] {
                crate::bytes::put_uvarint(&mut packed, text.len() as u64);
                packed.extend_from_slice(text.as_bytes());
            }
        })?;
        Labels::from_packed(&packed).map_err(|_| IndexError::new("label set", id as usize))
    }
}
