//! Replies in Loki's JSON, written straight to text.

use std::fmt::Write;

use logql::{Point, QueryData, QueryResult, ResultStream, Stats};
use model::Labels;
use model::float::format_f;

/// Appends `text` as a JSON string, with `<`, `>` and `&` escaped as Go does for HTML.
pub fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let escape: &str = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '<' => "\\u003c",
            '>' => "\\u003e",
            '&' => "\\u0026",
            '\u{2028}' => "\\u2028",
            '\u{2029}' => "\\u2029",
            c if (c as u32) < 0x20 => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{:04x}", c as u32);
        } else {
            out.push_str(escape);
        }
        plain = at + c.len_utf8();
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

pub fn labels(out: &mut String, labels: &Labels) {
    pairs(out, labels.iter());
}

/// An object of strings.
pub fn pairs<'a>(out: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (i, (name, value)) in pairs.enumerate() {
        if i > 0 {
            out.push(',');
        }
        string(out, name);
        out.push(':');
        string(out, value);
    }
    out.push('}');
}

/// Unix seconds with at most three decimals.
fn seconds(out: &mut String, ms: i64) {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    let _ = write!(out, "{sign}{}", ms / 1000);
    if !ms.is_multiple_of(1000) {
        let digits = format!("{:03}", ms % 1000);
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
}

pub fn point(out: &mut String, p: &Point) {
    out.push('[');
    seconds(out, p.t);
    let _ = write!(out, ",\"{}\"]", format_f(p.v));
}

/// One stream with its entries. `categorize` adds the categories as a third element.
pub fn stream(out: &mut String, stream: &ResultStream, categorize: bool) {
    out.push_str("{\"stream\":");
    labels(out, &stream.labels);
    out.push_str(",\"values\":[");
    for (i, entry) in stream.entries.iter().enumerate() {
        let _ = write!(out, "{}[\"{}\",", if i > 0 { "," } else { "" }, entry.ts);
        string(out, &entry.line);
        if categorize {
            out.push_str(",{");
            let categories = [("structuredMetadata", &entry.structured_metadata), ("parsed", &entry.parsed)];
            let mut first = true;
            for (name, values) in categories.into_iter().filter(|(_, values)| !values.is_empty()) {
                let _ = write!(out, "{}\"{name}\":", if first { "" } else { "," });
                labels(out, values);
                first = false;
            }
            out.push('}');
        }
        out.push(']');
    }
    out.push_str("]}");
}

/// The envelope of query replies.
pub fn query(result: &QueryResult, categorize: bool) -> String {
    let kind = match &result.data {
        QueryData::Streams(_) => "streams",
        QueryData::Vector(_) => "vector",
        QueryData::Matrix(_) => "matrix",
        QueryData::Scalar(_) => "scalar",
    };
    let flags =
        if categorize && kind == "streams" { ",\"encodingFlags\":[\"categorize-labels\"]" } else { "" };
    envelope(kind, flags, &result.stats, |out| data(out, &result.data, categorize))
}

/// The envelope around a result written by `result`.
pub fn envelope(kind: &str, flags: &str, figures: &Stats, result: impl FnOnce(&mut String)) -> String {
    let mut out = String::with_capacity(4096);
    let _ = write!(out, "{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\"{flags},\"result\":");
    result(&mut out);
    out.push_str(",\"stats\":");
    stats(&mut out, figures);
    out.push_str("}}\n");
    out
}

fn data(out: &mut String, data: &QueryData, categorize: bool) {
    let separate = |out: &mut String, i: usize| {
        if i > 0 {
            out.push(',');
        }
    };
    if let QueryData::Scalar(p) = data {
        return point(out, p);
    }
    out.push('[');
    match data {
        QueryData::Streams(streams) => {
            for (i, one) in streams.iter().enumerate() {
                separate(out, i);
                stream(out, one, categorize);
            }
        }
        QueryData::Vector(samples) => {
            for (i, (metric, p)) in samples.iter().enumerate() {
                separate(out, i);
                out.push_str("{\"metric\":");
                labels(out, metric);
                out.push_str(",\"value\":");
                point(out, p);
                out.push('}');
            }
        }
        QueryData::Matrix(series) => {
            for (i, one) in series.iter().enumerate() {
                separate(out, i);
                out.push_str("{\"metric\":");
                labels(out, &one.labels);
                out.push_str(",\"values\":[");
                for (j, p) in one.points.iter().enumerate() {
                    separate(out, j);
                    point(out, p);
                }
                out.push_str("]}");
            }
        }
        QueryData::Scalar(_) => {}
    }
    out.push(']');
}

/// Caches that Loki reports on and that do not exist here.
const CACHES: [&str; 10] = [
    "chunk",
    "index",
    "result",
    "statsResult",
    "volumeResult",
    "seriesResult",
    "labelResult",
    "instantMetricResult",
    "logResult",
    "taskResult",
];

/// The `stats` object. Figures of parts that we do not have are zero, which is what they are.
fn stats(out: &mut String, s: &Stats) {
    let elapsed = s.elapsed.as_secs_f64();
    let per_second = |n: u64| if elapsed > 0.0 { (n as f64 / elapsed) as u64 } else { 0 };
    let store = |out: &mut String, lines: u64, bytes: u64, metadata: u64, post_filter: u64| {
        let _ = write!(
            out,
            "{{\"totalChunksRef\":0,\"totalChunksDownloaded\":0,\"chunksDownloadTime\":0,\
             \"queryReferencedStructuredMetadata\":{},\"chunk\":{{\"headChunkBytes\":0,\
             \"headChunkLines\":0,\"decompressedBytes\":{bytes},\"decompressedLines\":{lines},\
             \"compressedBytes\":0,\"totalDuplicates\":0,\"postFilterLines\":{post_filter},\
             \"headChunkStructuredMetadataBytes\":0,\"decompressedStructuredMetadataBytes\":{metadata}}},\
             \"chunkRefsFetchTime\":0,\"congestionControlLatency\":0,\"pipelineWrapperFilteredLines\":0}}",
            metadata > 0,
        );
    };
    let _ = write!(
        out,
        "{{\"summary\":{{\"bytesProcessedPerSecond\":{},\"linesProcessedPerSecond\":{},\
         \"totalBytesProcessed\":{},\"totalLinesProcessed\":{},\"execTime\":{elapsed},\"queueTime\":0,\
         \"subqueries\":0,\"totalEntriesReturned\":{},\"splits\":0,\"shards\":0,\
         \"totalPostFilterLines\":{},\"totalStructuredMetadataBytesProcessed\":{}}},\"querier\":{{\"store\":",
        per_second(s.bytes),
        per_second(s.lines),
        s.bytes,
        s.lines,
        s.entries_returned,
        s.post_filter_lines,
        s.metadata_bytes,
    );
    store(out, s.lines, s.bytes, s.metadata_bytes, s.post_filter_lines);
    out.push_str(
        "},\"ingester\":{\"totalReached\":0,\"totalChunksMatched\":0,\"totalBatches\":0,\
         \"totalLinesSent\":0,\"store\":",
    );
    store(out, 0, 0, 0, 0);
    out.push_str("},\"cache\":{");
    for (i, cache) in CACHES.iter().enumerate() {
        let _ = write!(
            out,
            "{}\"{cache}\":{{\"entriesFound\":0,\"entriesRequested\":0,\"entriesStored\":0,\
             \"bytesReceived\":0,\"bytesSent\":0,\"requests\":0,\"downloadTime\":0,\"queryLengthServed\":0}}",
            if i > 0 { "," } else { "" }
        );
    }
    let _ = write!(
        out,
        "}},\"index\":{{\"totalChunks\":0,\"postFilterChunks\":0,\"shardsDuration\":0,\
         \"usedBloomFilters\":false,\"totalStreams\":{}}}}}",
        s.streams
    );
}

/// `{"status":"success","data":[…]}`; Loki leaves out `data` when it is empty.
pub fn list(items: &[String]) -> String {
    let mut out = String::from("{\"status\":\"success\"");
    for (i, item) in items.iter().enumerate() {
        out.push_str(if i == 0 { ",\"data\":[" } else { "," });
        string(&mut out, item);
    }
    out.push_str(if items.is_empty() { "}\n" } else { "]}\n" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        let check = |text: &str, expected: &str| {
            let mut out = String::new();
            string(&mut out, text);
            assert_eq!(out, expected);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        };
        check("plain µ", "\"plain µ\"");
        check("a<b>&\"\\\n\u{1}\u{2028}", "\"a\\u003cb\\u003e\\u0026\\\"\\\\\\n\\u0001\\u2028\"");
    }

    #[test]
    fn stats_are_json() {
        let mut out = String::new();
        stats(&mut out, &Stats { lines: 3, ..Stats::default() });
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value["summary"]["totalLinesProcessed"], 3);
        assert_eq!(value["cache"]["chunk"]["requests"], 0);
    }
}
