//! `tail`: a websocket that follows a log query.
//!
//! ```text
//! push → store → subscription: batches that match the selector → bounded queue → pipeline → frames
//! ```
//!
//! The subscription runs inside pushes and must not wait, so a client that reads too slowly loses entries
//! and is told which streams lost some. History comes first, then what arrives; an entry that is in both
//! is sent once.

use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use front::Params;
use logql::pipeline::{Category, LabelState, Pipeline};
use logql::{LogParams, QueryData, ResultEntry, ResultStream, TimeParams};
use logql_syntax::{Expr, LogExpr};
use model::{Labels, Matcher, TimestampNs};
use storage::logs::{Direction, EntryRef, StreamBatch};
use tokio::sync::mpsc;

use crate::error::ApiError;
use crate::state::Shared;
use crate::{params, render};

/// Batches that wait for a slow client.
const QUEUE_BATCHES_MAX: usize = 1024;

/// Streams named in a frame that tells of losses.
const DROPPED_STREAMS_MAX: usize = 1000;

/// A longer delay would only fill memory.
const DELAY_SECONDS_MAX: u64 = 5;

const PING_EVERY: Duration = Duration::from_secs(1);

/// Why a tail ends although the client did not ask.
const TAIL_TIME_IS_UP: &str = "reached tail max duration limit";

pub async fn tail(
    State(app): State<Shared>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    params: Params,
) -> Result<Response, ApiError> {
    let request = Request::read(&app, &headers, &params)?;
    match upgrade {
        Ok(upgrade) => Ok(upgrade.on_upgrade(move |socket| follow(app, request, socket))),
        Err(e) => Ok(e.into_response()),
    }
}

struct Request {
    expr: LogExpr,
    log: LogParams,
    start: TimestampNs,
    delay: Duration,
}

impl Request {
    fn read(app: &Shared, headers: &HeaderMap, params: &Params) -> Result<Request, ApiError> {
        let expr = logql_syntax::parse_log(params.get("query").unwrap_or(""))?;
        // Compiled once more where it runs; here only to refuse it with a status.
        Pipeline::compile(&expr.stages)?;
        let limit = params::limit(params)?;
        let max = app.active().limits().max_entries_limit_per_query;
        if max > 0 && limit > max {
            return Err(ApiError::bad(format!(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {max})"
            )));
        }
        let delay = match params.get("delay_for") {
            None => 0,
            Some(text) => text
                .parse()
                .map_err(|_| ApiError::bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?,
        };
        if delay > DELAY_SECONDS_MAX {
            return Err(ApiError::bad(format!("delay_for can't be greater than {DELAY_SECONDS_MAX}")));
        }
        let start = match params.get("start") {
            Some(text) => params::parse_time(text)?,
            None => params::bounds(params, app.now())?.start,
        };
        let flags = headers.get("X-Loki-Response-Encoding-Flags").and_then(|v| v.to_str().ok());
        let categorize = flags.is_some_and(|f| f.split(',').any(|f| f.trim() == "categorize-labels"));
        let log = LogParams { limit, direction: Direction::Backward, interval: 0, categorize };
        Ok(Request { expr, log, start, delay: Duration::from_secs(delay) })
    }
}

/// One place among the tails that may run at once.
struct Place(Shared);

impl Place {
    /// The error is the reason of the close frame.
    fn take(app: &Shared) -> Result<Place, String> {
        let limit = app.active().limits().max_concurrent_tail_requests;
        let count = app.tails.fetch_add(1, Ordering::Relaxed) + 1;
        let place = Place(app.clone());
        app.metrics.tails.add(1.0);
        if limit > 0 && count > limit {
            return Err(format!(
                "max concurrent tail requests limit exceeded, count > limit ({count} > {limit})"
            ));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.tails.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.tails.add(-1.0);
    }
}

async fn follow(app: Shared, request: Request, mut socket: WebSocket) {
    let (code, reason) = match Place::take(&app) {
        Err(reason) => (close_code::ERROR, reason),
        Ok(_place) => match run(&app, request, &mut socket).await {
            Ok(reason) => (close_code::NORMAL, reason),
            Err(e) => (close_code::ERROR, e.message),
        },
    };
    // A control frame holds at most 125 bytes, two of them the code.
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = Utf8Bytes::from(&reason[..end]);
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason }))).await;
}

/// Serves the tail until it ends; returns why.
async fn run(app: &Shared, request: Request, socket: &mut WebSocket) -> Result<String, ApiError> {
    let (queue, mut batches) = mpsc::channel(QUEUE_BATCHES_MAX);
    let losses = Arc::new(Losses::default());
    subscribe(app, request.expr.matchers.clone(), queue, losses.clone());
    let categorize = request.log.categorize;
    let mut live = Live::new(&request)?;
    let history = history(app, &request).await?;
    for stream in &history {
        live.remember(stream);
    }
    if !history.is_empty() && socket.send(frame(&history, &[], categorize)).await.is_err() {
        return Ok(String::new());
    }
    let ends = tokio::time::Instant::now() + app.active().config.querier.tail_max_duration.to_std();
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut held: VecDeque<(tokio::time::Instant, Vec<ResultStream>)> = VecDeque::new();
    loop {
        // With no delay a frame is due at once.
        let due = held.front().map(|(at, _)| *at);
        tokio::select! {
            () = app.host.shutdown.cancelled() => return Ok("the server is stopping".into()),
            () = tokio::time::sleep_until(ends) => return Ok(TAIL_TIME_IS_UP.into()),
            message = socket.recv() => match message {
                // Clients have nothing to say but goodbye.
                None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(String::new()),
                Some(Ok(_)) => {}
            },
            _ = ping.tick() => {
                if socket.send(Message::Ping(Default::default())).await.is_err() {
                    return Ok(String::new());
                }
            }
            () = async { tokio::time::sleep_until(due.unwrap_or(ends)).await }, if due.is_some() => {
                if let Some((_, streams)) = held.pop_front()
                    && socket.send(frame(&streams, &losses.take(), categorize)).await.is_err()
                {
                    return Ok(String::new());
                }
            }
            batch = batches.recv() => {
                let Some(batch) = batch else { return Ok("the store was closed".into()) };
                let streams = live.process(&batch);
                if !streams.is_empty() {
                    held.push_back((tokio::time::Instant::now() + request.delay, streams));
                }
            }
        }
    }
}

/// The newest entries before the tail began, oldest first as a terminal shows them.
async fn history(app: &Shared, request: &Request) -> Result<Vec<ResultStream>, ApiError> {
    let end = app.now().saturating_add(1);
    if request.start >= end {
        return Ok(Vec::new());
    }
    let (expr, log, start) = (Expr::Log(request.expr.clone()), request.log, request.start);
    let mut streams = app
        .query(move |app, context| {
            let querier = app.store.querier()?;
            let time = TimeParams::Range { start, end, step: 0 };
            match app.active().engine.query(querier.as_ref(), &expr, time, &log, context)?.data {
                QueryData::Streams(streams) => Ok(streams),
                _ => Ok(Vec::new()),
            }
        })
        .await?;
    for stream in &mut streams {
        stream.entries.reverse();
    }
    Ok(streams)
}

/// Puts every accepted batch that matches into `queue`, without ever waiting.
fn subscribe(app: &Shared, matchers: Vec<Matcher>, queue: mpsc::Sender<StreamBatch>, losses: Arc<Losses>) {
    app.store.subscribe(Box::new(move |batch| {
        if queue.is_closed() {
            return ControlFlow::Break(());
        }
        if Matcher::all_match(&matchers, &batch.labels)
            && let Err(mpsc::error::TrySendError::Full(batch)) = queue.try_send(batch.clone())
        {
            losses.note(&batch);
        }
        ControlFlow::Continue(())
    }));
}

/// What a slow client did not get.
#[derive(Default)]
struct Losses {
    entries: AtomicU64,
    streams: Mutex<Vec<(Labels, TimestampNs)>>,
}

impl Losses {
    fn note(&self, batch: &StreamBatch) {
        self.entries.fetch_add(batch.entries.len() as u64, Ordering::Relaxed);
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &batch.entries {
            if streams.len() >= DROPPED_STREAMS_MAX {
                break;
            }
            streams.push((batch.labels.clone(), entry.ts));
        }
    }

    fn take(&self) -> Vec<(Labels, TimestampNs)> {
        if self.entries.swap(0, Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        std::mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The pipeline over arriving entries.
struct Live {
    pipeline: Pipeline,
    categorize: bool,
    start: TimestampNs,
    /// Entries of the history, which may arrive once more in the moment of the change-over.
    sent: HashSet<(TimestampNs, String)>,
    sent_until: Instant,
}

impl Live {
    /// How long an entry of the history may still arrive as news.
    const CHANGE_OVER: Duration = Duration::from_secs(10);

    fn new(request: &Request) -> Result<Live, ApiError> {
        Ok(Live {
            pipeline: Pipeline::compile(&request.expr.stages)?,
            categorize: request.log.categorize,
            start: request.start,
            sent: HashSet::new(),
            sent_until: Instant::now() + Live::CHANGE_OVER,
        })
    }

    fn remember(&mut self, stream: &ResultStream) {
        self.sent.extend(stream.entries.iter().map(|e| (e.ts, e.line.clone())));
    }

    fn process(&mut self, batch: &StreamBatch) -> Vec<ResultStream> {
        if !self.sent.is_empty() && Instant::now() > self.sent_until {
            self.sent = HashSet::new();
        }
        let mut state = LabelState::new(&batch.labels);
        let mut streams: Vec<ResultStream> = Vec::new();
        for entry in batch.entries.iter().filter(|e| e.ts >= self.start) {
            let seen =
                EntryRef { ts: entry.ts, line: &entry.line, structured_metadata: &entry.structured_metadata };
            let Some(line) = self.pipeline.process(seen, &mut state) else { continue };
            let line = line.into_owned();
            if self.sent.contains(&(entry.ts, line.clone())) {
                continue;
            }
            let labels = if self.categorize { state.of(Category::Stream) } else { state.all() };
            let category = |c: Category| if self.categorize { state.of(c) } else { Labels::empty() };
            let result = ResultEntry {
                ts: entry.ts,
                line,
                structured_metadata: category(Category::Metadata),
                parsed: category(Category::Parsed),
            };
            match streams.iter_mut().find(|s| s.labels == labels) {
                Some(stream) => stream.entries.push(result),
                None => streams.push(ResultStream { labels, entries: vec![result] }),
            }
        }
        streams
    }
}

fn frame(streams: &[ResultStream], dropped: &[(Labels, TimestampNs)], categorize: bool) -> Message {
    let mut out = String::from("{\"streams\":[");
    for (i, stream) in streams.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        render::stream(&mut out, stream, categorize);
    }
    out.push(']');
    for (i, (labels, ts)) in dropped.iter().enumerate() {
        out.push_str(if i == 0 { ",\"dropped_entries\":[{\"labels\":" } else { ",{\"labels\":" });
        render::labels(&mut out, labels);
        out.push_str(&format!(",\"timestamp\":\"{ts}\"}}"));
    }
    if !dropped.is_empty() {
        out.push(']');
    }
    if categorize {
        out.push_str(",\"encodingFlags\":[\"categorize-labels\"]");
    }
    out.push('}');
    Message::Text(out.into())
}
