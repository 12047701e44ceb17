//! Query parameters.

use std::collections::BTreeSet;

use alerting::{AlertQuery, MatcherMode, parse_matcher, parse_matchers};
use axum::http::StatusCode;
use axum::response::Response;
use front::Params;
use model::{Labels, Matcher};

use crate::config::compile::ReceiverInfo;
use crate::model::error_text;
use crate::state::Api;

/// What counts as true in a query string; everything else that is given is false.
const TRUE: [&str; 10] = ["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"];

pub fn flag(params: &Params, name: &str) -> bool {
    params.get(name).is_none_or(|value| TRUE.contains(&value.to_ascii_lowercase().as_str()))
}

/// Each filter is one matcher.
pub fn filters(params: &Params, mode: MatcherMode) -> Result<Vec<Matcher>, Box<Response>> {
    let one =
        |text: &str| parse_matcher(text, mode).map_err(|e| Box::new(error_text(StatusCode::BAD_REQUEST, &e)));
    params.all("filter").map(one).collect()
}

/// Names of the receivers whose labels match all `receiver_matchers`; `None` when there are no such.
pub fn receivers(params: &Params, api: &Api) -> Result<Option<BTreeSet<String>>, Box<Response>> {
    let mut matchers = Vec::new();
    for text in params.all("receiver_matchers") {
        matchers.extend(parse_matchers(text, api.mode).map_err(|e| {
            let message = format!("failed to parse receiver_matchers param: {e}");
            Box::new(error_text(StatusCode::BAD_REQUEST, &message))
        })?);
    }
    if matchers.is_empty() {
        return Ok(None);
    }
    let matches =
        |info: &ReceiverInfo| Matcher::all_match(&matchers, &Labels::from_pairs(info.labels.clone()));
    let shown = api.shown();
    Ok(Some(shown.receivers.iter().filter(|r| matches(r)).map(|r| r.name.clone()).collect()))
}

pub fn alert_query(params: &Params, api: &Api) -> Result<AlertQuery, Box<Response>> {
    let filter = filters(params, api.mode)?;
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
        receivers: receivers(params, api)?,
    })
}
