//! Functions over whole series.

use std::collections::HashSet;

use logql_syntax::ast::LabelReplace;

use super::series::Series;
use crate::error::QueryError;

pub(super) fn label_replace(replace: &LabelReplace, series: Vec<Series>) -> Result<Vec<Series>, QueryError> {
    let mut seen = HashSet::with_capacity(series.len());
    let mut out = Vec::with_capacity(series.len());
    for mut one in series {
        let source = one.labels.get(&replace.source).to_owned();
        if let Some(captures) = replace.regex.captures(&source) {
            let mut value = String::new();
            replace.regex.expand(&replace.replacement, &source, &captures, &mut value);
            let mut builder = one.labels.to_builder();
            builder.set(replace.destination.as_str(), value);
            one.labels = builder.build();
        }
        if !seen.insert(one.labels.clone()) {
            return Err(QueryError::bad(format!(
                "duplicated labelset in the resulting set of label_replace(): {}",
                one.labels
            )));
        }
        out.push(one);
    }
    Ok(out)
}
