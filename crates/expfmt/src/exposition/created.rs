//! Start timestamps of OpenMetrics: a `foo_created` line among the samples of `foo` says since when
//! `foo_total`, or the buckets, count and sum, count.
//!
//! The line may stand behind the samples it concerns, so each family is looked through once before its
//! samples are read.

use std::collections::HashMap;

use model::{MetricType, TimestampMs};

use super::text::{counts, plain_name};
use crate::parse::{Event, ParseError, Parser, Series};

/// The `_created` lines of the family being read.
#[derive(Default)]
pub(super) struct Created {
    family: String,
    kind: MetricType,
    /// By the labels of the group, in canonical form.
    starts: HashMap<Vec<(String, String)>, TimestampMs>,
}

impl Created {
    /// Begins a family, looking ahead from where `parser` stands.
    pub(super) fn family(&mut self, name: &str, kind: MetricType, parser: &Parser<'_>) {
        name.clone_into(&mut self.family);
        self.kind = kind;
        self.starts.clear();
        if !counts(kind) {
            return;
        }
        let mut ahead = parser.clone();
        // Whatever is wrong ahead is reported when reading gets there.
        while let Ok(Some(event)) = ahead.next() {
            let Event::Series(series) = event else {
                match event {
                    Event::Help { name, .. } | Event::Unit { name, .. } if name == self.family => continue,
                    Event::Comment(_) => continue,
                    _ => break,
                }
            };
            if self.suffix(&series).is_none() {
                break;
            }
            if self.is_created_line(&series)
                && let Ok(group) = self.group(&series)
            {
                self.starts.insert(group, (series.value * 1000.0) as TimestampMs);
            }
        }
    }

    pub(super) fn concerns_family(&self) -> bool {
        counts(self.kind)
    }

    pub(super) fn is_created_line(&self, series: &Series<'_>) -> bool {
        self.suffix(series) == Some(b"_created")
    }

    pub(super) fn start_of(&self, series: &Series<'_>) -> Result<Option<TimestampMs>, ParseError> {
        if self.starts.is_empty() || self.suffix(series).is_none() {
            return Ok(None);
        }
        Ok(self.starts.get(&self.group(series)?).copied())
    }

    /// What the sample's name adds to the family's, if it belongs to the family.
    fn suffix<'a>(&self, series: &Series<'a>) -> Option<&'a [u8]> {
        let suffix = plain_name(series)?.strip_prefix(self.family.as_bytes())?;
        let allowed: &[&[u8]] = match self.kind {
            MetricType::Counter => &[b"", b"_total", b"_created"],
            MetricType::Histogram => &[b"_bucket", b"_count", b"_sum", b"_created"],
            _ => &[b"", b"_count", b"_sum", b"_created"],
        };
        allowed.contains(&suffix).then_some(suffix)
    }

    /// The labels all samples of one counter, histogram or summary share, sorted.
    fn group(&self, series: &Series<'_>) -> Result<Vec<(String, String)>, ParseError> {
        let own = match self.kind {
            MetricType::Histogram => "le",
            MetricType::Summary => "quantile",
            _ => "",
        };
        let pairs = series.pairs_as_written()?;
        let shared = pairs.into_iter().filter(|(name, _)| name != own && name != model::METRIC_NAME);
        let mut group: Vec<_> = shared.map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        group.sort();
        Ok(group)
    }
}
