//! Writes a `prometheus.ReadRequest` of one query; `request` draws the messages.

use model::{MatchOp, Matcher, TimestampMs};

use crate::remote::put;

/// Appends a request that takes either form of answer, streamed chunks rather.
pub fn write_request(out: &mut Vec<u8>, start: TimestampMs, end: TimestampMs, matchers: &[Matcher]) {
    put::nested(out, 1, |out| {
        put::int64(out, 1, start);
        put::int64(out, 2, end);
        for matcher in matchers {
            let op = match matcher.op {
                MatchOp::Equal => 0,
                MatchOp::NotEqual => 1,
                MatchOp::Regex => 2,
                MatchOp::NotRegex => 3,
            };
            put::nested(out, 3, |out| {
                put::uint(out, 1, op);
                put::text(out, 2, &matcher.name);
                put::text(out, 3, &matcher.value);
            });
        }
    });
    put::packed_uints(out, 2, &[1, 0]);
}

#[cfg(test)]
mod tests {
    use super::super::{ReadRequest, ResponseType};
    use super::*;

    #[test]
    fn the_reader_reads_what_was_written() {
        let matchers = [
            Matcher::equal("__name__", "up"),
            Matcher::not_equal("job", ""),
            Matcher::new(MatchOp::Regex, "a", "x.*").unwrap(),
            Matcher::new(MatchOp::NotRegex, "b", "y|z").unwrap(),
        ];
        let mut out = Vec::new();
        write_request(&mut out, -5, 900, &matchers);
        let request = ReadRequest::read(&out).unwrap();
        assert_eq!(request.response_type(), Ok(ResponseType::StreamedXorChunks));
        assert_eq!(request.accepted, [1, 0]);
        let query = &request.queries[0];
        assert_eq!((query.start, query.end), (-5, 900));
        let shown = |all: &[Matcher]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&query.matchers), shown(&matchers));
    }
}
