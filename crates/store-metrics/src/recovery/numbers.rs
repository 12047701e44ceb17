//! From the log's series numbers to the head's.

use index::SeriesId;

use super::apply::NOBODY;

const PAGE: usize = 256;

/// Dense in what the log has defined, so an entry takes four bytes.
#[derive(Default)]
pub struct Numbers {
    pages: Vec<Option<Box<[SeriesId; PAGE]>>>,
}

impl Numbers {
    pub fn set(&mut self, number: SeriesId, id: SeriesId) {
        let (page, at) = (number as usize / PAGE, number as usize % PAGE);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        if let Some(place) = self.pages.get_mut(page) {
            place.get_or_insert_with(|| Box::new([NOBODY; PAGE]))[at] = id;
        }
    }

    /// Replaces numbers by the head's ids. Those that have none stay and their positions go to `unknown`.
    pub fn translate(&self, numbers: &mut [SeriesId], unknown: &mut Vec<usize>) {
        let mut at = 0;
        for run in numbers.chunk_by_mut(|a, b| *a as usize / PAGE == *b as usize / PAGE) {
            let page = run.first().and_then(|first| self.pages.get(*first as usize / PAGE)?.as_deref());
            for number in run {
                match page.map_or(NOBODY, |page| page[*number as usize % PAGE]) {
                    NOBODY => unknown.push(at),
                    id => *number = id,
                }
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_are_translated_and_the_others_named() {
        let mut numbers = Numbers::default();
        for (number, id) in [(0, 7), (1, 8), (300, 9), (70_000, 10)] {
            numbers.set(number, id);
        }
        numbers.set(1, NOBODY);
        let (mut ids, mut unknown) = (vec![0, 1, 2, 300, 299, 70_000, 4_000_000_000], Vec::new());
        numbers.translate(&mut ids, &mut unknown);
        assert_eq!(ids, [7, 1, 2, 9, 299, 10, 4_000_000_000]);
        assert_eq!(unknown, [1, 2, 4, 6]);
    }
}
