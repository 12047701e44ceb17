//! Figures of native histograms, and their text.

use eval::histogram::{buckets, variance};
use model::FloatHistogram;

use super::short;
use crate::stream::{self, Stream};

pub(super) type Statistic = fn(&FloatHistogram) -> f64;

pub(super) fn statistic(name: &str) -> Option<Statistic> {
    Some(match name {
        "histogram_count" => |h| h.count,
        "histogram_sum" => |h| h.sum,
        "histogram_avg" => |h| h.sum / h.count,
        "histogram_stdvar" => variance,
        "histogram_stddev" => |h| variance(h).sqrt(),
        _ => return None,
    })
}

/// Floats vanish.
pub(super) fn map(input: Stream<'_>, statistic: Statistic) -> Stream<'_> {
    stream::map(input, move |mut series| {
        for step in 0..series.column.len() {
            match series.column.histogram(step) {
                Some(h) => {
                    let v = statistic(h);
                    series.column.set_float(step, v);
                }
                None => series.column.clear(step),
            }
        }
        Ok((!series.column.all_absent()).then_some(series))
    })
}

/// `{count:3, sum:5, (1,2]:3}`: the label value `count_values` gives to a histogram.
pub fn text(h: &FloatHistogram) -> String {
    text_with(h, short)
}

/// As [`text`], for a histogram of whole counts: these are written without exponents.
pub fn integer_text(h: &FloatHistogram) -> String {
    text_with(h, model::float::format_f)
}

fn text_with(h: &FloatHistogram, write_count: fn(f64) -> String) -> String {
    let mut out = format!("{{count:{}, sum:{}", write_count(h.count), short(h.sum));
    for b in buckets(h).into_iter().filter(|b| b.count != 0.0) {
        let (open, close) = match (h.uses_custom_buckets(), b.lower < 0.0, b.upper > 0.0) {
            // The zero bucket, which may have no width.
            (false, true, true) | (false, false, false) => ('[', ']'),
            (false, true, false) => ('[', ')'),
            // The first of custom buckets has no neighbour below.
            (true, ..) if b.lower == f64::NEG_INFINITY => ('[', ']'),
            _ => ('(', ']'),
        };
        let (lower, upper, count) = (short(b.lower), short(b.upper), write_count(b.count));
        out.push_str(&format!(", {open}{lower},{upper}{close}:{count}"));
    }
    out.push('}');
    out
}
