//! Skip filters: which texts are certainly not in a group.
//!
//! LogQL's line filters match substrings, so whole words are no help: a needle may begin in the middle of
//! one. A filter is a Bloom filter over two kinds of pieces of the text:
//!
//! - *trigrams*, all of them. They tell rare words from frequent ones.
//! - *anchors*: of every [`ANCHOR_WINDOW`] neighbouring 6-grams the one with the smallest hash (winnowing:
//!   Schleimer, Wilkerson, Aiken, "Winnowing: Local Algorithms for Document Fingerprinting", 2003). A
//!   needle of [`ANCHOR_NEEDLE_BYTES`] or more contains whole windows, and what is chosen from those is
//!   the same in any line around it. Anchors tell identifiers apart, which share all trigrams, at a third
//!   of the cost of keeping every 6-gram.
//!
//! Text with too much variety for the space a filter may take gets trigrams only, or no filter.

/// Bytes of text for each byte of filter.
const TEXT_BYTES_PER_FILTER_BYTE: usize = 48;
const FILTER_BYTES_MIN: usize = 64;

/// 8 bits and 3 probes: 3 % false answers a piece, and a needle has several.
const BITS_PER_PIECE: usize = 8;
/// Fewer bits than this say too little: about one in seven answers is false.
const BITS_PER_PIECE_MIN: usize = 4;
const PROBES: u64 = 3;

const ANCHOR_BYTES: usize = 6;
const ANCHOR_WINDOW: usize = 5;
const ANCHOR_NEEDLE_BYTES: usize = ANCHOR_BYTES + ANCHOR_WINDOW - 1;

/// First byte of a filter: what it knows.
const NOTHING: u8 = 0;
const TRIGRAMS: u8 = 1;
const TRIGRAMS_AND_ANCHORS: u8 = 2;

/// Makes filters; keeps its buffers.
pub(crate) struct FilterBuilder {
    /// One bit for each of the 2^24 trigrams.
    seen: Vec<u64>,
    trigrams: Vec<u32>,
}

impl Default for FilterBuilder {
    fn default() -> FilterBuilder {
        FilterBuilder { seen: vec![0; (1 << 24) / 64], trigrams: Vec::new() }
    }
}

impl FilterBuilder {
    /// The filter of a text.
    pub fn build(&mut self, text: &[u8]) -> Vec<u8> {
        self.collect_trigrams(text);
        let mut anchors = anchors(text);
        anchors.sort_unstable();
        anchors.dedup();

        let budget_bits = (text.len() / TEXT_BYTES_PER_FILTER_BYTE).max(FILTER_BYTES_MIN) * 8;
        let fits = |pieces: usize| pieces * BITS_PER_PIECE_MIN <= budget_bits;
        let (kind, pieces) = match self.trigrams.len() {
            trigrams if fits(trigrams + anchors.len()) => (TRIGRAMS_AND_ANCHORS, trigrams + anchors.len()),
            trigrams if fits(trigrams) => (TRIGRAMS, trigrams),
            _ => return vec![NOTHING],
        };
        let bits = (pieces * BITS_PER_PIECE).min(budget_bits).max(8);
        let mut filter = vec![0; 1 + bits.div_ceil(8)];
        filter[0] = kind;
        let (_, bitmap) = filter.split_at_mut(1);
        self.trigrams.iter().for_each(|trigram| insert(bitmap, trigram_key(*trigram)));
        if kind == TRIGRAMS_AND_ANCHORS {
            anchors.iter().for_each(|anchor| insert(bitmap, anchor_key(*anchor)));
        }
        filter
    }

    fn collect_trigrams(&mut self, text: &[u8]) {
        for trigram in &self.trigrams {
            self.seen[(*trigram / 64) as usize] = 0;
        }
        self.trigrams.clear();
        for window in text.windows(3) {
            let trigram = trigram(window);
            let (word, bit) = ((trigram / 64) as usize, 1 << (trigram % 64));
            if self.seen[word] & bit == 0 {
                self.seen[word] |= bit;
                self.trigrams.push(trigram);
            }
        }
    }
}

/// Whether the text behind `filter` may contain `needle`.
pub(crate) fn may_contain(filter: &[u8], needle: &[u8]) -> bool {
    let Some((kind, bitmap)) = filter.split_first() else { return true };
    if bitmap.is_empty() || !matches!(*kind, TRIGRAMS | TRIGRAMS_AND_ANCHORS) {
        return true;
    }
    if *kind == TRIGRAMS_AND_ANCHORS
        && needle.len() >= ANCHOR_NEEDLE_BYTES
        && !anchors(needle).iter().all(|anchor| contains(bitmap, anchor_key(*anchor)))
    {
        return false;
    }
    needle.windows(3).all(|window| contains(bitmap, trigram_key(trigram(window))))
}

fn trigram(window: &[u8]) -> u32 {
    window.iter().fold(0, |trigram, byte| trigram << 8 | u32::from(*byte))
}

/// The chosen 6-gram hashes of every whole window, repetitions of neighbours left out.
fn anchors(text: &[u8]) -> Vec<u32> {
    if text.len() < ANCHOR_NEEDLE_BYTES {
        return Vec::new();
    }
    let hash = |window: &[u8]| {
        let gram = window.iter().fold(0u64, |gram, byte| gram << 8 | u64::from(*byte));
        (gram.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
    };
    let hashes: Vec<u32> = text.windows(ANCHOR_BYTES).map(hash).collect();
    let mut chosen: Vec<u32> = Vec::with_capacity(hashes.len() / 2);
    for window in hashes.windows(ANCHOR_WINDOW) {
        let smallest = window.iter().copied().min().unwrap_or_default();
        if chosen.last() != Some(&smallest) {
            chosen.push(smallest);
        }
    }
    chosen
}

fn trigram_key(trigram: u32) -> u64 {
    mix(u64::from(trigram))
}

fn anchor_key(anchor: u32) -> u64 {
    mix(u64::from(anchor) | 1 << 40)
}

/// The finaliser of MurmurHash3.
fn mix(mut n: u64) -> u64 {
    n = (n ^ n >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    n = (n ^ n >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    n ^ n >> 33
}

/// Two halves of one hash make all probes (Kirsch and Mitzenmacher, 2006).
fn probes(key: u64, bits: usize) -> impl Iterator<Item = usize> {
    let (first, step) = (key >> 32, (key & 0xffff_ffff) | 1);
    (0..PROBES).map(move |n| (first.wrapping_add(n * step) % bits as u64) as usize)
}

fn insert(bitmap: &mut [u8], key: u64) {
    for bit in probes(key, bitmap.len() * 8) {
        bitmap[bit / 8] |= 1 << (bit % 8);
    }
}

fn contains(bitmap: &[u8], key: u64) -> bool {
    probes(key, bitmap.len() * 8).all(|bit| bitmap[bit / 8] & 1 << (bit % 8) != 0)
}

#[cfg(test)]
mod tests {
    use platform::Random;

    use super::*;

    fn sample(random: &mut Random, lines: usize) -> String {
        let mut text = String::new();
        for n in 0..lines {
            let id = random.next_u64();
            text.push_str(&format!("level=info msg=\"request {n} done\" user=ü{} id={id:016x} ", id % 50));
        }
        text
    }

    #[test]
    fn what_is_there_is_found() {
        let mut builder = FilterBuilder::default();
        let mut random = Random::new(1);
        for lines in [1, 2, 40, 400] {
            let text = sample(&mut random, lines);
            let filter = builder.build(text.as_bytes());
            for _ in 0..2000 {
                let start = random.below(text.len() as u64) as usize;
                let end = (start + random.below(40) as usize).min(text.len());
                assert!(may_contain(&filter, &text.as_bytes()[start..end]), "{start}..{end} of {lines}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_mostly_told() {
        let mut builder = FilterBuilder::default();
        let mut random = Random::new(2);
        // Repeating lines, as logs do: variety is what costs.
        let text = sample(&mut random, 60).repeat(60);
        let filter = builder.build(text.as_bytes());
        assert!(filter.len() <= text.len() / TEXT_BYTES_PER_FILTER_BYTE + 1, "{}", filter.len());
        let identifiers = (0..1000).map(|_| format!("{:016x}", random.next_u64()));
        let wrong = identifiers.filter(|id| may_contain(&filter, id.as_bytes())).count();
        assert!(wrong < 100, "{wrong} of 1000 identifiers");
        assert!(!may_contain(&filter, b"zebra crossing"));
        assert!(!may_contain(&filter, b"fatal"));
    }

    #[test]
    fn too_much_variety_means_no_filter() {
        let mut random = Random::new(3);
        let noise: Vec<u8> = (0..100_000).map(|_| random.below(256) as u8).collect();
        let filter = FilterBuilder::default().build(&noise);
        assert_eq!(filter, [NOTHING]);
        assert!(may_contain(&filter, b"anything"));
        assert!(may_contain(&[], b"anything"));
        assert!(may_contain(&[77, 0, 0], b"anything"));
    }
}
