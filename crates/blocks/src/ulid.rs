//! Names of blocks: 48 bits of time and 80 of chance, in Crockford's base 32, so that they sort by age.

use model::TimestampMs;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Letters in a name.
pub const LEN: usize = 26;

/// The name for a moment; the lower 80 bits of `entropy` tell names of one moment apart.
pub fn ulid(t: TimestampMs, entropy: u128) -> String {
    let bits = (t as u128 & 0xffff_ffff_ffff) << 80 | entropy & ((1 << 80) - 1);
    let digit = |i: usize| char::from(DIGITS[(bits >> (5 * (LEN - 1 - i)) & 31) as usize]);
    (0..LEN).map(digit).collect()
}

/// Whether a folder of this name can be a block.
pub fn is_ulid(name: &str) -> bool {
    // 26 digits hold 130 bits, two more than there are.
    name.len() == LEN
        && name.bytes().all(|b| DIGITS.contains(&b.to_ascii_uppercase()))
        && name.as_bytes()[0] <= b'7'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(ulid(0, 0), "00000000000000000000000000");
        assert_eq!(ulid(0xffff_ffff_ffff, u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        // The example of the specification.
        assert_eq!(&ulid(1_469_918_176_385, 7)[..10], "01ARYZ6S41");
        assert!(is_ulid("01M83B9817TCYBT06T9PQVS2CD") && is_ulid(&ulid(1, 2)));
        assert!(
            !is_ulid("wal")
                && !is_ulid("81M83B9817TCYBT06T9PQVS2CD")
                && !is_ulid("01M83B9817TCYBT06T9PQVS2CU")
        );
        assert!(!is_ulid("01M83B9817TCYBT06T9PQVS2C\u{e9}"));
    }
}
