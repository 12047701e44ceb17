//! Names for members that were given none: sortable by the time of their making, as the original's.

use ring::rand::{SecureRandom, SystemRandom};

/// Crockford's base 32: digits and letters without those that look alike.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 26 characters: 48 bits of milliseconds since the Unix epoch, 80 bits of chance.
pub fn ulid(now_ms: u64) -> String {
    let mut chance = [0u8; 10];
    // Without the system's randomness the time alone has to do; a clash of names is noticed and counted.
    let _ = SystemRandom::new().fill(&mut chance);
    encode(now_ms, chance)
}

fn encode(now_ms: u64, chance: [u8; 10]) -> String {
    let chance = chance.iter().fold(0u128, |n, byte| n << 8 | u128::from(*byte));
    let value = u128::from(now_ms & ((1 << 48) - 1)) << 80 | chance;
    // 26 digits hold 130 bits: the first stands for three.
    (0..26).rev().map(|digit| char::from(ALPHABET[(value >> (digit * 5)) as usize & 31])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_known_form() {
        assert_eq!(encode(1_469_918_176_385, [0; 10]), "01ARYZ6S410000000000000000");
        assert_eq!(encode(u64::MAX, [0xff; 10]), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert_ne!(ulid(1), ulid(1));
        assert!(ulid(1) < ulid(2));
    }
}
