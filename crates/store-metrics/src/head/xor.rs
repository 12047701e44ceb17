//! The growing chunk of floats in memory: Gorilla's idea (delta of delta for times, XOR for values) with
//! narrower time bins, and read from its end.
//!
//! The published bins start at 14 bits, which makes a scrape that is a millisecond late cost as much as one
//! that is eight seconds late. Real scrapes jitter by a few milliseconds, so the first bin here has 6 bits.
//!
//! Queries look at the last minutes. So a sample's bits are laid down in the order in which a reader that
//! walks back meets them, and the chunk itself holds the state after the last sample: delta, value and window
//! of significant bits. Whoever wants five minutes decodes five minutes, and the first sample needs no bits.
//!
//! ```text
//! sample = time value            as met walking back; the first sample has no bits
//! time   = 0                     delta as before
//!        | 10 d:6 | 110 d:12 | 1110 d:20 | 1111 d:64      two's complement delta of delta
//! value  = 0                     bits as before
//!        | 10 x                  XOR within the window, which stays
//!        | 11 x leading:5 len-1:6                         XOR within the window, and the window before it
//! ```
//!
//! Bits fill words from the top. The last word lies in the chunk itself, and samples at the end that repeat
//! both delta and value are only counted, so a constant series has no words at all and most other appends
//! touch no memory but the chunk.
//!
//! The chunk also remembers the last time and value after it was sealed: the next sample is judged by them.

use std::sync::Arc;

use model::TimestampMs;

/// Bits of the prefix, and of the delta of delta behind it. A prefix is ones, walking back, and a zero.
const TIME_BINS: [(u32, u32); 3] = [(2, 6), (3, 12), (4, 20)];

/// No window of significant bits has been set yet.
const NO_WINDOW: u8 = 0xff;

/// A window that is wider than needed by more than its description costs is not used again.
const WINDOW_WASTE_MAX: u32 = 13;

const WORD: u32 = u64::BITS;

#[derive(Debug, Clone)]
pub struct XorChunk {
    /// Full words.
    words: Vec<u64>,
    /// The word that is filling, from its highest bit.
    tail: u64,
    first_t: TimestampMs,
    last_t: TimestampMs,
    last_delta: i64,
    last_value: u64,
    count: u16,
    /// Samples at the end that repeat delta and value of the one before and are not in the bits yet: all,
    /// while nothing else has come.
    repeats: u16,
    /// Bits of `tail` in use, 64 at most.
    used: u8,
    leading: u8,
    trailing: u8,
}

impl Default for XorChunk {
    fn default() -> Self {
        XorChunk {
            words: Vec::new(),
            tail: 0,
            first_t: i64::MIN,
            last_t: i64::MIN,
            last_delta: 0,
            last_value: 0,
            count: 0,
            repeats: 0,
            used: 0,
            leading: NO_WINDOW,
            trailing: 0,
        }
    }
}

impl XorChunk {
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// The time of the first sample in the chunk.
    pub fn first_t(&self) -> TimestampMs {
        self.first_t
    }

    /// The time of the newest sample ever appended; `i64::MIN` before the first.
    pub fn last_t(&self) -> TimestampMs {
        self.last_t
    }

    pub fn last_value_bits(&self) -> u64 {
        self.last_value
    }

    /// Moves the newest time forward for a sample that is kept elsewhere.
    pub fn note_time(&mut self, t: TimestampMs) {
        self.last_t = t;
    }

    pub fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// Appends a sample; `t` is above all times before.
    #[inline]
    pub fn push(&mut self, t: TimestampMs, value: f64) {
        let value = value.to_bits();
        let delta = t.wrapping_sub(self.last_t);
        let xor = value ^ self.last_value;
        if self.count == 0 {
            (self.first_t, self.last_delta, self.leading, self.repeats) = (t, 0, NO_WINDOW, 1);
        } else if xor == 0 && (delta == self.last_delta || (self.count == 1 && self.repeats == 1)) {
            self.repeats += 1;
            self.last_delta = delta;
        } else {
            self.put_repeats();
            self.put_sample(delta.wrapping_sub(self.last_delta), xor);
            self.last_delta = delta;
        }
        (self.last_t, self.last_value) = (t, value);
        self.count += 1;
    }

    /// Takes the bits out, as whole words, and leaves an empty chunk that remembers the last sample. The state
    /// a reader begins with lies on top of the bits.
    pub fn take(&mut self) -> (u16, Arc<[u64]>) {
        self.put_repeats();
        let (leading, trailing) = self.window();
        let state = [self.tail, self.last_value, self.last_delta as u64];
        let ends = u64::from(self.used) | u64::from(leading) << 8 | u64::from(trailing) << 16;
        let bits = self.words.iter().copied().chain(state).chain([ends]).collect();
        let count = self.count;
        self.clear();
        (count, bits)
    }

    /// Forgets the samples but for what the last one was.
    pub fn clear(&mut self) {
        self.words = Vec::new();
        (self.tail, self.used, self.count, self.repeats) = (0, 0, 0, 0);
    }

    pub fn reader(&self) -> XorReader<'_> {
        let (leading, trailing) = self.window();
        XorReader {
            words: &self.words,
            tail: self.tail,
            at: self.words.len() * WORD as usize + usize::from(self.used),
            left: self.count,
            repeats: self.repeats.min(self.count.saturating_sub(1)),
            t: self.last_t,
            delta: self.last_delta,
            value: self.last_value,
            leading,
            trailing,
        }
    }

    /// The newest sample not after `maxt`.
    pub fn newest(&self, maxt: TimestampMs) -> Option<(TimestampMs, f64)> {
        if self.count > 0 && self.last_t <= maxt {
            return Some((self.last_t, f64::from_bits(self.last_value)));
        }
        self.reader().newest(maxt)
    }

    /// Leading and trailing zeros around the significant bits; zeros when none have been told apart yet.
    fn window(&self) -> (u8, u8) {
        if self.leading == NO_WINDOW { (0, 0) } else { (self.leading, self.trailing) }
    }

    fn put_repeats(&mut self) {
        let mut repeats = u32::from(std::mem::take(&mut self.repeats));
        if repeats == u32::from(self.count) && repeats > 0 {
            // The second sample says how far apart they are, the first one nothing.
            if repeats > 1 {
                self.put_sample(self.last_delta, 0);
            }
            repeats = repeats.saturating_sub(2);
        }
        let mut bits = 2 * repeats;
        while bits > 0 {
            let some = bits.min(WORD);
            self.put(0, some);
            bits -= some;
        }
    }

    fn put_sample(&mut self, dod: i64, xor: u64) {
        // What is met first is laid down last.
        let (mut head, mut len) = (0, 1);
        if xor != 0 {
            (head, len) = (self.put_xor(xor), 2);
        }
        if dod == 0 {
            return self.put(head << 1, len + 1);
        }
        let bin = TIME_BINS.iter().find(|(_, bits)| {
            let half = 1i64 << (bits - 1);
            (-half..half).contains(&dod)
        });
        let Some((prefix, bits)) = bin else {
            self.put(head, len);
            self.put(dod as u64, WORD);
            return self.put(0b1111, 4);
        };
        let d = dod as u64 & ((1 << bits) - 1);
        let ones = (1 << (prefix - 1)) - 1;
        self.put((head << bits | d) << prefix | ones, len + bits + prefix);
    }

    /// Lays down the significant bits, and returns the two that say how.
    fn put_xor(&mut self, xor: u64) -> u64 {
        // Five bits hold the number of leading zeros, so more than 31 are not claimed.
        let leading = xor.leading_zeros().min(31);
        let trailing = xor.trailing_zeros();
        let needed = WORD - leading - trailing;
        let (window_leading, window_trailing) = (u32::from(self.leading), u32::from(self.trailing));
        let fits = self.leading != NO_WINDOW && leading >= window_leading && trailing >= window_trailing;
        if fits && WORD - window_leading - window_trailing <= needed + WINDOW_WASTE_MAX {
            self.put(xor >> window_trailing, WORD - window_leading - window_trailing);
            return 0b01;
        }
        let (before_leading, before_trailing) = self.window();
        let before_len = WORD - u32::from(before_leading) - u32::from(before_trailing);
        self.put(u64::from(before_len - 1) << 5 | u64::from(before_leading), 11);
        (self.leading, self.trailing) = (leading as u8, trailing as u8);
        self.put(xor >> trailing, needed);
        0b11
    }

    /// Appends the lowest `len` bits of `n`, which has no others; 1 to 64 of them, highest first.
    #[inline]
    fn put(&mut self, n: u64, len: u32) {
        let free = WORD - u32::from(self.used);
        if len <= free {
            self.tail |= n << (free - len);
            self.used += len as u8;
            return;
        }
        let over = len - free;
        if free > 0 {
            self.tail |= n >> over;
        }
        if self.words.len() == self.words.capacity() {
            // Doubling would leave a third of all chunk memory unused.
            self.words.reserve_exact((self.words.len() / 4).max(4));
        }
        self.words.push(self.tail);
        self.tail = n << (WORD - over);
        self.used = over as u8;
    }
}

/// Decodes samples back to front; ends early when the bits do.
pub struct XorReader<'a> {
    words: &'a [u64],
    /// The word after them.
    tail: u64,
    /// One after the next bit.
    at: usize,
    /// Samples not yet read, and how many of them, but for the oldest of all, are like the one before
    /// without being in the bits.
    left: u16,
    repeats: u16,
    /// The next sample, and the state after it.
    t: TimestampMs,
    delta: i64,
    value: u64,
    leading: u8,
    trailing: u8,
}

impl<'a> XorReader<'a> {
    /// Of what [`XorChunk::take`] gave; `last_t` is the time of the newest sample.
    pub fn of_sealed(last_t: TimestampMs, count: u16, bits: &'a [u64]) -> XorReader<'a> {
        let none = XorReader {
            words: &[],
            tail: 0,
            at: 0,
            left: 0,
            repeats: 0,
            t: last_t,
            delta: 0,
            value: 0,
            leading: 0,
            trailing: 0,
        };
        let Some((words, [tail, value, delta, ends])) = bits.split_last_chunk::<4>() else { return none };
        let (used, leading, trailing) = (*ends as u8, (ends >> 8) as u8, (ends >> 16) as u8);
        if u32::from(used) > WORD || u32::from(leading) + u32::from(trailing) >= WORD {
            return none;
        }
        XorReader {
            words,
            tail: *tail,
            at: words.len() * WORD as usize + usize::from(used),
            left: count,
            delta: *delta as i64,
            value: *value,
            leading,
            trailing,
            ..none
        }
    }

    /// Appends the samples in `mint..=maxt`, in order of time.
    ///
    /// A sample that repeats delta and value of the one before is two zero bits or none at all. Half of all
    /// series never change, so such samples are taken by the run.
    pub fn append_to(
        mut self,
        mint: TimestampMs,
        maxt: TimestampMs,
        times: &mut Vec<TimestampMs>,
        values: &mut Vec<f64>,
    ) {
        if !self.skip_after(maxt) {
            return;
        }
        let (from, values_from) = (times.len(), values.len());
        times.reserve(usize::from(self.left));
        values.reserve(usize::from(self.left));
        while self.left > 0 && self.t >= mint {
            times.push(self.t);
            values.push(f64::from_bits(self.value));
            let bits = if self.repeats > 0 { 0 } else { self.bits() };
            let mut run = self.run(bits);
            if run > 0 && self.delta > 0 {
                // Not further back than to `mint`.
                let room = self.t.wrapping_sub(mint) as u64 / self.delta as u64;
                run = usize::try_from(room).map_or(run, |room| room.min(run));
                let (t, delta) = (self.t, self.delta);
                times.extend((1..=run as i64).map(|i| t.wrapping_sub(delta.wrapping_mul(i))));
                values.resize(values.len() + run, f64::from_bits(self.value));
                self.take_run(run);
                if self.back().is_none() {
                    break;
                }
            } else if self.back_over(bits).is_none() {
                break;
            }
        }
        if let (Some(times), Some(values)) = (times.get_mut(from..), values.get_mut(values_from..)) {
            times.reverse();
            values.reverse();
        }
    }

    /// The newest sample not after `maxt`.
    pub fn newest(mut self, maxt: TimestampMs) -> Option<(TimestampMs, f64)> {
        self.skip_after(maxt).then(|| (self.t, f64::from_bits(self.value)))
    }

    /// Goes back to the newest sample not after `maxt`. Returns whether there is one.
    fn skip_after(&mut self, maxt: TimestampMs) -> bool {
        while self.left > 0 && self.t > maxt {
            let bits = if self.repeats > 0 { 0 } else { self.bits() };
            let run = self.run(bits);
            if run > 0 && self.delta > 0 {
                let ahead = self.t.wrapping_sub(maxt) as u64;
                let steps = (ahead - 1) / self.delta as u64 + 1;
                self.take_run(usize::try_from(steps).map_or(run, |steps| steps.min(run)));
            } else if self.back_over(bits).is_none() {
                return false;
            }
        }
        self.left > 0
    }

    /// How many of the samples before, as far as `bits` show, are like the next one and as far apart.
    #[inline(always)]
    fn run(&self, bits: u64) -> usize {
        let left = usize::from(self.left.saturating_sub(1));
        if self.repeats > 0 {
            return usize::from(self.repeats).min(left);
        }
        if bits & 0b11 != 0 {
            return 0;
        }
        ((bits.trailing_zeros() as usize).min(self.at) / 2).min(left)
    }

    fn take_run(&mut self, run: usize) {
        self.left = self.left.saturating_sub(run as u16);
        self.t = self.t.wrapping_sub(self.delta.wrapping_mul(run as i64));
        if self.repeats > 0 {
            self.repeats = self.repeats.saturating_sub(run as u16);
        } else {
            self.at = self.at.saturating_sub(2 * run);
        }
    }

    /// Steps to the sample before the next one.
    fn back(&mut self) -> Option<()> {
        let bits = if self.repeats > 0 { 0 } else { self.bits() };
        self.back_over(bits)
    }

    /// The same; `bits` are those that come next.
    #[inline(always)]
    fn back_over(&mut self, mut bits: u64) -> Option<()> {
        self.left = self.left.checked_sub(1).filter(|left| *left > 0)?;
        self.t = self.t.wrapping_sub(self.delta);
        if let Some(repeats) = self.repeats.checked_sub(1) {
            self.repeats = repeats;
            return Some(());
        }
        // Bits used of those at hand.
        let mut used = 1;
        if bits & 1 != 0 {
            match TIME_BINS.get(bits.trailing_ones() as usize - 1) {
                Some((prefix, len)) => {
                    let dod = (bits << (WORD - prefix - len)) as i64 >> (WORD - len);
                    self.delta = self.delta.wrapping_sub(dod);
                    used = prefix + len;
                }
                None => {
                    self.skip(4)?;
                    self.delta = self.delta.wrapping_sub(self.bits() as i64);
                    self.skip(WORD)?;
                    (bits, used) = (self.bits(), 0);
                }
            }
        }
        let how = bits >> used & 0b11;
        if how & 1 == 0 {
            return self.skip(used + 1);
        }
        used += 2;
        let len = WORD - u32::from(self.leading) - u32::from(self.trailing);
        let mut xor = bits >> used;
        if used + len > WORD {
            self.skip(used)?;
            (xor, used) = (self.bits(), 0);
        }
        self.value ^= xor << (WORD - len) >> (WORD - len) << self.trailing;
        self.skip(used + len)?;
        if how & 0b10 != 0 {
            let window = self.bits();
            self.skip(11)?;
            self.leading = (window & 0x1f) as u8;
            let len = ((window >> 5) & 0x3f) as u8 + 1;
            self.trailing = 64u8.checked_sub(self.leading + len)?;
        }
        Some(())
    }

    #[inline(always)]
    fn skip(&mut self, len: u32) -> Option<()> {
        self.at = self.at.checked_sub(len as usize)?;
        Some(())
    }

    /// The next 64 bits, the first one lowest; zeros where there are none.
    #[inline(always)]
    fn bits(&self) -> u64 {
        let word = |at: usize| match self.words.get(at) {
            Some(word) => *word,
            None if at == self.words.len() => self.tail,
            None => 0,
        };
        let (at, used) = (self.at / WORD as usize, self.at as u32 % WORD);
        let before = at.checked_sub(1).map_or(0, word);
        if used == 0 { before } else { word(at) >> (WORD - used) | before << used }
    }
}

#[cfg(test)]
mod tests {
    use model::{STALE_NAN_BITS, stale_nan};
    use proptest::prelude::*;

    use super::*;

    fn round_trip(samples: &[(i64, f64)]) -> usize {
        let mut chunk = XorChunk::default();
        samples.iter().for_each(|(t, v)| chunk.push(*t, *v));
        let bits =
            |samples: &[(i64, f64)]| samples.iter().map(|(t, v)| (*t, v.to_bits())).collect::<Vec<_>>();
        assert_eq!(bits(&all(chunk.reader())), bits(samples));
        // Every way of reading sees the same samples, whatever the range.
        let some = samples.iter().step_by(samples.len() / 7 + 1).map(|(t, _)| *t);
        for mint in some.clone().chain([i64::MIN]) {
            for maxt in some.clone().map(|t| t.saturating_add(1)).chain([i64::MAX]) {
                let (mut times, mut values) = (Vec::new(), Vec::new());
                chunk.reader().append_to(mint, maxt, &mut times, &mut values);
                let seen: Vec<(i64, f64)> = times.into_iter().zip(values).collect();
                let inside: Vec<(i64, f64)> =
                    samples.iter().copied().filter(|(t, _)| (mint..=maxt).contains(t)).collect();
                assert_eq!(bits(&seen), bits(&inside), "{mint}..={maxt}");
                let upto = samples.iter().copied().rfind(|(t, _)| *t <= maxt);
                let upto = bits(&upto.into_iter().collect::<Vec<_>>());
                for newest in [chunk.reader().newest(maxt), chunk.newest(maxt)] {
                    assert_eq!(bits(&newest.into_iter().collect::<Vec<_>>()), upto);
                }
            }
        }
        let last_t = chunk.last_t();
        let (count, words) = chunk.take();
        assert_eq!(bits(&all(XorReader::of_sealed(last_t, count, &words))), bits(samples));
        (words.len() - 3) * 8
    }

    fn all(reader: XorReader<'_>) -> Vec<(i64, f64)> {
        let (mut times, mut values) = (Vec::new(), Vec::new());
        reader.append_to(i64::MIN, i64::MAX, &mut times, &mut values);
        times.into_iter().zip(values).collect()
    }

    #[test]
    fn every_bit_pattern_comes_back() {
        round_trip(&[
            (i64::MIN / 4, -0.0),
            (-1, f64::from_bits(STALE_NAN_BITS)),
            (0, stale_nan()),
            (1, f64::NAN),
            (2, f64::INFINITY),
            (1_000_000_000_000, f64::MIN_POSITIVE),
            (i64::MAX / 4, 0.1 + 0.2),
        ]);
    }

    #[test]
    fn regular_scrapes_are_small() {
        let jittered = |value: fn(i64) -> f64| {
            let samples: Vec<(i64, f64)> =
                (0..240).map(|i| (1_700_000_000_000 + i * 15_000 + (i * 7 % 5) - 2, value(i))).collect();
            round_trip(&samples)
        };
        let constant = jittered(|_| 42.0);
        assert!(constant < 240 * 5 / 4, "{constant} bytes");
        let aligned: Vec<(i64, f64)> = (0..240).map(|i| (i * 15_000, 42.0)).collect();
        assert!(round_trip(&aligned) < 80);
    }

    #[test]
    fn a_constant_series_has_no_words() {
        let mut chunk = XorChunk::default();
        (0..100).for_each(|i| chunk.push(i * 15_000, 42.0));
        assert_eq!(chunk.heap_bytes(), 0);
        assert_eq!(chunk.newest(i64::MAX), Some((99 * 15_000, 42.0)));
        chunk.push(100 * 15_000, 43.0);
        assert_eq!(all(chunk.reader())[99..], [(99 * 15_000, 42.0), (100 * 15_000, 43.0)]);
    }

    #[test]
    fn the_last_sample_outlives_the_bits() {
        let mut chunk = XorChunk::default();
        chunk.push(5, 1.0);
        assert_eq!(chunk.take().0, 1);
        assert_eq!((chunk.count(), chunk.last_t(), chunk.last_value_bits()), (0, 5, 1f64.to_bits()));
        chunk.push(9, 2.0);
        assert_eq!(all(chunk.reader()), [(9, 2.0)]);
    }

    proptest! {
        #[test]
        fn any_samples_come_back(
            steps in proptest::collection::vec((1..100_000i64, any::<u64>()), 0..200),
            small in proptest::collection::vec((1..20i64, -5..5i32), 0..200),
        ) {
            let mut t = 0;
            let mut samples: Vec<(i64, f64)> = steps.iter().map(|(step, bits)| {
                t += step;
                (t, f64::from_bits(*bits))
            }).collect();
            round_trip(&samples);
            samples.clear();
            samples.extend(small.iter().map(|(step, v)| {
                t += step / 15 * 7 + 1;
                (t, f64::from(v / 5))
            }));
            round_trip(&samples);
        }

        #[test]
        fn damaged_bits_end_early(bits in proptest::collection::vec(any::<u64>(), 0..20), count in any::<u16>()) {
            prop_assert!(all(XorReader::of_sealed(0, count, &bits)).len() <= count as usize);
        }
    }
}
