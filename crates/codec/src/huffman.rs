//! Canonical prefix codes (Huffman 1952) of at most [`CODE_BITS_MAX`] bits: short codes for frequent symbols.
//!
//! Only the lengths of the codes are stored; codes of one length are handed out in the order of their
//! symbols, so lengths say all. Bits are packed from the low end, which lets a decoder look at the next
//! bits of a word without turning them around: codes are therefore kept reversed.

use crate::{CodecError, Cursor};

/// A decoding table has 2^12 entries at most, which fits the first-level cache; limiting the length costs
/// far less than a percent.
pub const CODE_BITS_MAX: u32 = 12;

/// Symbols are below this.
pub const SYMBOLS_MAX: usize = 512;

/// Code lengths of symbols, 0 for those that do not occur, from their counts. Counts above zero belong to
/// at most 2^[`CODE_BITS_MAX`] symbols.
pub fn lengths(counts: &[u32]) -> Vec<u8> {
    let mut lengths = vec![0u8; counts.len()];
    let mut leaves: Vec<(u64, usize)> = counts
        .iter()
        .enumerate()
        .filter(|(_, n)| **n > 0)
        .map(|(symbol, n)| (u64::from(*n), symbol))
        .collect();
    if let [(_, only)] = leaves[..] {
        lengths[only] = 1;
    }
    if leaves.len() < 2 {
        return lengths;
    }
    leaves.sort_unstable();
    // Two queues, both ascending: leaves, and the nodes made of the two lightest so far.
    let mut parents = vec![usize::MAX; 2 * leaves.len() - 1];
    let mut nodes: Vec<u64> = Vec::with_capacity(leaves.len() - 1);
    let (mut leaf, mut node) = (0, 0);
    for made in 0..leaves.len() - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let leaf_is_lighter =
                node >= nodes.len() || leaves.get(leaf).is_some_and(|(light, _)| *light <= nodes[node]);
            if leaf_is_lighter {
                weight += leaves[leaf].0;
                parents[leaf] = leaves.len() + made;
                leaf += 1;
            } else {
                weight += nodes[node];
                parents[leaves.len() + node] = leaves.len() + made;
                node += 1;
            }
        }
        nodes.push(weight);
    }
    // Parents stand behind their children, so depths come from the end.
    let mut depths = vec![0u32; parents.len()];
    for at in (0..parents.len() - 1).rev() {
        depths[at] = depths[parents[at]] + 1;
    }
    for ((_, symbol), depth) in leaves.iter().zip(&depths) {
        lengths[*symbol] = (*depth).min(CODE_BITS_MAX) as u8;
    }
    shorten(&mut lengths, &leaves);
    lengths
}

/// Cutting long codes off made them too many: lengthens the rarest that can be until they fit again.
/// `leaves` ascend by count.
fn shorten(lengths: &mut [u8], leaves: &[(u64, usize)]) {
    let share = |length: u8| 1u32 << (CODE_BITS_MAX - u32::from(length));
    let mut used: u32 = leaves.iter().map(|(_, symbol)| share(lengths[*symbol])).sum();
    while used > 1 << CODE_BITS_MAX {
        let Some((_, symbol)) = leaves.iter().find(|(_, symbol)| u32::from(lengths[*symbol]) < CODE_BITS_MAX)
        else {
            return;
        };
        used -= share(lengths[*symbol]) / 2;
        lengths[*symbol] += 1;
    }
}

/// The codes that belong to `lengths`, reversed.
pub fn codes(lengths: &[u8]) -> Vec<u16> {
    let mut next = [0u32; CODE_BITS_MAX as usize + 2];
    for &length in lengths.iter().filter(|length| **length > 0) {
        next[usize::from(length) + 1] += 1;
    }
    for length in 1..next.len() {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    // `next[l]` is now the first code of length l: twice what the shorter ones used.
    let mut codes = vec![0; lengths.len()];
    for (code, &length) in codes.iter_mut().zip(lengths).filter(|(_, length)| **length > 0) {
        let value = next[usize::from(length)];
        next[usize::from(length)] += 1;
        *code = (value.reverse_bits() >> (32 - u32::from(length))) as u16;
    }
    codes
}

/// Appends the lengths: the first symbol that occurs, then half a byte for each: its length, or 0 and how
/// many do not occur here, less one.
pub fn write_lengths(lengths: &[u8], out: &mut Vec<u8>) {
    let first = lengths.iter().position(|length| *length > 0).unwrap_or(0);
    let end = lengths.iter().rposition(|length| *length > 0).map_or(first, |last| last + 1);
    let mut nibbles = Vec::with_capacity(end - first);
    let mut at = first;
    while at < end {
        nibbles.push(lengths[at]);
        at += 1;
        if lengths[at - 1] == 0 {
            let more = lengths[at..end].iter().take(15).take_while(|length| **length == 0).count();
            nibbles.push(more as u8);
            at += more;
        }
    }
    crate::write_uvarint(out, first as u64);
    crate::write_uvarint(out, nibbles.len() as u64);
    out.extend(nibbles.chunks(2).map(|pair| pair[0] | pair.get(1).map_or(0, |high| high << 4)));
}

/// Looks codes up by the next bits of a stream.
pub struct Decoder {
    /// Symbol and length; length 0 where no code begins like this.
    table: Vec<(u16, u8)>,
    mask: u64,
}

impl Decoder {
    /// Reads what [`write_lengths`] wrote.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Decoder, CodecError> {
        let first = cursor.usize()?;
        let nibbles = cursor.usize()?;
        if first >= SYMBOLS_MAX || nibbles > 2 * SYMBOLS_MAX {
            return Err(CodecError("codes: symbol out of range"));
        }
        let bytes = cursor.take(nibbles.div_ceil(2))?;
        let mut lengths = vec![0u8; first];
        let mut skipping = false;
        for at in 0..nibbles {
            let nibble = bytes[at / 2] >> (4 * (at % 2)) & 15;
            if skipping {
                lengths.resize(lengths.len() + usize::from(nibble), 0);
                skipping = false;
            } else {
                lengths.push(nibble);
                skipping = nibble == 0;
            }
        }
        Decoder::of(&lengths)
    }

    fn of(lengths: &[u8]) -> Result<Decoder, CodecError> {
        let longest = lengths.iter().copied().max().map_or(0, u32::from);
        let used: u64 = lengths
            .iter()
            .filter(|length| **length > 0)
            .map(|length| 1u64 << (16 - u32::from(*length)))
            .sum();
        if longest > CODE_BITS_MAX || lengths.len() > SYMBOLS_MAX || used > 1 << 16 {
            return Err(CodecError("codes: impossible lengths"));
        }
        let mut table = vec![(0u16, 0u8); 1 << longest];
        for (symbol, (&code, &length)) in codes(lengths).iter().zip(lengths).enumerate() {
            if length > 0 {
                for at in (usize::from(code)..table.len()).step_by(1 << length) {
                    table[at] = (symbol as u16, length);
                }
            }
        }
        let mask = table.len() as u64 - 1;
        Ok(Decoder { table, mask })
    }

    /// The symbol that `bits` begins with, and the length of its code, which is 0 when there is none.
    pub fn symbol(&self, bits: u64) -> (u16, u8) {
        self.table.get((bits & self.mask) as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: &[u32]) {
        let lengths = lengths(counts);
        let codes = codes(&lengths);
        let mut bytes = Vec::new();
        write_lengths(&lengths, &mut bytes);
        let mut cursor = Cursor::new(&bytes);
        let decoder = Decoder::read(&mut cursor).unwrap();
        cursor.finish().unwrap();
        for (symbol, count) in counts.iter().enumerate() {
            assert_eq!(*count > 0, lengths[symbol] > 0, "{symbol} in {counts:?}");
            if *count > 0 {
                // Whatever follows the code must not matter.
                for noise in [0u64, u64::MAX, 0x5555_5555_5555_5555] {
                    let bits = u64::from(codes[symbol]) | noise << lengths[symbol];
                    assert_eq!(decoder.symbol(bits), (symbol as u16, lengths[symbol]), "{counts:?}");
                }
            }
        }
    }

    #[test]
    fn codes_are_read_back() {
        check(&[]);
        check(&[0, 0, 7]);
        check(&[1, 1]);
        check(&[90, 5, 4, 1]);
        check(&[0, 9, 0, 0, 0, 3, 1]);
        let mut sparse = vec![0; 500];
        (sparse[3], sparse[400], sparse[499]) = (5, 6, 7);
        check(&sparse);
        check(&[1; SYMBOLS_MAX]);
        // Fibonacci counts make the deepest tree there is.
        let mut fibonacci = vec![1u32, 1];
        while fibonacci.len() < 40 {
            fibonacci.push(fibonacci[fibonacci.len() - 1] + fibonacci[fibonacci.len() - 2]);
        }
        check(&fibonacci);
    }

    #[test]
    fn frequent_symbols_get_short_codes() {
        assert_eq!(lengths(&[90, 5, 4, 1]), [1, 2, 3, 3]);
        assert_eq!(lengths(&[1, 1, 1, 1]), [2, 2, 2, 2]);
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert!(Decoder::of(&[1, 1, 1]).is_err());
        assert!(Decoder::of(&[13]).is_err());
        assert!(Decoder::of(&[2, 1]).unwrap().symbol(0b11).1 == 0, "an incomplete code has gaps");
    }
}
