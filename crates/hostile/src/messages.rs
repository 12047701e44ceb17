//! Messages that come over the network.

use wire::remote;

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

pub fn otlp_metrics(data: &[u8]) {
    let _ = wire::otlp::decode_metrics(data);
    let _ = wire::otlp::decode_metrics_json(data);
}

/// Remote write 1.0, 2.0, and remote read: no two of them share a byte's meaning, but hostile bytes do not
/// care. Also packed, as they come.
pub fn remote(data: &[u8]) {
    remote_plain(data);
    let mut buffer = Vec::new();
    if let Ok(plain) = remote::snappy::decompress(data, &mut buffer, UNPACKED_MAX) {
        remote_plain(plain);
    }
}

fn remote_plain(data: &[u8]) {
    let mut request = remote::v1::WriteRequest::new(data);
    while let Ok(Some(series)) = request.next_series() {
        let mut labels = series.labels();
        let mut pairs = Vec::new();
        while let Ok(Some(pair)) = labels.next_pair() {
            pairs.push(pair);
        }
        let mut items = series.items();
        while let Ok(Some(item)) = items.next_item() {
            if let remote::v1::Item::Histogram(message) = item {
                let _ = remote::histogram::Histogram::read(message);
            }
        }
    }
    if let Ok(mut request) = remote::v2::Request::read(data) {
        let mut series = remote::v2::Series::default();
        while let Ok(true) = request.next_series(&mut series) {
            series.histograms.iter().for_each(|message| drop(remote::histogram::Histogram::read(message)));
            series.exemplars.iter().for_each(|message| drop(remote::v2::Exemplar::read(message)));
        }
    }
    let _ = remote::read::ReadRequest::read(data);
}

pub fn influx(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        let _ = wire::influx::read_line(line);
    }
}

pub fn alertmanager_request(data: &[u8]) {
    serve_alertmanager::fuzz::request(data);
}

/// What Alertmanagers tell each other and keep in their files.
pub fn alertmanager_state(data: &[u8]) {
    let _ = wire::alertmanager::read_notification_log(data);
    let _ = wire::alertmanager::read_silences(data);
}

/// What members of an Alertmanager cluster send each other.
pub fn gossip_packet(data: &[u8]) {
    gossip::fuzz::packet(data);
}

pub fn gossip_stream(data: &[u8]) {
    gossip::fuzz::stream(data);
}
