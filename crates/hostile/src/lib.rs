//! Every parser of the product under bytes that wish it ill.
//!
//! One function per parser takes any bytes whatever. It must return: no panic, no endless loop, no memory
//! beyond a small multiple of its input. Where the parser has an opposite (a printer, an encoder), what was
//! accepted must also survive the way there and back, so that a fuzzer finds wrong answers too.
//!
//! The same functions serve twice: `fuzz/` lets a coverage-guided fuzzer loose on them, and the tests of
//! this crate replay the corpus that the fuzzer has left in `fuzz/corpus/`.

mod bytes;
mod configuration;
mod languages;
mod messages;
mod pages;
mod store;

/// A parser's name, which is also the name of its corpus folder, and the function that feeds it.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("promql", languages::promql),
    ("logql", languages::logql),
    ("regex", languages::regex),
    ("template", languages::template),
    ("text_exposition", pages::text),
    ("openmetrics", pages::openmetrics),
    ("protobuf_exposition", pages::protobuf),
    ("scrape_config", configuration::scrape_config),
    ("rule_file", configuration::rule_file),
    ("alertmanager_config", configuration::alertmanager_config),
    ("matchers", languages::matchers),
    ("alertmanager_state", messages::alertmanager_state),
    ("alertmanager_request", messages::alertmanager_request),
    ("loki_push", messages::loki_push),
    ("otlp_traces", messages::otlp_traces),
    ("otlp_metrics", messages::otlp_metrics),
    ("remote", messages::remote),
    ("influx", messages::influx),
    ("gossip_packet", messages::gossip_packet),
    ("gossip_stream", messages::gossip_stream),
    ("columns", bytes::columns),
    ("index_page", bytes::index_page),
    ("prometheus_chunk", bytes::prometheus_chunk),
    ("store_files", store::store_files),
];

/// The function of a target. A misspelt name is a mistake in a fuzz binary, not input.
pub fn target(name: &str) -> fn(&[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no fuzz target {name:?}")).1
}
