//! Set arithmetic on ascending id lists.

use std::cmp::Ordering;

/// When one list is this many times longer than the other, jumping beats walking.
const GALLOP_RATIO: usize = 16;

/// Ids in both lists.
pub fn intersect(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut out = Vec::with_capacity(short.len());
    if short.len() * GALLOP_RATIO < long.len() {
        let mut rest = long;
        for &id in short {
            rest = skip_below(rest, id);
            match rest.first() {
                Some(&first) if first == id => out.push(id),
                Some(_) => {}
                None => break,
            }
        }
        return out;
    }
    let (mut i, mut j) = (0, 0);
    while i < short.len() && j < long.len() {
        match short[i].cmp(&long[j]) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => {
                out.push(short[i]);
                i += 1;
                j += 1;
            }
        }
    }
    out
}

/// Whether the lists share an id.
pub fn intersects(a: &[u32], b: &[u32]) -> bool {
    let (short, mut long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    for &id in short {
        long = skip_below(long, id);
        match long.first() {
            Some(&first) if first == id => return true,
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// Removes from `a` every id of `b`.
pub fn subtract(a: &mut Vec<u32>, b: &[u32]) {
    if a.is_empty() || b.is_empty() {
        return;
    }
    let mut rest = b;
    a.retain(|&id| {
        rest = skip_below(rest, id);
        rest.first() != Some(&id)
    });
}

/// Turns lists appended one after another into one ascending list.
pub fn normalise(ids: &mut Vec<u32>) {
    if ids.is_sorted() {
        return ids.dedup();
    }
    let words = ids.iter().max().map_or(0, |max| *max as usize / 64 + 1);
    if words > 2 * ids.len() {
        ids.sort_unstable();
        return ids.dedup();
    }
    // Most of what there is: a bit for each id takes less than sorting them.
    let mut bits = vec![0u64; words];
    for id in ids.iter() {
        if let Some(word) = bits.get_mut(*id as usize / 64) {
            *word |= 1 << (id % 64);
        }
    }
    ids.clear();
    for (at, mut word) in bits.into_iter().enumerate() {
        while word != 0 {
            ids.push(at as u32 * 64 + word.trailing_zeros());
            word &= word - 1;
        }
    }
}

/// The tail of `list` that starts at the first id not below `id`: doubling steps, then a binary search.
fn skip_below(list: &[u32], id: u32) -> &[u32] {
    let mut step = 1;
    while step < list.len() && list[step] < id {
        step *= 2;
    }
    let (from, to) = (step / 2, (step + 1).min(list.len()));
    let window = list.get(from..to).unwrap_or(&[]);
    &list[from.min(list.len()) + window.partition_point(|&x| x < id)..]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn list(max: u32, len: usize) -> impl Strategy<Value = Vec<u32>> {
        proptest::collection::btree_set(0..max, 0..len).prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #[test]
        fn agrees_with_sets(a in list(500, 200), b in prop_oneof![list(500, 5), list(500, 300)]) {
            let (x, y): (BTreeSet<u32>, BTreeSet<u32>) =
                (a.iter().copied().collect(), b.iter().copied().collect());
            let both: Vec<u32> = x.intersection(&y).copied().collect();
            prop_assert_eq!(&intersect(&a, &b), &both);
            prop_assert_eq!(&intersect(&b, &a), &both);
            prop_assert_eq!(intersects(&a, &b), !both.is_empty());
            let mut rest = a.clone();
            subtract(&mut rest, &b);
            prop_assert_eq!(rest, x.difference(&y).copied().collect::<Vec<_>>());
            let both: Vec<u32> = x.union(&y).copied().collect();
            let mut union = [b, a].concat();
            normalise(&mut union);
            prop_assert_eq!(&union, &both);
            // The same far apart.
            let mut far: Vec<u32> = both.iter().rev().map(|id| id * 8_000_000).collect();
            normalise(&mut far);
            prop_assert_eq!(far, both.iter().map(|id| id * 8_000_000).collect::<Vec<_>>());
        }
    }
}
