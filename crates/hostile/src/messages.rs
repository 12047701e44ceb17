//! Messages that come over the network.

/// Decompressed bytes allowed to a push.
const UNPACKED_MAX: usize = 1 << 20;

pub fn loki_push(data: &[u8]) {
    let _ = wire::loki::decode_json(data);
    let _ = wire::loki::decode_proto(data, UNPACKED_MAX);
}

pub fn otlp_traces(data: &[u8]) {
    let _ = wire::otlp::decode_traces(data);
    let _ = wire::otlp::decode_traces_json(data);
}
