//! What is said about an alert: names and texts, packed in one shared allocation.
//!
//! Thousands of alerts are held at a time and most of their bytes are annotations, so these are kept as
//! label sets are: one allocation, in the order of names, cheap to clone. Unlike a label, an annotation may
//! be empty and is still there.
//!
//! ```text
//! annotations = { uvarint name_len, name, uvarint value_len, value }*     names strictly ascending
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

#[derive(Clone, PartialEq, Eq)]
pub struct Annotations {
    packed: Arc<[u8]>,
}

impl Annotations {
    pub fn iter(&self) -> AnnotationsIter<'_> {
        AnnotationsIter { rest: &self.packed }
    }

    /// The text of `name`; `None` when there is no such annotation.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The packed form, see the module header.
    pub(crate) fn as_packed(&self) -> &[u8] {
        &self.packed
    }

    /// Reads the packed form; `None` when it is none.
    pub(crate) fn from_packed(bytes: &[u8]) -> Option<Annotations> {
        let (mut rest, mut last) = (bytes, None);
        while !rest.is_empty() {
            let (name, after) = take(rest)?;
            let (_, after) = take(after)?;
            if last.is_some_and(|last| last >= name) {
                return None;
            }
            (last, rest) = (Some(name), after);
        }
        Some(Annotations { packed: bytes.into() })
    }
}

impl Default for Annotations {
    fn default() -> Annotations {
        Annotations { packed: Arc::from([]) }
    }
}

/// Pairs in any order; the last of a repeated name wins.
impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Annotations {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Annotations {
        let map: BTreeMap<String, String> = pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        let mut packed = Vec::with_capacity(map.iter().map(|(n, v)| n.len() + v.len() + 4).sum());
        for (name, value) in &map {
            put(&mut packed, name);
            put(&mut packed, value);
        }
        Annotations { packed: packed.into() }
    }
}

impl<N: Into<String>, V: Into<String>, const K: usize> From<[(N, V); K]> for Annotations {
    fn from(pairs: [(N, V); K]) -> Annotations {
        pairs.into_iter().collect()
    }
}

impl Serialize for Annotations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl fmt::Debug for Annotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Names and texts, by name.
#[derive(Debug, Clone)]
pub struct AnnotationsIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for AnnotationsIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let (name, rest) = take(self.rest)?;
        let (value, rest) = take(rest)?;
        self.rest = rest;
        Some((name, value))
    }
}

pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

pub(crate) fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut at) = (0usize, 0);
    loop {
        let byte = *bytes.get(at)?;
        let shift = 7 * at as u32;
        // Nothing that long was ever written.
        if shift > 56 {
            return None;
        }
        length |= usize::from(byte & 0x7f) << shift;
        at += 1;
        if byte < 0x80 {
            break;
        }
    }
    let rest = bytes.get(at..)?;
    (length <= rest.len()).then(|| rest.split_at(length))
}

pub(crate) fn take(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = take_bytes(bytes)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}
