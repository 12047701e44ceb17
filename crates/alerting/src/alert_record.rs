//! How alerts look in their journal.
//!
//! ```text
//! record = entry*                                   one batch of alerts
//! entry  = 1, body_len uvarint, body                an alert as it is now
//!        | 2, fingerprint u64, ends i64, updated i64, timeout u8
//!                                                   a known alert that was only reported again
//!        | 3, now i64                               the process was alive
//! body   = labels, annotations, generator url (each uvarint length and bytes, packed forms),
//!          starts i64, ends i64, updated i64, timeout u8
//! ```
//!
//! Numbers are little endian, times nanoseconds since 1970. Alerts are reported again every minute or so,
//! mostly unchanged: the second kind makes that cost 26 bytes.

use model::{Labels, TimestampNs};

use crate::alert::Alert;
use crate::annotations::{Annotations, put, put_length, take, take_bytes};

#[derive(Debug, PartialEq)]
pub(crate) enum Entry {
    Alert(Box<Alert>),
    Again { fingerprint: u64, ends_at: TimestampNs, updated_at: TimestampNs, timeout: bool },
    Alive { now: TimestampNs },
}

const ALERT: u8 = 1;
const AGAIN: u8 = 2;
const ALIVE: u8 = 3;

pub(crate) fn put_alert(out: &mut Vec<u8>, alert: &Alert) {
    let (labels, annotations) = (alert.labels.as_packed(), alert.annotations.as_packed());
    let mut body = Vec::with_capacity(labels.len() + annotations.len() + alert.generator_url.len() + 40);
    for part in [labels, annotations] {
        put_length(&mut body, part.len());
        body.extend_from_slice(part);
    }
    put(&mut body, &alert.generator_url);
    put_times(&mut body, &[alert.starts_at, alert.ends_at, alert.updated_at], alert.timeout);
    out.push(ALERT);
    put_length(out, body.len());
    out.extend_from_slice(&body);
}

/// Says that an alert with this fingerprint is as before but for its end.
pub(crate) fn put_again(out: &mut Vec<u8>, fingerprint: u64, alert: &Alert) {
    out.push(AGAIN);
    out.extend_from_slice(&fingerprint.to_le_bytes());
    put_times(out, &[alert.ends_at, alert.updated_at], alert.timeout);
}

pub(crate) fn put_alive(out: &mut Vec<u8>, now: TimestampNs) {
    out.push(ALIVE);
    out.extend_from_slice(&now.to_le_bytes());
}

/// Whether `new` differs from `old` in nothing but its end.
pub(crate) fn is_again(old: &Alert, new: &Alert) -> bool {
    old.starts_at == new.starts_at
        && old.labels == new.labels
        && old.annotations == new.annotations
        && old.generator_url == new.generator_url
}

fn put_times(out: &mut Vec<u8>, times: &[TimestampNs], timeout: bool) {
    for time in times {
        out.extend_from_slice(&time.to_le_bytes());
    }
    out.push(u8::from(timeout));
}

/// The entries of one record; `None` in place of the first one that cannot be read, and nothing after it.
pub(crate) fn entries(record: &[u8]) -> impl Iterator<Item = Option<Entry>> + '_ {
    let mut rest = Some(record);
    std::iter::from_fn(move || {
        let bytes = rest.filter(|bytes| !bytes.is_empty())?;
        let read = entry(bytes);
        rest = read.as_ref().map(|(_, after)| *after);
        Some(read.map(|(entry, _)| entry))
    })
}

fn entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    match *kind {
        ALERT => {
            let (body, rest) = take_bytes(rest)?;
            Some((Entry::Alert(Box::new(alert(body)?)), rest))
        }
        AGAIN => {
            let (fingerprint, rest) = word(rest)?;
            let (ends_at, rest) = time(rest)?;
            let (updated_at, rest) = time(rest)?;
            let (timeout, rest) = rest.split_first()?;
            let fingerprint = u64::from_le_bytes(fingerprint);
            Some((Entry::Again { fingerprint, ends_at, updated_at, timeout: *timeout != 0 }, rest))
        }
        ALIVE => {
            let (now, rest) = time(rest)?;
            Some((Entry::Alive { now }, rest))
        }
        _ => None,
    }
}

fn alert(body: &[u8]) -> Option<Alert> {
    let (labels, rest) = take_bytes(body)?;
    let (annotations, rest) = take_bytes(rest)?;
    let (generator_url, rest) = take(rest)?;
    let (starts_at, rest) = time(rest)?;
    let (ends_at, rest) = time(rest)?;
    let (updated_at, rest) = time(rest)?;
    Some(Alert {
        labels: Labels::from_packed(labels).ok()?,
        annotations: Annotations::from_packed(annotations)?,
        starts_at,
        ends_at,
        updated_at,
        generator_url: generator_url.to_owned(),
        timeout: *rest.first()? != 0,
        inherited: false,
    })
}

fn word(bytes: &[u8]) -> Option<([u8; 8], &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<8>()?;
    Some((*word, rest))
}

fn time(bytes: &[u8]) -> Option<(TimestampNs, &[u8])> {
    let (word, rest) = word(bytes)?;
    Some((i64::from_le_bytes(word), rest))
}
