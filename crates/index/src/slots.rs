//! A table from never-reused dense ids to values, whose memory follows the living.
//!
//! Ids only grow, series come and go. A plain vector would keep a hole for every series that ever lived;
//! pages that have lost their last value are given back instead. Series born together tend to die
//! together, so pages empty well.

/// Values of a page.
pub const PAGE: usize = 256;

pub struct Slots<T> {
    pages: Vec<Option<Page<T>>>,
    live: usize,
}

struct Page<T> {
    live: usize,
    items: Box<[Option<T>]>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { pages: Vec::new(), live: 0 }
    }
}

impl<T> Slots<T> {
    pub fn len(&self) -> usize {
        self.live
    }

    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    #[inline]
    pub fn get(&self, id: usize) -> Option<&T> {
        self.pages.get(id / PAGE)?.as_ref()?.items[id % PAGE].as_ref()
    }

    #[inline]
    pub fn get_mut(&mut self, id: usize) -> Option<&mut T> {
        self.pages.get_mut(id / PAGE)?.as_mut()?.items[id % PAGE].as_mut()
    }

    /// The page that `id` lies in, at `id % PAGE`: for going through neighbours without finding each.
    #[inline]
    pub fn page_mut(&mut self, id: usize) -> Option<&mut [Option<T>]> {
        Some(&mut self.pages.get_mut(id / PAGE)?.as_mut()?.items)
    }

    /// Stores `value` under `id` and returns what was there.
    pub fn insert(&mut self, id: usize, value: T) -> Option<T> {
        let at = id / PAGE;
        if at >= self.pages.len() {
            self.pages.resize_with(at + 1, || None);
        }
        let page = self.pages[at].get_or_insert_with(|| Page {
            live: 0,
            items: std::iter::repeat_with(|| None).take(PAGE).collect(),
        });
        let old = page.items[id % PAGE].replace(value);
        if old.is_none() {
            page.live += 1;
            self.live += 1;
        }
        old
    }

    pub fn remove(&mut self, id: usize) -> Option<T> {
        let slot = self.pages.get_mut(id / PAGE)?;
        let page = slot.as_mut()?;
        let old = page.items[id % PAGE].take()?;
        page.live -= 1;
        self.live -= 1;
        if page.live == 0 {
            *slot = None;
        }
        Some(old)
    }

    /// Living values in ascending id order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.pages.iter().enumerate().filter_map(|(at, page)| Some((at, page.as_ref()?))).flat_map(
            |(at, page)| {
                let items = page.items.iter().enumerate();
                items.filter_map(move |(i, item)| Some((at * PAGE + i, item.as_ref()?)))
            },
        )
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut T)> {
        self.pages.iter_mut().enumerate().filter_map(|(at, page)| Some((at, page.as_mut()?))).flat_map(
            |(at, page)| {
                let items = page.items.iter_mut().enumerate();
                items.filter_map(move |(i, item)| Some((at * PAGE + i, item.as_mut()?)))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_without_values_are_given_back() {
        let mut slots = Slots::default();
        for id in 0..3 * PAGE {
            assert_eq!(slots.insert(id, id), None);
        }
        for id in PAGE..2 * PAGE {
            assert_eq!(slots.remove(id), Some(id));
            assert_eq!(slots.remove(id), None);
        }
        assert!(slots.pages[1].is_none());
        assert_eq!((slots.len(), slots.get(PAGE), slots.get(0)), (2 * PAGE, None, Some(&0)));
        assert_eq!(slots.get(usize::MAX), None);
        assert_eq!(slots.iter().count(), 2 * PAGE);
        assert_eq!(slots.insert(0, 7), Some(0));
        assert_eq!(slots.len(), 2 * PAGE);
    }
}
