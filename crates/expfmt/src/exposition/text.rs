//! Text and OpenMetrics, line by line.

use model::{MetricType, Value};

use super::classic::Collector;
use super::created::Created;
use super::{ExemplarSource, LabelSource, Options, Sample, Sink};
use crate::parse::{Dialect, Event, ParseError, Parser, Series};

pub(super) fn read<S: Sink>(
    body: &[u8],
    dialect: Dialect,
    options: Options,
    sink: &mut S,
) -> Result<(), ParseError> {
    let mut parser = Parser::new(body, dialect);
    let mut collector = options.convert_classic.then(|| Collector::new(options.keep_classic));
    let mut created = (options.start_times && dialect == Dialect::OpenMetrics).then(Created::default);
    let follows_families = collector.is_some() || created.is_some();
    loop {
        let rest = parser.rest();
        if rest.first() == Some(&b'#')
            && !follows_families
            && let Some((length, kind)) = sink.known_metadata(rest)
        {
            parser.skip_metadata(length, kind);
            continue;
        }
        let event = parser.next_expecting(sink.expected_key())?;
        if let Some(collector) = &mut collector
            && !matches!(event, Some(Event::Series(_)))
        {
            collector.finish(sink)?;
        }
        let is_metadata = !matches!(event, None | Some(Event::Series(_)));
        match event {
            None => return Ok(()),
            Some(Event::Type { name, kind }) => {
                sink.kind(&name, kind);
                if let Some(collector) = &mut collector {
                    collector.family(&name, kind);
                }
                if let Some(created) = &mut created {
                    created.family(&name, kind, &parser);
                }
            }
            Some(Event::Help { name, text }) => sink.help(&name, &text),
            Some(Event::Unit { name, unit }) => sink.unit(&name, &unit),
            Some(Event::Comment(_)) => {}
            Some(Event::Series(series)) => {
                let mut start = None;
                if let Some(created) = &created
                    && created.concerns_family()
                {
                    if created.is_created_line(&series) {
                        continue;
                    }
                    start = created.start_of(&series)?;
                }
                if let Some(collector) = &mut collector
                    && collector.take(&series, start, sink)?
                {
                    continue;
                }
                sink.sample(sample(&series, start, parser.was_expected()))?;
            }
        }
        if is_metadata {
            let read = rest.len() - parser.rest().len();
            sink.metadata_line(rest.get(..read).unwrap_or_default(), parser.kind());
        }
    }
}

fn sample<'a>(series: &'a Series<'a>, start: Option<i64>, is_expected: bool) -> Sample<'a> {
    Sample {
        key: series.raw,
        is_expected,
        value: Value::Float(series.value),
        timestamp: series.timestamp,
        start,
        labels: LabelSource::Text(series),
        exemplars: series.exemplar.as_ref().map_or(ExemplarSource::None, ExemplarSource::Text),
    }
}

/// The name of a series as written, when it stands before its braces.
pub(super) fn plain_name<'a>(series: &Series<'a>) -> Option<&'a [u8]> {
    let end = series.raw.iter().position(|b| *b == b'{').unwrap_or(series.raw.len());
    let name = series.raw.get(..end)?;
    let name = name.trim_ascii_end();
    (!name.is_empty()).then_some(name)
}

/// Types whose samples count from a start.
pub(super) fn counts(kind: MetricType) -> bool {
    matches!(kind, MetricType::Counter | MetricType::Histogram | MetricType::Summary)
}
