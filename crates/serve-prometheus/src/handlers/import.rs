//! VictoriaMetrics' ways in and out: Influx line protocol at `/write`, `/influx/write` and `/api/v2/write`,
//! `/api/v1/import/prometheus`, `/api/v1/import` and `/api/v1/export`. Writing is behind the flag of remote
//! write.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use front::Params;
use storage::metrics::SampleColumns;

use super::otlp::gunzip;
use super::write::{read_body, run, text_error};
use super::{named_matcher_sets, now_ms, time_or};
use crate::ingest::lines::{ExtraLabels, Kind};
use crate::reply::{ApiError, write_labels};
use crate::state::Api;
use crate::times::{MAX_TIME, MIN_TIME};

/// Bytes of a request after decompression.
const PLAIN_BYTES_MAX: u64 = 256 << 20;
/// Bytes of an export, which is made in memory.
const EXPORT_BYTES_MAX: usize = 256 << 20;

pub async fn influx(api: State<Api>, query: RawQuery, headers: HeaderMap, body: Body) -> Response {
    let params = Params::parse(query.0.as_deref().unwrap_or_default());
    let unit_nanos = match params.get("precision") {
        None | Some("ns" | "n") => 1,
        Some("us" | "u" | "µ") => 1_000,
        Some("ms") => 1_000_000,
        Some("s") => 1_000_000_000,
        Some("m") => 60_000_000_000,
        Some("h") => 3_600_000_000_000,
        Some(other) => return text_error(StatusCode::BAD_REQUEST, format!("unknown precision {other:?}")),
    };
    import(api, params, headers, body, Kind::Influx { unit_nanos }).await
}

pub async fn prometheus(api: State<Api>, query: RawQuery, headers: HeaderMap, body: Body) -> Response {
    let params = Params::parse(query.0.as_deref().unwrap_or_default());
    import(api, params, headers, body, Kind::PrometheusText).await
}

pub async fn json(api: State<Api>, query: RawQuery, headers: HeaderMap, body: Body) -> Response {
    let params = Params::parse(query.0.as_deref().unwrap_or_default());
    import(api, params, headers, body, Kind::Json).await
}

async fn import(
    State(api): State<Api>,
    params: Params,
    headers: HeaderMap,
    body: Body,
    kind: Kind,
) -> Response {
    if !api.ingest.options.remote_write {
        let message = "importing needs to be enabled with --web.enable-remote-write-receiver";
        return text_error(StatusCode::NOT_FOUND, message);
    }
    let gzip = match headers.get(header::CONTENT_ENCODING).map_or("", |v| v.to_str().unwrap_or("?")) {
        "" | "identity" => false,
        "gzip" => true,
        other => {
            let message =
                format!("unsupported compression: {other}. Only \"gzip\" or no compression supported");
            return text_error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        }
    };
    let mut extra: ExtraLabels = Vec::new();
    for label in params.all("extra_label") {
        let Some((name, value)) = label.split_once('=') else {
            let message = format!("extra_label {label:?} is not of the form name=value");
            return text_error(StatusCode::BAD_REQUEST, message);
        };
        extra.push((name.to_owned(), value.to_owned()));
    }
    if let (Kind::Influx { .. }, Some(db)) = (kind, params.get("db")) {
        extra.push(("db".to_owned(), db.to_owned()));
    }
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let now = now_ms();
    let done = run(&api.ingest, move |ingest| match gzip {
        true => ingest.write_lines(&gunzip(&body, PLAIN_BYTES_MAX)?, kind, &extra, now),
        false => ingest.write_lines(&body, kind, &extra, now),
    });
    match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => response,
    }
}

/// Raw samples, one series a line. Native histograms have no place in this format and are left out.
pub async fn export(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    if params.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let (start, end) = (time_or(&params, "start", MIN_TIME)?, time_or(&params, "end", MAX_TIME)?);
    let (sets, store) = (named_matcher_sets(&params)?, api.store.clone());
    let body = api
        .queries
        .run(move || {
            let querier = store.querier(start, end)?;
            let (mut out, mut samples) = (String::new(), SampleColumns::default());
            for set in &sets {
                for handle in querier.select(set)? {
                    querier.read(&handle, start, end, &mut samples)?;
                    if !samples.floats.is_empty() {
                        write_line(&mut out, &handle.labels, &samples);
                    }
                    if out.len() > EXPORT_BYTES_MAX {
                        return Err(storage::StoreError::new(
                            storage::ErrorKind::LimitExceeded,
                            format!(
                                "the export is larger than {EXPORT_BYTES_MAX} bytes: ask for less at a time"
                            ),
                        ));
                    }
                }
            }
            Ok::<_, storage::StoreError>(out)
        })
        .await??;
    Ok(([(header::CONTENT_TYPE, "application/stream+json; charset=utf-8")], body).into_response())
}

fn write_line(out: &mut String, labels: &model::Labels, samples: &SampleColumns) {
    out.push_str("{\"metric\":");
    write_labels(out, labels);
    out.push_str(",\"values\":[");
    for (i, v) in samples.floats.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        out.push_str(comma);
        match v.is_finite() {
            true => {
                out.push_str(&serde_json::Number::from_f64(*v).map(|n| n.to_string()).unwrap_or_default())
            }
            false => out.push_str("null"),
        }
    }
    out.push_str("],\"timestamps\":[");
    let times: Vec<String> = samples.float_times.iter().map(ToString::to_string).collect();
    out.push_str(&times.join(","));
    out.push_str("]}\n");
}
