//! Checking a document against every rule of OpenMetrics 1.0, where scraping is lenient.
//!
//! The grammar is the parser's; this module adds what needs memory: one block per family, its metadata
//! before its samples, names that do not clash, groups that are not interleaved, values that fit the
//! type, histograms that add up.

use std::collections::HashSet;

use model::MetricType;

use crate::parse::{Dialect, Event, ParseError, Parser, Series};

mod histogram;
#[cfg(test)]
mod tests;

use histogram::HistogramGroup;

/// The most characters all labels of an exemplar may have together.
const EXEMPLAR_LABEL_CHARS_MAX: usize = 128;

/// Checks the whole document.
pub fn validate(body: &[u8]) -> Result<(), ParseError> {
    let mut parser = Parser::new(body, Dialect::OpenMetrics);
    let mut document = Document::default();
    while let Some(event) = parser.next()? {
        document.event(event)?;
    }
    document.end_family()
}

#[derive(Default)]
struct Document {
    family: Family,
    /// Every family name and every sample name those families could produce.
    taken: HashSet<String>,
}

/// The family whose lines are being read.
#[derive(Default)]
struct Family {
    name: String,
    kind: Option<MetricType>,
    unit: Option<String>,
    has_help: bool,
    has_samples: bool,
    /// Label sets (without `le`, `quantile` and the like) whose turn is over.
    past_groups: HashSet<Vec<(String, String)>>,
    group: Option<Group>,
}

/// Samples with the same labels, which must stand together.
struct Group {
    labels: Vec<(String, String)>,
    timestamp: Option<i64>,
    histogram: HistogramGroup,
}

fn fail<T>(message: impl Into<String>) -> Result<T, ParseError> {
    Err(ParseError(message.into()))
}

impl Document {
    fn event(&mut self, event: Event<'_>) -> Result<(), ParseError> {
        match event {
            Event::Help { name, .. } => {
                self.metadata(&name)?;
                if std::mem::replace(&mut self.family.has_help, true) {
                    return fail(format!("more than one HELP for metric {name:?}"));
                }
            }
            Event::Type { name, kind } => {
                self.metadata(&name)?;
                if self.family.kind.replace(kind).is_some() {
                    return fail(format!("more than one TYPE for metric {name:?}"));
                }
            }
            Event::Unit { name, unit } => {
                self.metadata(&name)?;
                if self.family.unit.replace(unit.into_owned()).is_some() {
                    return fail(format!("more than one UNIT for metric {name:?}"));
                }
            }
            Event::Comment(_) => return fail("comments other than HELP, TYPE, UNIT and EOF are not allowed"),
            Event::Series(series) => self.sample(&series)?,
        }
        Ok(())
    }

    fn metadata(&mut self, name: &str) -> Result<(), ParseError> {
        if self.family.name != name {
            return self.begin_family(name);
        }
        if self.family.has_samples {
            return fail(format!("metadata of metric {name:?} after its samples"));
        }
        Ok(())
    }

    fn begin_family(&mut self, name: &str) -> Result<(), ParseError> {
        self.end_family()?;
        self.family = Family { name: name.to_owned(), ..Family::default() };
        Ok(())
    }

    /// Checks what can only be known when a family is complete.
    fn end_family(&mut self) -> Result<(), ParseError> {
        let mut family = std::mem::take(&mut self.family);
        if family.name.is_empty() {
            return Ok(());
        }
        family.end_group()?;
        let kind = family.kind.unwrap_or_default();
        let has_unit = family.unit.is_some_and(|unit| !unit.is_empty());
        if has_unit && matches!(kind, MetricType::Info | MetricType::StateSet) {
            return fail(format!("metric {:?} of type {kind} may not have a unit", family.name));
        }
        let names = suffixes(kind).iter().map(|suffix| format!("{}{suffix}", family.name));
        let names: HashSet<String> = names.chain([family.name.clone()]).collect();
        if let Some(clash) = names.iter().find(|name| self.taken.contains(*name)) {
            return fail(format!("name {clash:?} clashes with another metric"));
        }
        self.taken.extend(names);
        Ok(())
    }

    fn sample(&mut self, series: &Series<'_>) -> Result<(), ParseError> {
        if series.raw.ends_with(b",}") {
            return fail("trailing comma in label set");
        }
        let pairs = series.pairs_as_written()?;
        let mut pairs = pairs.into_iter().map(|(n, v)| (n.into_owned(), v.into_owned()));
        let Some((_, name)) = pairs.next() else { return fail("sample without a name") };
        let labels: Vec<(String, String)> = pairs.collect();
        let mut seen = HashSet::new();
        if let Some((twice, _)) = labels.iter().find(|(label, _)| !seen.insert(label)) {
            return fail(format!("label {twice:?} appears more than once"));
        }
        if self.family.suffix_of(&name).is_none() {
            self.begin_family(&name)?;
        }
        self.family.sample(&name, labels, series)
    }
}

impl Family {
    /// The part of a sample name after the family's name, when the type allows it.
    fn suffix_of<'n>(&self, sample: &'n str) -> Option<&'n str> {
        let suffix = sample.strip_prefix(self.name.as_str()).filter(|_| !self.name.is_empty())?;
        suffixes(self.kind.unwrap_or_default()).contains(&suffix).then_some(suffix)
    }

    fn sample(
        &mut self,
        name: &str,
        labels: Vec<(String, String)>,
        series: &Series<'_>,
    ) -> Result<(), ParseError> {
        let kind = self.kind.unwrap_or_default();
        let suffix = self.suffix_of(name).unwrap_or_default();
        self.has_samples = true;
        let own_label = match (kind, suffix) {
            (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket") => Some("le"),
            (MetricType::Summary, "") => Some("quantile"),
            (MetricType::StateSet, _) => Some(self.name.as_str()),
            _ => None,
        };
        let mut own_value = None;
        let mut rest = Vec::with_capacity(labels.len());
        for (label, value) in labels {
            if Some(label.as_str()) == own_label {
                own_value = Some(value);
            } else {
                rest.push((label, value));
            }
        }
        if let (Some(label), None) = (own_label, &own_value) {
            return fail(format!("sample {name:?} of a {kind} needs the label {label:?}"));
        }
        let own_value = own_value.unwrap_or_default();
        check_value(kind, suffix, &own_value, series.value)?;
        if let Some(exemplar) = &series.exemplar {
            let allowed = matches!(
                (kind, suffix),
                (MetricType::Counter, "_total")
                    | (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket")
            );
            if !allowed {
                return fail(format!("sample {name:?} may not have an exemplar"));
            }
            if exemplar.label_chars() > EXEMPLAR_LABEL_CHARS_MAX {
                return fail(format!("exemplar labels exceed {EXEMPLAR_LABEL_CHARS_MAX} characters"));
            }
        }
        rest.sort();
        let group = self.group_of(rest, series, kind)?;
        group.histogram.add(suffix, &own_value, series.value)
    }

    fn group_of(
        &mut self,
        labels: Vec<(String, String)>,
        series: &Series<'_>,
        kind: MetricType,
    ) -> Result<&mut Group, ParseError> {
        if self.group.as_ref().is_some_and(|group| group.labels != labels) {
            self.end_group()?;
        }
        if self.past_groups.contains(&labels) {
            return fail(format!("samples of metric {:?} are interleaved", self.name));
        }
        let timestamp = series.timestamp;
        let new = || Group { labels, timestamp, histogram: HistogramGroup::new(kind) };
        let group = self.group.get_or_insert_with(new);
        match (group.timestamp, timestamp) {
            (None, None) => {}
            (Some(before), Some(now)) if now >= before || kind == MetricType::Info => {
                group.timestamp = timestamp;
            }
            (Some(_), Some(_)) => return fail("timestamps go backwards within a group"),
            _ => return fail("samples with and without timestamp within a group"),
        }
        Ok(group)
    }

    fn end_group(&mut self) -> Result<(), ParseError> {
        if let Some(group) = self.group.take() {
            group.histogram.finish()?;
            self.past_groups.insert(group.labels);
        }
        Ok(())
    }
}

/// What may follow the family's name in a sample's name.
fn suffixes(kind: MetricType) -> &'static [&'static str] {
    match kind {
        MetricType::Counter => &["_total", "_created"],
        MetricType::Histogram => &["_bucket", "_count", "_sum", "_created"],
        MetricType::GaugeHistogram => &["_bucket", "_gcount", "_gsum"],
        MetricType::Summary => &["", "_count", "_sum", "_created"],
        MetricType::Info => &["_info"],
        MetricType::Gauge | MetricType::StateSet | MetricType::Unknown => &[""],
    }
}

/// Rules that concern one sample alone.
fn check_value(kind: MetricType, suffix: &str, own: &str, value: f64) -> Result<(), ParseError> {
    match (kind, suffix) {
        (MetricType::Info, _) if value != 1.0 => fail("the value of an info metric must be 1"),
        (MetricType::StateSet, _) if value != 0.0 && value != 1.0 => {
            fail("the value of a stateset must be 0 or 1")
        }
        (MetricType::Summary, "") => {
            let quantile = own.parse::<f64>().unwrap_or(f64::NAN);
            if !(0.0..=1.0).contains(&quantile) {
                return fail(format!("quantile {own:?} is not between 0 and 1"));
            }
            if value < 0.0 { fail("the value of a quantile may not be negative") } else { Ok(()) }
        }
        (_, "_total" | "_count" | "_sum" | "_bucket" | "_gcount") if value.is_nan() || value < 0.0 => {
            fail("a counter-like value may be neither NaN nor negative")
        }
        (_, "_gsum") if value.is_nan() => fail("a sum may not be NaN"),
        _ => Ok(()),
    }
}
