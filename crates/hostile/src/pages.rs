//! Metric pages as targets serve them.

use expfmt::parse::{Dialect, Event, Parser};

fn walk(data: &[u8], dialect: Dialect) {
    let mut parser = Parser::new(data, dialect);
    let mut events = 0;
    while let Ok(Some(event)) = parser.next() {
        if let Event::Series(series) = &event {
            let _ = series.pairs();
            if let Some(exemplar) = &series.exemplar {
                exemplar.decode();
            }
        }
        events += 1;
        assert!(events <= data.len() + 1, "more events than bytes");
    }
}

pub fn text(data: &[u8]) {
    walk(data, Dialect::Text);
    let _ = expfmt::read_families(data);
}

pub fn openmetrics(data: &[u8]) {
    walk(data, Dialect::OpenMetrics);
    let _ = expfmt::strict::validate(data);
}

pub fn protobuf(data: &[u8]) {
    let _ = expfmt::protobuf::read_delimited(data);
}
