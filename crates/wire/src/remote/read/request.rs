//! Reads a `prometheus.ReadRequest`:
//!
//! ```text
//! ReadRequest  { repeated Query queries = 1; repeated ResponseType accepted_response_types = 2 }
//! Query        { int64 start_timestamp_ms = 1; int64 end_timestamp_ms = 2;
//!                repeated LabelMatcher matchers = 3; ReadHints hints = 4 }
//! LabelMatcher { Type type = 1; string name = 2; string value = 3 }
//! ```
//!
//! Hints tell what the asker will do with the samples; nothing here depends on them.

use std::fmt;

use model::{MatchOp, Matcher, TimestampMs};

use crate::protobuf::{ProtobufError, Reader};

/// Queries of one request; the original's readers ask one.
pub const QUERIES_MAX: usize = 1000;

#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    pub queries: Vec<Query>,
    /// In order of preference; numbers nobody knows are kept to be named.
    pub accepted: Vec<u64>,
}

#[derive(Debug, Clone)]
pub struct Query {
    pub start: TimestampMs,
    pub end: TimestampMs,
    pub matchers: Vec<Matcher>,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseType {
    Samples,
    StreamedXorChunks,
}

/// Why bytes are no request we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequestError(pub String);

impl fmt::Display for ReadRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ProtobufError> for ReadRequestError {
    fn from(e: ProtobufError) -> ReadRequestError {
        ReadRequestError(format!("unable to unmarshal read request: {e}"))
    }
}

impl ReadRequest {
    pub fn read(message: &[u8]) -> Result<ReadRequest, ReadRequestError> {
        let (mut request, mut reader) = (ReadRequest::default(), Reader::new(message));
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => {
                    if request.queries.len() >= QUERIES_MAX {
                        return Err(ReadRequestError(format!(
                            "more than {QUERIES_MAX} queries in a request"
                        )));
                    }
                    request.queries.push(query(field.bytes()?)?);
                }
                2 => field.each_varint(|n| request.accepted.push(n))?,
                _ => {}
            }
        }
        Ok(request)
    }

    /// The first form the asker accepts and we offer.
    pub fn response_type(&self) -> Result<ResponseType, ReadRequestError> {
        if self.accepted.is_empty() {
            return Ok(ResponseType::Samples);
        }
        let known = |n: &u64| match n {
            0 => Some(ResponseType::Samples),
            1 => Some(ResponseType::StreamedXorChunks),
            _ => None,
        };
        self.accepted.iter().find_map(known).ok_or_else(|| {
            let asked: Vec<String> = self.accepted.iter().map(ToString::to_string).collect();
            ReadRequestError(format!(
                "server does not support any of the requested response types: [{}]; supported: \
                 map[SAMPLES:{{}} STREAMED_XOR_CHUNKS:{{}}]",
                asked.join(" ")
            ))
        })
    }
}

fn query(message: &[u8]) -> Result<Query, ReadRequestError> {
    let mut query = Query { start: 0, end: 0, matchers: Vec::new() };
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => query.start = field.int64()?,
            2 => query.end = field.int64()?,
            3 => query.matchers.push(matcher(field.bytes()?)?),
            _ => {}
        }
    }
    Ok(query)
}

fn matcher(message: &[u8]) -> Result<Matcher, ReadRequestError> {
    let (mut reader, mut op, mut name, mut value) = (Reader::new(message), MatchOp::Equal, "", "");
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => {
                op = match field.uint()? {
                    0 => MatchOp::Equal,
                    1 => MatchOp::NotEqual,
                    2 => MatchOp::Regex,
                    3 => MatchOp::NotRegex,
                    _ => return Err(ReadRequestError("invalid matcher type".into())),
                }
            }
            2 => name = field.text()?,
            3 => value = field.text()?,
            _ => {}
        }
    }
    Matcher::new(op, name, value).map_err(|e| ReadRequestError(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_with_matchers() {
        let matcher = [&[0x08, 2, 0x12, 3][..], b"job", &[0x1a, 3], b"a.*"].concat();
        let query = [&[0x08, 5, 0x10, 9, 0x1a, matcher.len() as u8][..], &matcher].concat();
        let message = [&[0x0a, query.len() as u8][..], &query, &[0x12, 2, 7, 1]].concat();
        let request = ReadRequest::read(&message).unwrap();
        assert_eq!((request.queries[0].start, request.queries[0].end), (5, 9));
        assert_eq!(request.queries[0].matchers[0].to_string(), "job=~\"a.*\"");
        assert_eq!(request.response_type(), Ok(ResponseType::StreamedXorChunks));
        let unknown = ReadRequest { accepted: vec![7], ..ReadRequest::default() };
        assert!(unknown.response_type().unwrap_err().0.contains("[7]"));
        assert_eq!(ReadRequest::default().response_type(), Ok(ResponseType::Samples));
        for end in 0..message.len() {
            let _ = ReadRequest::read(&message[..end]);
        }
        let bad_regex = [&[0x0a, 11, 0x1a, 9, 0x08, 2, 0x12, 1][..], b"a", &[0x1a, 1], b"("].concat();
        assert!(ReadRequest::read(&bad_regex).is_err());
    }
}
