//! What a well-formed query must still satisfy.

use model::Matcher;

use crate::ast::{
    Expr, LabelFilter, LabelFormat, LineFilterOp, LineTest, LogExpr, MetricExpr, RangeAggregation, RangeOp,
    Stage, VectorOp,
};
use crate::error::ParseError;
use crate::ip::IpPattern;
use crate::pattern::Pattern;

const EMPTY_COMPATIBLE: &str = "queries require at least one regexp or equality matcher that does not have \
an empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will";

pub(crate) fn expr(expr: &Expr) -> Result<(), ParseError> {
    match expr {
        Expr::Log(log) => self::log(log),
        Expr::Metric(metric) => self::metric(metric),
    }
}

pub(crate) fn log(log: &LogExpr) -> Result<(), ParseError> {
    matchers(&log.matchers)?;
    log.stages.iter().try_for_each(stage)
}

/// A selector that every stream could match would read everything.
pub(crate) fn matchers(matchers: &[Matcher]) -> Result<(), ParseError> {
    if matchers.iter().all(Matcher::matches_empty) {
        return Err(ParseError::unplaced(EMPTY_COMPATIBLE));
    }
    Ok(())
}

fn metric(expr: &MetricExpr) -> Result<(), ParseError> {
    match expr {
        MetricExpr::Range(range) => {
            log(&range.log)?;
            range_aggregation(range)
        }
        MetricExpr::Vector(vector) => {
            if matches!(vector.op, VectorOp::Sort | VectorOp::SortDesc) && vector.grouping.is_some() {
                return Err(ParseError::unplaced("sort and sort_desc doesn't allow grouping by "));
            }
            if vector.op == VectorOp::ApproxTopK && vector.grouping.is_some() {
                return Err(ParseError::unplaced("grouping not allowed for approx_topk aggregation"));
            }
            metric(&vector.inner)
        }
        MetricExpr::Binary(binary) => {
            metric(&binary.left)?;
            metric(&binary.right)
        }
        MetricExpr::LabelReplace(replace) => metric(&replace.inner),
        MetricExpr::Literal(_) | MetricExpr::VectorLiteral(_) => Ok(()),
    }
}

fn range_aggregation(range: &RangeAggregation) -> Result<(), ParseError> {
    use RangeOp::*;
    let name = range.op.as_str();
    let fail = |message: String| Err(ParseError::unplaced(message));
    if range.grouping.is_some()
        && !matches!(range.op, Avg | Stddev | Stdvar | Quantile | Max | Min | First | Last)
    {
        return fail(format!("grouping not allowed for {name} aggregation"));
    }
    if range.unwrap.is_some() && matches!(range.op, Count | Bytes | BytesRate) {
        return fail(format!("invalid aggregation {name} with unwrap"));
    }
    if range.unwrap.is_none() && !matches!(range.op, Bytes | BytesRate | Count | Rate | Absent) {
        return fail(format!("invalid aggregation {name} without unwrap"));
    }
    match (range.op, range.parameter) {
        (Quantile, None) => fail(format!("parameter required for operation {name}")),
        (Quantile, Some(_)) | (_, None) => Ok(()),
        (_, Some(p)) => {
            fail(format!("parameter {} not supported for operation {name}", model::float::format_f(p)))
        }
    }
}

fn stage(stage: &Stage) -> Result<(), ParseError> {
    let in_stage = |e: String| ParseError::unplaced(format!("stage '{stage}' : {e}"));
    match stage {
        Stage::LineFilter(filter) => {
            for alternative in &filter.alternatives {
                match (filter.op, alternative) {
                    (LineFilterOp::Contains | LineFilterOp::NotContains, LineTest::Ip(text)) => {
                        IpPattern::parse(text).map_err(in_stage)?;
                    }
                    (_, LineTest::Ip(_)) => {
                        return Err(ParseError::unplaced(
                            "ip: invalid match operation: ip line filter supports only |= and !=",
                        ));
                    }
                    (LineFilterOp::Regex | LineFilterOp::NotRegex, LineTest::Text(text)) => {
                        re2::Regex::new(text).map_err(|e| ParseError::unplaced(e.to_string()))?;
                    }
                    (LineFilterOp::Pattern | LineFilterOp::NotPattern, LineTest::Text(text)) => {
                        Pattern::line_filter(text).map_err(ParseError::unplaced)?;
                    }
                    (LineFilterOp::Contains | LineFilterOp::NotContains, LineTest::Text(_)) => {}
                }
            }
            Ok(())
        }
        Stage::Regexp(text) => regexp(text),
        Stage::LabelFilter(filter) => label_filter(filter, &in_stage),
        Stage::LabelFormat(formats) => label_formats(formats).map_err(in_stage),
        _ => Ok(()),
    }
}

fn regexp(text: &str) -> Result<(), ParseError> {
    let refuse = |e: String| ParseError::unplaced(format!("invalid regexp parser: {e}"));
    let regex = re2::Regex::new(text).map_err(|e| refuse(e.to_string()))?;
    let names: Vec<String> = regex.group_names().into_iter().flatten().collect();
    if names.is_empty() {
        return Err(refuse("at least one named capture must be supplied".into()));
    }
    Ok(())
}

fn label_filter(filter: &LabelFilter, in_stage: &dyn Fn(String) -> ParseError) -> Result<(), ParseError> {
    match filter {
        LabelFilter::And(a, b) | LabelFilter::Or(a, b) => {
            label_filter(a, in_stage)?;
            label_filter(b, in_stage)
        }
        LabelFilter::Ip { pattern, .. } => IpPattern::parse(pattern).map(|_| ()).map_err(in_stage),
        LabelFilter::Match(_) | LabelFilter::Compare { .. } => Ok(()),
    }
}

fn label_formats(formats: &[LabelFormat]) -> Result<(), String> {
    let mut seen: Vec<&str> = Vec::new();
    for format in formats {
        let label = format.label();
        if label == "__error__" {
            return Err("__error__ cannot be formatted".into());
        }
        if seen.contains(&label) {
            return Err(format!("multiple label name '{label}' not allowed in a single format operation"));
        }
        seen.push(label);
    }
    Ok(())
}
