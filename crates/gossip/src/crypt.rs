//! Sealing what members say with keys that all of them hold: AES in Galois/Counter Mode.
//!
//! ```text
//! sealed = version (1 byte), nonce (12), ciphertext, tag (16)
//! ```
//!
//! Version 0 pads the plain text to blocks of sixteen bytes, version 1 does not; both are read, 1 is
//! written. The first key of a ring seals, all of them open, so that keys can be changed one member at a
//! time: add the new one everywhere, move it to the front everywhere, remove the old one.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

const VERSION: u8 = 1;
const VERSION_PADDED: u8 = 0;
const TAG_BYTES: usize = 16;

/// What sealing adds to a message.
pub const OVERHEAD_BYTES: usize = 1 + NONCE_LEN + TAG_BYTES;

/// Keys of one cluster. Never empty.
pub struct KeyRing {
    keys: Vec<LessSafeKey>,
    random: SystemRandom,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing of {}", self.keys.len())
    }
}

impl KeyRing {
    /// Keys of 16 or 32 bytes, the one to seal with first.
    pub fn new(keys: &[Vec<u8>]) -> Result<KeyRing, String> {
        let mut ring = Vec::with_capacity(keys.len());
        for key in keys {
            let algorithm = match key.len() {
                16 => &AES_128_GCM,
                32 => &AES_256_GCM,
                24 => return Err("keys of 24 bytes (AES-192) are not supported, use 16 or 32".into()),
                other => return Err(format!("a key must have 16 or 32 bytes, not {other}")),
            };
            let key = UnboundKey::new(algorithm, key).map_err(|_| "a key is not usable".to_owned())?;
            ring.push(LessSafeKey::new(key));
        }
        if ring.is_empty() {
            return Err("at least one key is needed".into());
        }
        Ok(KeyRing { keys: ring, random: SystemRandom::new() })
    }

    /// Seals `plain`; `context` must be the same when it is opened. `None` when the system gives no
    /// randomness.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut out = Vec::with_capacity(plain.len() + OVERHEAD_BYTES);
        out.push(VERSION);
        out.extend(nonce);
        let mut sealed = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.keys.first()?.seal_in_place_append_tag(nonce, Aad::from(context), &mut sealed).ok()?;
        out.extend(sealed);
        Some(out)
    }

    /// The plain text; `None` for what none of the keys sealed in this context.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        if *version > VERSION {
            return None;
        }
        for key in &self.keys {
            let mut buffer = ciphertext.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let Ok(plain) = key.open_in_place(nonce, Aad::from(context), &mut buffer) else { continue };
            let padding = if *version == VERSION_PADDED { usize::from(*plain.last()?) } else { 0 };
            let len = plain.len().checked_sub(padding)?;
            buffer.truncate(len);
            return Some(buffer);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[u8]) -> KeyRing {
        KeyRing::new(&keys.iter().map(|k| vec![*k; 16]).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_holders_of_the_key_read() {
        let sealed = ring(&[1]).seal(b"hello", b"label").unwrap();
        assert_eq!(sealed.len(), 5 + OVERHEAD_BYTES);
        assert_eq!(ring(&[1]).open(&sealed, b"label").unwrap(), b"hello");
        assert_eq!(ring(&[2, 1]).open(&sealed, b"label").unwrap(), b"hello", "an older key");
        assert_eq!(ring(&[2]).open(&sealed, b"label"), None);
        assert_eq!(ring(&[1]).open(&sealed, b"other"), None);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 0x10;
            assert_eq!(ring(&[1]).open(&damaged, b"label"), None, "{at}");
            assert_eq!(ring(&[1]).open(&sealed[..at], b"label"), None, "{at}");
        }
    }

    #[test]
    fn padding_of_the_first_version_is_taken_off() {
        let ring = ring(&[1]);
        let nonce = [9; NONCE_LEN];
        let mut body = b"hello".to_vec();
        body.extend([11; 11]);
        let unique = Nonce::assume_unique_for_key(nonce);
        ring.keys[0].seal_in_place_append_tag(unique, Aad::from(&b""[..]), &mut body).unwrap();
        let sealed = [&[VERSION_PADDED][..], &nonce, &body].concat();
        assert_eq!(ring.open(&sealed, b"").unwrap(), b"hello");
    }

    #[test]
    fn keys_have_their_lengths() {
        for (len, good) in [(0, false), (15, false), (16, true), (24, false), (32, true), (33, false)] {
            assert_eq!(KeyRing::new(&[vec![0; len]]).is_ok(), good, "{len}");
        }
        assert!(KeyRing::new(&[]).is_err());
    }
}
