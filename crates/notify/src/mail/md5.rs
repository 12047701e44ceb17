//! MD5 (RFC 1321) with a key (RFC 2104), for the one thing that still wants it: the CRAM-MD5 mechanism.

use crate::text::hex;

const BLOCK: usize = 64;

/// The keyed digest in hexadecimal digits.
pub(crate) fn hmac_hex(key: &[u8], message: &[u8]) -> String {
    let mut padded = [0_u8; BLOCK];
    let key = if key.len() > BLOCK { digest(key).to_vec() } else { key.to_vec() };
    for (to, from) in padded.iter_mut().zip(&key) {
        *to = *from;
    }
    let mut inner: Vec<u8> = padded.iter().map(|byte| byte ^ 0x36).collect();
    inner.extend_from_slice(message);
    let mut outer: Vec<u8> = padded.iter().map(|byte| byte ^ 0x5c).collect();
    outer.extend_from_slice(&digest(&inner));
    hex(&digest(&outer))
}

fn digest(message: &[u8]) -> [u8; 16] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % BLOCK != BLOCK - 8 {
        padded.push(0);
    }
    let bits = (message.len() as u64).wrapping_mul(8);
    padded.extend_from_slice(&bits.to_le_bytes());

    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(BLOCK) {
        mix(&mut state, block);
    }
    let mut out = [0; 16];
    for (to, word) in out.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    out
}

/// Rotations of each of the four rounds, repeated four times within it.
const ROTATIONS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

fn mix(state: &mut [u32; 4], block: &[u8]) {
    let mut words = [0_u32; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    let [mut a, mut b, mut c, mut d] = *state;
    for i in 0..64 {
        let (f, word) = match i / 16 {
            0 => (b & c | !b & d, i),
            1 => (d & b | !d & c, (5 * i + 1) % 16),
            2 => (b ^ c ^ d, (3 * i + 5) % 16),
            _ => (c ^ (b | !d), 7 * i % 16),
        };
        // The constants are the sines of 1, 2, 3 …, as 32-bit fractions.
        let sine = (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
        let sum = a.wrapping_add(f).wrapping_add(sine).wrapping_add(words[word]);
        (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(ROTATIONS[i / 16][i % 4])));
    }
    for (to, add) in state.iter_mut().zip([a, b, c, d]) {
        *to = to.wrapping_add(add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_the_rfcs() {
        let check = |message: &str, expected: &str| assert_eq!(hex(&digest(message.as_bytes())), expected);
        check("", "d41d8cd98f00b204e9800998ecf8427e");
        check("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
        check(&"1234567890".repeat(8), "57edf4a22be3c955ac49da2e2107b67a");
        let keyed = |key: &[u8], message: &str| hmac_hex(key, message.as_bytes());
        assert_eq!(keyed(b"Jefe", "what do ya want for nothing?"), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(
            keyed(&[0xaa; 80], "Test Using Larger Than Block-Size Key - Hash Key First"),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
    }
}
