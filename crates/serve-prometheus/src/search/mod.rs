//! Names found by parts of them: the parameters of `/api/v1/search/*`, what matches, and in which order.

mod score;

use front::Params;

use crate::handlers::parse_bool;
use crate::reply::ApiError;

/// Results unless `limit` says otherwise, and in one line of the reply unless `batch_size` does.
const RESULTS_DEFAULT: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Subsequence,
    JaroWinkler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
    Score,
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub struct Search {
    terms: Vec<String>,
    algorithm: Algorithm,
    /// 0 to 1.
    threshold: f64,
    case_sensitive: bool,
    order: Order,
    pub limit: usize,
    pub batch: usize,
    pub include_score: bool,
}

impl Search {
    /// `kind` is the endpoint's last part, for errors; `limit_max` the server's own bound.
    pub fn parse(params: &Params, kind: &str, limit_max: usize) -> Result<Search, ApiError> {
        let bad = |text: String| Err(ApiError::bad_data(text));
        let threshold = match params.get("fuzz_threshold") {
            None => 0.0,
            Some(text) => match text.parse::<u32>() {
                Ok(n) if n <= 100 => f64::from(n) / 100.0,
                _ => return bad(format!("invalid fuzz_threshold {text:?}: must be 0-100")),
            },
        };
        let algorithm = match params.get("fuzz_alg") {
            None | Some("subsequence") => Algorithm::Subsequence,
            Some("jarowinkler") => Algorithm::JaroWinkler,
            Some(other) => {
                return bad(format!(
                    "unsupported fuzz_alg {other:?}: must be one of [subsequence jarowinkler]"
                ));
            }
        };
        let case_sensitive = switch(params, "case_sensitive", true)?;
        let include_score = switch(params, "include_score", false)?;
        let terms: Vec<String> = params.all("search[]").map(str::to_owned).collect();
        let (by, direction) = (params.get("sort_by"), params.get("sort_dir"));
        match (by, direction) {
            (None, Some(_)) => return bad("sort_dir is only valid when sort_by is set".into()),
            (Some("score"), Some(_)) => return bad("sort_dir is not supported for sort_by=score".into()),
            (_, Some(other)) if !matches!(other, "asc" | "dsc") => {
                return bad(format!("invalid sort_dir {other:?}: must be \"asc\" or \"dsc\""));
            }
            (Some("score"), None) if terms.is_empty() => {
                return bad("sort_by=score requires search[] to be set".into());
            }
            _ => {}
        }
        let limit = count(params, "limit")?.min(limit_max);
        let batch = count(params, "batch_size")?;
        let order = match (by, direction) {
            (Some("score"), _) => Order::Score,
            (Some("alpha"), Some("dsc")) => Order::Descending,
            (None | Some("alpha"), _) => Order::Ascending,
            (Some(other), _) => {
                return bad(format!("invalid sort_by {other:?} for {kind}: must be \"alpha\" or \"score\""));
            }
        };
        Ok(Search { terms, algorithm, threshold, case_sensitive, order, limit, batch, include_score })
    }

    /// The names that match, in the order asked for, each with its score; one more than the limit when there
    /// are more.
    pub fn filter(&self, names: impl IntoIterator<Item = String>) -> Vec<(String, f64)> {
        let folded = |text: &str| if self.case_sensitive { text.to_owned() } else { text.to_lowercase() };
        let terms: Vec<String> = self.terms.iter().map(|term| folded(term)).collect();
        let mut found: Vec<(String, f64)> = names
            .into_iter()
            .filter_map(|name| {
                // Without a search everything matches, without a score.
                if terms.is_empty() {
                    return Some((name, 0.0));
                }
                let text = folded(&name);
                let best = terms.iter().filter_map(|term| self.score(term, &text)).reduce(f64::max)?;
                Some((name, best))
            })
            .collect();
        match self.order {
            Order::Ascending => found.sort_by(|a, b| a.0.cmp(&b.0)),
            Order::Descending => found.sort_by(|a, b| b.0.cmp(&a.0)),
            Order::Score => found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0))),
        }
        found.truncate(self.limit.saturating_add(1));
        found
    }

    /// How well one term fits, if it does.
    fn score(&self, term: &str, text: &str) -> Option<f64> {
        if text.starts_with(term) {
            return Some(1.0);
        }
        match self.algorithm {
            Algorithm::Subsequence => {
                let score = score::subsequence(term, text);
                (score > 0.0 && score >= self.threshold).then_some(score)
            }
            Algorithm::JaroWinkler if text.contains(term) => Some(0.9),
            // Without a threshold only parts of names are found: everything is a little alike.
            Algorithm::JaroWinkler if self.threshold > 0.0 => {
                let score = score::jaro_winkler(term, text);
                (score >= self.threshold).then_some(score)
            }
            Algorithm::JaroWinkler => None,
        }
    }
}

fn switch(params: &Params, name: &str, default: bool) -> Result<bool, ApiError> {
    match params.get(name) {
        None => Ok(default),
        Some(text) => parse_bool(text)
            .ok_or_else(|| ApiError::bad_data(format!("invalid {name} {text:?}: must be boolean"))),
    }
}

/// A count; zero means the default.
fn count(params: &Params, name: &str) -> Result<usize, ApiError> {
    match params.get(name).map(|text| (text, text.parse::<i64>())) {
        None | Some((_, Ok(0))) => Ok(RESULTS_DEFAULT),
        Some((_, Ok(n))) if n > 0 => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        Some((text, _)) => {
            Err(ApiError::bad_data(format!("invalid {name} {text:?}: must be non-negative integer")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str) -> Vec<String> {
        let names = ["http_requests_total", "HTTP_errors", "node_cpu", "up", "htpp_typo"];
        let search = Search::parse(&Params::parse(query), "metric_names", 1000).unwrap();
        search.filter(names.map(str::to_owned)).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_found_and_in_which_order() {
        let check = |query: &str, expected: &[&str]| assert_eq!(found(query), expected, "{query}");
        check("", &["HTTP_errors", "htpp_typo", "http_requests_total", "node_cpu", "up"]);
        check("sort_by=alpha&sort_dir=dsc&limit=1", &["up", "node_cpu"]);
        check("search[]=http", &["htpp_typo", "http_requests_total"]);
        check("search[]=http&case_sensitive=false", &["HTTP_errors", "htpp_typo", "http_requests_total"]);
        check("search[]=http&fuzz_threshold=90", &["http_requests_total"]);
        check("search[]=cpu&search[]=up", &["node_cpu", "up"]);
        check("search[]=hrt&sort_by=score", &["http_requests_total"]);
        check("search[]=htp&fuzz_alg=jarowinkler", &["htpp_typo"]);
        check("search[]=nod_cpu&fuzz_alg=jarowinkler&fuzz_threshold=90", &["node_cpu"]);
    }

    #[test]
    fn refusals() {
        let check = |query: &str, text: &str| {
            let e = Search::parse(&Params::parse(query), "label_names", 10).unwrap_err();
            assert_eq!(e.message, text, "{query}");
        };
        check("fuzz_threshold=101", "invalid fuzz_threshold \"101\": must be 0-100");
        check("fuzz_alg=x", "unsupported fuzz_alg \"x\": must be one of [subsequence jarowinkler]");
        check("case_sensitive=x", "invalid case_sensitive \"x\": must be boolean");
        check("sort_dir=asc", "sort_dir is only valid when sort_by is set");
        check("sort_by=score&sort_dir=asc", "sort_dir is not supported for sort_by=score");
        check("sort_by=alpha&sort_dir=up", "invalid sort_dir \"up\": must be \"asc\" or \"dsc\"");
        check("sort_by=score", "sort_by=score requires search[] to be set");
        check("sort_by=x", "invalid sort_by \"x\" for label_names: must be \"alpha\" or \"score\"");
        check("limit=-1", "invalid limit \"-1\": must be non-negative integer");
        check("batch_size=x", "invalid batch_size \"x\": must be non-negative integer");
    }
}
