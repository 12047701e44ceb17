//! Samples line by line, as VictoriaMetrics takes them: Influx line protocol, Prometheus text and JSON. A
//! request is stored as a whole or not at all; faults name the line.

use expfmt::{Dialect, Event, Parser};
use model::{Labels, METRIC_NAME, TimestampMs, Value};
use serde::Deserialize;
use storage::Appender;
use wire::influx;

use super::labels::LabelScratch;
use super::{Inner, WriteError, newest_accepted, too_far_ahead};

/// Labels added to every series of a request; they win over those of a line.
pub type ExtraLabels = Vec<(String, String)>;

/// What a line is written in.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// With nanoseconds in one unit of a line's timestamp.
    Influx {
        unit_nanos: i64,
    },
    PrometheusText,
    Json,
}

#[derive(Deserialize)]
struct JsonLine {
    metric: std::collections::BTreeMap<String, String>,
    values: Vec<Option<f64>>,
    timestamps: Vec<TimestampMs>,
}

impl Inner {
    /// Stores the lines of a request; those without a time are of `now`.
    pub fn write_lines(
        &self,
        body: &[u8],
        kind: Kind,
        extra: &ExtraLabels,
        now: TimestampMs,
    ) -> Result<(), WriteError> {
        let mut batch = Batch { appender: self.store.appender(), extra, newest: newest_accepted() };
        for (number, line) in body.split_inclusive(|b| *b == b'\n').enumerate() {
            let taken = match kind {
                Kind::Influx { unit_nanos } => batch.influx(line, unit_nanos, now),
                Kind::PrometheusText => batch.prometheus(line, now),
                Kind::Json => batch.json(line),
            };
            taken.map_err(|e| match e {
                WriteError::Bad(message) => WriteError::Bad(format!("line {}: {message}", number + 1)),
                failed => failed,
            })?;
        }
        batch.appender.commit().map_err(WriteError::failed)
    }
}

struct Batch<'s> {
    appender: Box<dyn Appender + 's>,
    extra: &'s ExtraLabels,
    newest: TimestampMs,
}

fn bad(e: impl std::fmt::Display) -> WriteError {
    WriteError::Bad(e.to_string())
}

impl Batch<'_> {
    fn influx(&mut self, line: &[u8], unit_nanos: i64, now: TimestampMs) -> Result<(), WriteError> {
        let text = std::str::from_utf8(line).map_err(bad)?;
        let Some(line) = influx::read_line(text).map_err(bad)? else { return Ok(()) };
        let millis = |t: i64| (i128::from(t) * i128::from(unit_nanos) / 1_000_000) as TimestampMs;
        let t = line.timestamp.map_or(now, millis);
        for (field, value) in &line.fields {
            let name = format!("{}_{field}", line.measurement);
            let tags = line.tags.iter().map(|(name, value)| (&**name, &**value));
            let labels = self.labels(tags.chain([(METRIC_NAME, name.as_str())]))?;
            self.append(&labels, t, *value)?;
        }
        Ok(())
    }

    fn prometheus(&mut self, line: &[u8], now: TimestampMs) -> Result<(), WriteError> {
        let ended = [line.trim_ascii_end(), b"\n"].concat();
        let mut parser = Parser::new(&ended, Dialect::Text);
        while let Some(event) = parser.next().map_err(|e| bad(e.0))? {
            if let Event::Series(series) = event {
                let pairs = series.pairs().map_err(|e| bad(e.0))?;
                let labels = self.labels(pairs.iter().map(|(name, value)| (&**name, &**value)))?;
                self.append(&labels, series.timestamp.unwrap_or(now), series.value)?;
            }
        }
        Ok(())
    }

    fn json(&mut self, line: &[u8]) -> Result<(), WriteError> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let line: JsonLine = serde_json::from_slice(line).map_err(bad)?;
        if line.values.len() != line.timestamps.len() {
            return Err(bad(format!("{} values, {} timestamps", line.values.len(), line.timestamps.len())));
        }
        let labels = self.labels(line.metric.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
        for (t, value) in line.timestamps.iter().zip(&line.values) {
            // JSON has no NaN; exports write null.
            self.append(&labels, *t, value.unwrap_or(f64::NAN))?;
        }
        Ok(())
    }

    fn labels<'a>(&'a self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Labels, WriteError> {
        let mut scratch = LabelScratch::default();
        let is_extra = |name: &str| self.extra.iter().any(|(extra, _)| extra == name);
        pairs.filter(|(name, _)| !is_extra(name)).for_each(|(name, value)| scratch.push_text(name, value));
        self.extra.iter().for_each(|(name, value)| scratch.push_text(name, value));
        scratch.build().map_err(bad)
    }

    fn append(&mut self, labels: &Labels, t: TimestampMs, value: f64) -> Result<(), WriteError> {
        if t > self.newest {
            return Err(too_far_ahead().into());
        }
        self.appender.append(None, labels, t, Value::Float(value))?;
        Ok(())
    }
}
