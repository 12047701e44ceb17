//! Pushing: one batch at a time, again and again until Loki takes it or refuses it for good.

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Client;
use platform::Random;
use tokio::sync::mpsc::{Receiver, Sender};

use crate::batch::{Outgoing, Request};
use crate::config::ClientConfig;
use crate::metrics::Metrics;
use crate::stages::now_ns;

/// How much of an error answer is logged.
const ANSWER_BYTES_MAX: usize = 1024;

/// The same trouble with a client is logged at most this often: our own log may be among the sources.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// Loki may start later than we do.
const TRIES_UNTOLD: u32 = 4;

pub(crate) struct Destination {
    config: ClientConfig,
    client: Client,
    /// `host:port`, a label of the metrics.
    host: String,
    complained: Option<Instant>,
}

impl Destination {
    pub fn new(config: &ClientConfig) -> Result<Destination, String> {
        let url = config.url.trim();
        let parsed = reqwest::Url::parse(url).map_err(|e| format!("client url {url:?}: {e}"))?;
        let name = parsed.host_str().unwrap_or_default().to_string();
        let host = parsed.port().map_or(name.clone(), |port| format!("{name}:{port}"));
        let client = Client::new(&config.http, false)?;
        Ok(Destination { config: config.clone(), client, host, complained: None })
    }

    pub fn url(&self) -> &str {
        self.config.url.trim()
    }
}

/// Takes batches until the channel closes; answers each when all its requests are settled.
pub(crate) async fn run(
    mut destinations: Vec<Destination>,
    mut batches: Receiver<Outgoing>,
    settled: Sender<Outgoing>,
    metrics: Arc<Metrics>,
) {
    let mut random = Random::new(now_ns() as u64);
    while let Some(outgoing) = batches.recv().await {
        for request in &outgoing.requests {
            if let Some(destination) = destinations.iter_mut().find(|d| d.url() == request.url) {
                settle(destination, request, &metrics, &mut random).await;
            }
        }
        if settled.send(outgoing).await.is_err() {
            return;
        }
    }
}

/// What became of one try.
enum Answer {
    Accepted,
    /// Worth another try; what to say about it.
    Later(String, bool),
    /// Will never be accepted.
    Refused(String),
}

async fn settle(destination: &mut Destination, request: &Request, metrics: &Metrics, random: &mut Random) {
    let host = destination.host.clone();
    metrics.encoded_bytes.with(&[&host]).add(request.body.len() as u64);
    let backoff = destination.config.backoff_config;
    let (mut pause, pause_max) = (backoff.min_period.to_std(), backoff.max_period.to_std());
    let mut tries = 0u32;
    loop {
        tries = tries.saturating_add(1);
        match attempt(destination, request, metrics).await {
            Answer::Accepted => {
                metrics.sent_bytes.with(&[&host]).add(request.body.len() as u64);
                metrics.sent_entries.with(&[&host]).add(request.entries);
                if destination.complained.take().is_some() {
                    tracing::info!("{host} accepts log lines again");
                }
                return;
            }
            Answer::Refused(why) => {
                complain(destination, || format!("{host} refused log lines: {why}"));
                return give_up(&host, request, "ingester_error", metrics);
            }
            Answer::Later(why, limited) => {
                let drops = limited && destination.config.drop_rate_limited_batches;
                if drops || (backoff.max_retries > 0 && tries >= backoff.max_retries) {
                    complain(destination, || format!("giving up on log lines for {host}: {why}"));
                    return give_up(
                        &host,
                        request,
                        if limited { "rate_limited" } else { "ingester_error" },
                        metrics,
                    );
                }
                if tries >= TRIES_UNTOLD {
                    complain(destination, || {
                        format!("{host} does not take log lines, reading pauses: {why}")
                    });
                }
                metrics.retries.with(&[&host, &request.tenant]).inc();
                // Between half and all of the pause, so that many senders do not come back as one.
                let half = pause / 2;
                let spread = random.below(half.as_millis().max(1) as u64);
                tokio::time::sleep(half + Duration::from_millis(spread)).await;
                pause = (pause * 2).min(pause_max);
            }
        }
    }
}

async fn attempt(destination: &Destination, request: &Request, metrics: &Metrics) -> Answer {
    let started = Instant::now();
    let answer = push(destination, request).await;
    let status = match &answer {
        Ok((status, _)) => status.as_u16().to_string(),
        Err(_) => "-1".into(),
    };
    let seconds = started.elapsed().as_secs_f64();
    metrics.request_seconds.with(&[&status, &destination.host]).observe(seconds);
    match answer {
        Ok((status, _)) if status.is_success() => Answer::Accepted,
        Ok((status, text)) => {
            let limited = status == reqwest::StatusCode::TOO_MANY_REQUESTS;
            let why = format!("server returned HTTP status {status}: {text}");
            if limited || status.is_server_error() {
                Answer::Later(why, limited)
            } else {
                Answer::Refused(why)
            }
        }
        Err(why) => Answer::Later(why, false),
    }
}

async fn push(destination: &Destination, request: &Request) -> Result<(reqwest::StatusCode, String), String> {
    let config = &destination.config;
    destination.client.ready().await?;
    let mut builder = destination.client.request(reqwest::Method::POST, &request.url)?;
    for (name, value) in &config.headers {
        builder = builder.header(name, value);
    }
    if !request.tenant.is_empty() {
        builder = builder.header("X-Scope-OrgID", &request.tenant);
    }
    let builder = builder
        .header("Content-Type", "application/x-protobuf")
        .header("User-Agent", concat!("promtail/", env!("CARGO_PKG_VERSION")))
        .timeout(config.timeout.to_std())
        .body(request.body.clone());
    let answer = builder.send().await.map_err(|e| client::explain(&e))?;
    let status = answer.status();
    if status.is_success() {
        return Ok((status, String::new()));
    }
    let mut text = answer.text().await.unwrap_or_default();
    crate::source::truncate(&mut text, ANSWER_BYTES_MAX);
    Ok((status, text.trim().to_string()))
}

fn complain(destination: &mut Destination, what: impl FnOnce() -> String) {
    if destination.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL) {
        destination.complained = Some(Instant::now());
        tracing::warn!("{}", what());
    }
}

fn give_up(host: &str, request: &Request, reason: &str, metrics: &Metrics) {
    let labels = [host, request.tenant.as_str(), reason];
    metrics.dropped_entries.with(&labels).add(request.entries);
    metrics.dropped_bytes.with(&labels).add(request.bytes);
}
