//! The `global` and `scrape_configs` sections of `prometheus.yml`: keys, defaults, error texts.

mod global;
mod job;
mod size;
#[cfg(test)]
mod tests;

use expfmt::Dialect;
use expfmt::exposition::Encoding;
use serde::{Deserialize, Deserializer};

pub use global::Global;
pub use job::ScrapeConfig;
pub use size::ByteSize;

/// An exposition format a target may be asked for, in the order of preference it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrapeProtocol {
    PrometheusProto,
    OpenMetricsText0_0_1,
    OpenMetricsText1_0_0,
    PrometheusText0_0_4,
    PrometheusText1_0_0,
}

impl ScrapeProtocol {
    const ALL: [ScrapeProtocol; 5] = [
        ScrapeProtocol::OpenMetricsText0_0_1,
        ScrapeProtocol::OpenMetricsText1_0_0,
        ScrapeProtocol::PrometheusProto,
        ScrapeProtocol::PrometheusText0_0_4,
        ScrapeProtocol::PrometheusText1_0_0,
    ];

    /// What is asked for when nothing is configured.
    pub const DEFAULT: [ScrapeProtocol; 4] = [
        ScrapeProtocol::OpenMetricsText1_0_0,
        ScrapeProtocol::OpenMetricsText0_0_1,
        ScrapeProtocol::PrometheusText1_0_0,
        ScrapeProtocol::PrometheusText0_0_4,
    ];

    /// The same with the one format that has native histograms and start timestamps first.
    pub const PROTOBUF_FIRST: [ScrapeProtocol; 5] = [
        ScrapeProtocol::PrometheusProto,
        ScrapeProtocol::OpenMetricsText1_0_0,
        ScrapeProtocol::OpenMetricsText0_0_1,
        ScrapeProtocol::PrometheusText1_0_0,
        ScrapeProtocol::PrometheusText0_0_4,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ScrapeProtocol::PrometheusProto => "PrometheusProto",
            ScrapeProtocol::OpenMetricsText0_0_1 => "OpenMetricsText0.0.1",
            ScrapeProtocol::OpenMetricsText1_0_0 => "OpenMetricsText1.0.0",
            ScrapeProtocol::PrometheusText0_0_4 => "PrometheusText0.0.4",
            ScrapeProtocol::PrometheusText1_0_0 => "PrometheusText1.0.0",
        }
    }

    /// What a target with this fallback is assumed to send.
    pub(crate) fn encoding(self) -> Encoding {
        match self {
            ScrapeProtocol::PrometheusProto => Encoding::Protobuf,
            ScrapeProtocol::OpenMetricsText0_0_1 | ScrapeProtocol::OpenMetricsText1_0_0 => {
                Encoding::Text(Dialect::OpenMetrics)
            }
            ScrapeProtocol::PrometheusText0_0_4 | ScrapeProtocol::PrometheusText1_0_0 => {
                Encoding::Text(Dialect::Text)
            }
        }
    }
}

impl<'de> Deserialize<'de> for ScrapeProtocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ScrapeProtocol, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = ScrapeProtocol::ALL.into_iter().find(|p| p.as_str() == text);
        known.ok_or_else(|| {
            let supported = ScrapeProtocol::ALL.map(ScrapeProtocol::as_str).join(" ");
            serde::de::Error::custom(format!("unknown scrape protocol {text}, supported: [{supported}]"))
        })
    }
}

/// Which names are accepted from targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameValidation {
    #[default]
    Utf8,
    Legacy,
}

/// How targets are asked to write names the other side cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameEscaping {
    #[serde(rename = "allow-utf-8")]
    AllowUtf8,
    Underscores,
    Dots,
    Values,
}

impl NameEscaping {
    pub fn as_str(self) -> &'static str {
        match self {
            NameEscaping::AllowUtf8 => "allow-utf-8",
            NameEscaping::Underscores => "underscores",
            NameEscaping::Dots => "dots",
            NameEscaping::Values => "values",
        }
    }
}

fn check_protocols(protocols: &[ScrapeProtocol]) -> Result<(), String> {
    let shown = || protocols.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(" ");
    if protocols.is_empty() {
        return Err("scrape_protocols cannot be empty".into());
    }
    for (i, protocol) in protocols.iter().enumerate() {
        if protocols[..i].contains(protocol) {
            return Err(format!(
                "duplicated protocol in scrape_protocols, got [{}]: {}",
                shown(),
                protocol.as_str()
            ));
        }
    }
    Ok(())
}
