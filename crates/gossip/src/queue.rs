//! What is still to be told to the others, each piece a limited number of times.
//!
//! Every round of gossip takes what has been told least, so that news travel before echoes. A piece has
//! reached everybody, as far as chance promises that, after a number of tellings that grows with the
//! logarithm of the cluster's size; then it is forgotten here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Position in the queue: least told first, then longest, then youngest.
type Rank = (u32, Reverse<usize>, Reverse<u64>);

#[derive(Debug, Default)]
pub struct Queue {
    pieces: BTreeMap<Rank, Piece>,
    /// Where the current piece about a node stands: a new one takes its place.
    by_name: HashMap<String, Rank>,
    ids: u64,
}

#[derive(Debug)]
struct Piece {
    /// Whom it is about; empty for what nothing replaces.
    name: String,
    bytes: Vec<u8>,
}

/// How often a piece is told in a cluster of `nodes`.
pub fn retransmit_limit(mult: u32, nodes: usize) -> u32 {
    let digits = ((nodes + 1) as f64).log10().ceil() as u32;
    mult * digits
}

impl Queue {
    /// Adds a piece. What was queued about the same (not empty) name is forgotten.
    pub fn push(&mut self, name: &str, bytes: Vec<u8>) {
        if let Some(rank) = self.by_name.remove(name) {
            self.pieces.remove(&rank);
        }
        self.ids += 1;
        self.insert((0, Reverse(bytes.len()), Reverse(self.ids)), Piece { name: name.to_owned(), bytes });
    }

    fn insert(&mut self, rank: Rank, piece: Piece) {
        if !piece.name.is_empty() {
            self.by_name.insert(piece.name.clone(), rank);
        }
        self.pieces.insert(rank, piece);
    }

    /// Takes pieces that fit into `room` bytes, with `overhead` for each, and hands each to `take`.
    /// Returns how many bytes of room they used.
    pub fn fill(&mut self, room: usize, overhead: usize, limit: u32, mut take: impl FnMut(&[u8])) -> usize {
        let mut used = 0;
        let mut chosen = Vec::new();
        // More than these never fit: a piece is not shorter than its kind's byte.
        let steps_max = 4 * room;
        for (rank, piece) in self.pieces.iter().take(steps_max) {
            let size = piece.bytes.len() + overhead;
            if used + size <= room {
                used += size;
                take(&piece.bytes);
                chosen.push(*rank);
            }
            if room - used <= overhead {
                break;
            }
        }
        for rank in chosen {
            let Some(piece) = self.pieces.remove(&rank) else { continue };
            let told = rank.0 + 1;
            if told < limit {
                self.insert((told, rank.1, rank.2), piece);
            } else {
                self.by_name.remove(&piece.name);
            }
        }
        used
    }

    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Forgets what has been told most, until `keep` pieces are left. Returns how many that were.
    pub fn prune(&mut self, keep: usize) -> usize {
        let mut pruned = 0;
        while self.pieces.len() > keep {
            if let Some((_, piece)) = self.pieces.pop_last() {
                self.by_name.remove(&piece.name);
                pruned += 1;
            }
        }
        pruned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(queue: &mut Queue, room: usize, limit: u32) -> Vec<String> {
        let mut out = Vec::new();
        queue.fill(room, 2, limit, |bytes| out.push(String::from_utf8(bytes.to_vec()).unwrap()));
        out
    }

    #[test]
    fn limits_grow_with_the_cluster() {
        for (nodes, limit) in [(0, 0), (1, 3), (9, 3), (10, 6), (99, 6), (100, 9)] {
            assert_eq!(retransmit_limit(3, nodes), limit, "{nodes}");
        }
    }

    #[test]
    fn what_was_told_least_comes_first_and_ends() {
        let mut queue = Queue::default();
        queue.push("", b"one".to_vec());
        assert_eq!(taken(&mut queue, 100, 3), ["one"]);
        queue.push("", b"two".to_vec());
        // Room for one only.
        assert_eq!(taken(&mut queue, 5, 3), ["two"]);
        assert_eq!(taken(&mut queue, 100, 3), ["two", "one"]);
        assert_eq!(taken(&mut queue, 100, 3), ["two", "one"]);
        assert_eq!(queue.len(), 0);
        assert!(taken(&mut queue, 100, 3).is_empty());
    }

    #[test]
    fn the_longest_that_fits_goes_first() {
        let mut queue = Queue::default();
        for text in ["aaaa", "b", "cccccccc"] {
            queue.push("", text.into());
        }
        assert_eq!(taken(&mut queue, 9, 9), ["aaaa", "b"]);
    }

    #[test]
    fn news_of_a_node_replace_older_ones() {
        let mut queue = Queue::default();
        queue.push("a", b"suspect".to_vec());
        queue.push("b", b"other".to_vec());
        queue.push("a", b"alive".to_vec());
        assert_eq!(taken(&mut queue, 100, 2), ["alive", "other"]);
        queue.push("a", b"dead".to_vec());
        assert_eq!(taken(&mut queue, 100, 2), ["dead", "other"]);
        assert_eq!(queue.by_name.len(), queue.len());
    }

    #[test]
    fn pruning_keeps_the_news() {
        let mut queue = Queue::default();
        queue.push("", b"old".to_vec());
        taken(&mut queue, 100, 9);
        queue.push("", b"new".to_vec());
        assert_eq!((queue.prune(1), queue.prune(1)), (1, 0));
        assert_eq!(taken(&mut queue, 100, 9), ["new"]);
    }
}
