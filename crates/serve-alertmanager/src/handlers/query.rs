//! Query parameters.

use alerting::{AlertQuery, MatcherMode, parse_matchers};
use axum::http::StatusCode;
use axum::response::Response;
use front::Params;
use model::Matcher;

use crate::model::error_text;

/// What counts as true in a query string; everything else that is given is false.
const TRUE: [&str; 10] = ["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"];

pub fn flag(params: &Params, name: &str) -> bool {
    params.get(name).is_none_or(|value| TRUE.contains(&value.to_ascii_lowercase().as_str()))
}

pub fn filters(params: &Params, mode: MatcherMode) -> Result<Vec<Matcher>, Box<Response>> {
    let mut out = Vec::new();
    for text in params.all("filter") {
        let parsed = parse_matchers(text, mode);
        out.extend(parsed.map_err(|e| Box::new(error_text(StatusCode::BAD_REQUEST, &e)))?);
    }
    Ok(out)
}

pub fn alert_query(params: &Params, mode: MatcherMode) -> Result<AlertQuery, Box<Response>> {
    let filter = filters(params, mode)?;
    let receiver = params.get("receiver").map(|name| re2::Regex::new(&format!("^(?:{name})$"))).transpose();
    let receiver = receiver.map_err(|e| {
        Box::new(error_text(StatusCode::BAD_REQUEST, &format!("failed to parse receiver param: {e}")))
    })?;
    Ok(AlertQuery {
        active: flag(params, "active"),
        silenced: flag(params, "silenced"),
        inhibited: flag(params, "inhibited"),
        unprocessed: flag(params, "unprocessed"),
        muted: flag(params, "muted"),
        filter,
        receiver,
    })
}
