//! Where collectors put samples: families by name, in the order the originals show them at the end.

use std::collections::HashMap;

use expfmt::{Family, LabelPairs, Metric, MetricValue};
use model::MetricType;

pub struct Sink {
    families: Vec<Family<LabelPairs>>,
    by_name: HashMap<String, usize>,
    /// Samples of one family mostly come in a row.
    last: usize,
}

impl Sink {
    pub fn with_capacity(families: usize) -> Sink {
        Sink { families: Vec::with_capacity(families), by_name: HashMap::with_capacity(families), last: 0 }
    }

    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.push(name, help, MetricType::Gauge, labels, value);
    }

    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.push(name, help, MetricType::Counter, labels, value);
    }

    pub fn untyped(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.push(name, help, MetricType::Unknown, labels, value);
    }

    pub fn push(&mut self, name: &str, help: &str, kind: MetricType, labels: &[(&str, &str)], value: f64) {
        let mut pairs: LabelPairs = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        pairs.sort_unstable();
        let metric = Metric { labels: pairs, value: MetricValue::Number(value), timestamp: None };
        self.family(name, help, kind).metrics.push(metric);
    }

    /// Takes over a family as it is; one of that name that is there already keeps its help and type.
    pub fn adopt(&mut self, family: Family<LabelPairs>) {
        let own = self.family(&family.name, &family.help, family.kind);
        own.metrics.extend(family.metrics);
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> &mut Family<LabelPairs> {
        let at = match self.families.get(self.last) {
            Some(family) if family.name == name => self.last,
            _ => match self.by_name.get(name) {
                Some(at) => *at,
                None => {
                    let at = self.families.len();
                    self.by_name.insert(name.to_owned(), at);
                    let unit = String::new();
                    let (name, help) = (name.to_owned(), help.to_owned());
                    self.families.push(Family { name, help, unit, kind, metrics: Vec::new() });
                    at
                }
            },
        };
        self.last = at;
        &mut self.families[at]
    }

    /// Families by name; samples by number of labels, then label values; the first of equal label sets
    /// stays, since a scrape with duplicates would be refused as a whole.
    pub fn finish(mut self) -> Vec<Family<LabelPairs>> {
        self.families.sort_by(|a, b| a.name.cmp(&b.name));
        for family in &mut self.families {
            family.metrics.sort_by(|a, b| {
                let ordered = a.labels.iter().map(|l| &l.1).cmp(b.labels.iter().map(|l| &l.1));
                a.labels.len().cmp(&b.labels.len()).then(ordered)
            });
            family.metrics.dedup_by(|later, first| later.labels == first.labels);
        }
        self.families
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_samples_come_out_sorted_and_unique() {
        let mut sink = Sink::with_capacity(2);
        sink.gauge("b", "B.", &[("x", "10")], 1.0);
        sink.counter("a_total", "A.", &[("mode", "z"), ("cpu", "1")], 2.0);
        sink.counter("a_total", "A.", &[("cpu", "0"), ("mode", "z")], 3.0);
        sink.counter("a_total", "A.", &[("cpu", "0"), ("mode", "z")], 4.0);
        sink.gauge("b", "B.", &[], 5.0);
        let mut text = String::new();
        expfmt::encode(&sink.finish(), expfmt::Format::Text, &mut text);
        let expected = "# HELP a_total A.\n# TYPE a_total counter\na_total{cpu=\"0\",mode=\"z\"} 3\n\
            a_total{cpu=\"1\",mode=\"z\"} 2\n# HELP b B.\n# TYPE b gauge\nb 5\nb{x=\"10\"} 1\n";
        assert_eq!(text, expected);
    }
}
