//! From items to the bytes of a request.

use bytes::Bytes;
use model::Metadata;
use storage::metrics::MetadataByName;
use wire::remote::{Point, Row, v1, v2};

use super::shard::Item;
use crate::config::Protocol;
use crate::outbox::Payload;

/// What a family's series may add to its name.
const SUFFIXES: &[&str] = &["_bucket", "_count", "_sum", "_total", "_created", "_info"];

/// One compressed body.
pub(super) fn build(protocol: Protocol, items: &[Item], metadata: &MetadataByName) -> Result<Bytes, String> {
    let mut plain = Vec::with_capacity(items.len() * 160);
    let rows = items.iter().map(|item| Row {
        labels: &item.series.labels,
        t: item.t,
        start: item.start,
        point: match &item.payload {
            Payload::Float(v) => Point::Float(*v),
            Payload::Histogram(h) => Point::Histogram(h),
            Payload::Exemplar(exemplar) => Point::Exemplar(exemplar),
        },
        metadata: match protocol {
            Protocol::V1 => None,
            Protocol::V2 => metadata_of(item.series.labels.metric_name(), metadata),
        },
    });
    match protocol {
        Protocol::V1 => v1::encode(rows, &mut plain),
        Protocol::V2 => v2::encode(rows, &mut plain),
    }
    compress(&plain)
}

/// One compressed body of metadata only.
pub(super) fn build_metadata(families: &[(&str, &Metadata)]) -> Result<Bytes, String> {
    let mut plain = Vec::new();
    v1::encode_metadata(families.iter().copied(), &mut plain);
    compress(&plain)
}

fn compress(plain: &[u8]) -> Result<Bytes, String> {
    snap::raw::Encoder::new().compress_vec(plain).map(Bytes::from).map_err(|e| format!("snappy: {e}"))
}

fn metadata_of<'m>(name: &str, metadata: &'m MetadataByName) -> Option<&'m Metadata> {
    let of = |family: &str| metadata.get(family).and_then(|all| all.first());
    of(name).or_else(|| SUFFIXES.iter().find_map(|suffix| of(name.strip_suffix(suffix)?)))
}
