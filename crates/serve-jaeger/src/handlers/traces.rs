//! Traces by id and by search.

use axum::extract::{Path, State};
use front::Params;
use storage::{ErrorKind, StoreError};

use super::now_ns;
use crate::api::Api;
use crate::model::{self, Trace};
use crate::reply::{ApiError, Reply, StructuredError};
use crate::search::{self, Search};

/// Spans one search may return.
const SPANS_MAX: usize = 500_000;

pub async fn by_id(
    State(api): State<Api>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Reply<Vec<Trace>>, ApiError> {
    let id = search::parse_id(&id)?;
    let (start, end) = (search::micros(&params, "start")?, search::micros(&params, "end")?);
    let spans = api.read(move |store| store.trace(id, start, end)).await?;
    if spans.is_empty() {
        return Err(ApiError::not_found("trace not found"));
    }
    Ok(Reply::new(vec![model::trace(id, &spans)]))
}

pub async fn search(State(api): State<Api>, params: Params) -> Result<Reply<Vec<Trace>>, ApiError> {
    let wanted = search::parse(&params, now_ns())?;
    let by_ids = matches!(wanted, Search::Ids(_));
    let found = api
        .read(move |store| {
            let ids = match wanted {
                Search::Ids(ids) => ids,
                Search::Query(query) => store.find(&query)?,
            };
            let (mut found, mut spans) = (Vec::with_capacity(ids.len()), 0);
            for id in ids {
                let trace = store.trace(id, None, None)?;
                spans += trace.len();
                if spans > SPANS_MAX {
                    let text = format!("the traces found have more than {SPANS_MAX} spans: lower the limit");
                    return Err(StoreError::new(ErrorKind::LimitExceeded, text));
                }
                found.push((id, trace));
            }
            Ok(found)
        })
        .await?;
    let mut reply = Reply::new(Vec::with_capacity(found.len()));
    for (id, spans) in found {
        if !spans.is_empty() {
            reply.data.push(model::trace(id, &spans));
        } else if by_ids {
            let error =
                StructuredError { code: None, msg: "trace not found".into(), trace_id: id.to_string() };
            reply.errors.get_or_insert_default().push(error);
        }
    }
    Ok(reply)
}
