//! Columns of times decoded last, per thread, and space for values.
//!
//! The series of a target share their columns of times, and a query reads those series one after the other:
//! what was decoded for one is right for the next.

use std::cell::RefCell;
use std::sync::Arc;

use codec::{CodecError, Cursor, floats, timestamps};
use model::TimestampMs;

/// A query reads a few chunks of each series, hence a few columns in turn. At 240 times a column, 16 KiB.
const PLACES: usize = 8;

#[derive(Default)]
struct Decoded {
    /// Held, so that no other column can come to lie at this address.
    column: Option<Arc<[u8]>>,
    times: Vec<TimestampMs>,
}

#[derive(Default)]
struct Recent {
    places: [Decoded; PLACES],
    next: usize,
    values: Vec<f64>,
}

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::default();
}

/// Shows the decoded times and values, as many of each as there are of both.
pub fn with_columns<T>(
    times: &Arc<[u8]>,
    values: &[u8],
    read: impl FnOnce(&[TimestampMs], &[f64]) -> T,
) -> Result<T, CodecError> {
    RECENT.with_borrow_mut(|recent| {
        let same = |place: &Decoded| place.column.as_ref().is_some_and(|known| Arc::ptr_eq(known, times));
        let at = match recent.places.iter().position(same) {
            Some(at) => at,
            None => {
                let at = recent.next;
                recent.next = (at + 1) % PLACES;
                let place = &mut recent.places[at];
                place.column = None;
                timestamps::decode(&mut Cursor::new(times), &mut place.times)?;
                place.column = Some(times.clone());
                at
            }
        };
        floats::decode(&mut Cursor::new(values), &mut recent.values)?;
        let times = &recent.places[at].times;
        let both = times.len().min(recent.values.len());
        Ok(read(&times[..both], &recent.values[..both]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_back_in_any_order() {
        let times = |first: i64| -> Arc<[u8]> {
            let mut bytes = Vec::new();
            timestamps::encode(&[first, first + 1, first + 5], &mut bytes);
            bytes.into()
        };
        let mut values = Vec::new();
        floats::encode(&[1.5, 2.5, 4.0], &mut values);
        let columns: Vec<_> = (0..20).map(|i| times(i * 100)).collect();
        for round in 0..3 {
            for (i, column) in columns.iter().enumerate().skip(round) {
                let first = i as i64 * 100;
                let expected = vec![(first, 1.5), (first + 1, 2.5), (first + 5, 4.0)];
                let pairs = |times: &[i64], values: &[f64]| {
                    times.iter().copied().zip(values.iter().copied()).collect::<Vec<_>>()
                };
                assert_eq!(with_columns(column, &values, pairs).unwrap(), expected);
                assert_eq!(with_columns(column, &values, pairs).unwrap(), expected);
            }
        }
        assert!(with_columns(&Arc::from([9u8]), &values, |_, _| ()).is_err());
        assert!(with_columns(&columns[0], &[9], |_, _| ()).is_err());
        assert_eq!(with_columns(&columns[0], &values, |times, _| times.len()).unwrap(), 3);
    }
}
