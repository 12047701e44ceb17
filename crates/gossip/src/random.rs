//! Chance, from a seed: simulations repeat what they did.

use std::hash::{BuildHasher, Hasher};

/// xorshift64*: enough for choosing peers, of no use for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        // Zero is the one state that it would never leave.
        Random(seed ^ 0x9e37_79b9_7f4a_7c15 | 1)
    }

    /// Another sequence in every process.
    pub fn from_entropy() -> Random {
        Random::new(std::collections::hash_map::RandomState::new().build_hasher().finish())
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0..bound; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { ((self.next() >> 11) % bound as u64) as usize }
    }

    /// Moves `count` randomly chosen items to the front and drops the others.
    pub fn choose<T>(&mut self, items: &mut Vec<T>, count: usize) {
        for i in 0..count.min(items.len()) {
            let j = i + self.below(items.len() - i);
            items.swap(i, j);
        }
        items.truncate(count);
    }

    pub fn shuffle<T>(&mut self, items: &mut Vec<T>) {
        self.choose(items, usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_chosen_sometimes() {
        let mut random = Random::new(1);
        let mut seen = [0; 5];
        for _ in 0..1_000 {
            let mut items = vec![0, 1, 2, 3, 4];
            random.choose(&mut items, 2);
            assert_eq!(items.len(), 2);
            assert_ne!(items[0], items[1]);
            items.iter().for_each(|i| seen[*i] += 1);
        }
        assert!(seen.iter().all(|n| (300..500).contains(n)), "{seen:?}");
        let mut all = vec![1, 2, 3];
        random.shuffle(&mut all);
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3]);
    }
}
