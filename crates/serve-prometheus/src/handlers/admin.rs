//! `/api/v1/admin/tsdb/*`, off unless a flag says otherwise.

use axum::extract::State;
use axum::http::StatusCode;
use front::Params;

use super::{named_matcher_sets, time_or};
use crate::reply::{ApiError, ErrorType};
use crate::state::Api;
use crate::times::{MAX_TIME, MIN_TIME};

pub async fn delete_series(State(api): State<Api>, params: Params) -> Result<StatusCode, ApiError> {
    check_enabled(&api)?;
    if params.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let (start, end) = (time_or(&params, "start", MIN_TIME)?, time_or(&params, "end", MAX_TIME)?);
    let (sets, store) = (named_matcher_sets(&params)?, api.store.clone());
    api.queries.run(move || sets.iter().try_for_each(|set| store.delete_series(set, start, end))).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn check_enabled(api: &Api) -> Result<(), ApiError> {
    if api.options.admin {
        return Ok(());
    }
    Err(ApiError::new(ErrorType::Unavailable, "admin APIs disabled"))
}
