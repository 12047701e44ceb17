//! Who is asking: session cookie or basic auth; login with a rate limit; protection against forged requests.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use ring::digest;

use crate::api::Api;
use crate::error::ApiError;
use crate::state::{User, verify_password};

pub const COOKIE: &str = "grafana_session";

/// Grafana's defaults: 7 days without use, 30 days in all.
pub const IDLE_MS_MAX: i64 = 7 * 86_400_000;
pub const AGE_MS_MAX: i64 = 30 * 86_400_000;

/// Failed logins per user and address before a pause, and how long they count.
const ATTEMPTS_MAX: usize = 5;
const ATTEMPTS_WINDOW: Duration = Duration::from_secs(5 * 60);
/// Keys the limiter remembers; more would be an attack on memory.
const ATTEMPT_KEYS_MAX: usize = 10_000;

/// Paths that anybody may ask for: pages and assets show nothing without the API.
const PUBLIC: &[&str] =
    &["/api/health", "/healthz", "/metrics", "/login", "/api/login/ping", "/logout", "/robots.txt"];

/// Puts the [`User`] into the request, or answers 401. Refuses state changes from other origins.
pub async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && !is_same_origin(request.headers()) {
        return (StatusCode::FORBIDDEN, "origin not allowed").into_response();
    }
    if PUBLIC.contains(&path) || !path.starts_with("/api/") {
        return next.run(request).await;
    }
    let peer = peer_of(&request);
    match authenticate(&api, request.headers(), peer).await {
        Ok(Some(user)) => {
            request.extensions_mut().insert(Arc::new(user));
            next.run(request).await
        }
        Ok(None) => ApiError::unauthorized().into_response(),
        Err(e) => e.into_response(),
    }
}

pub fn peer_of(request: &Request) -> IpAddr {
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::from([127, 0, 0, 1]), |ConnectInfo(address)| address.ip())
}

async fn authenticate(api: &Api, headers: &HeaderMap, peer: IpAddr) -> Result<Option<User>, ApiError> {
    if let Some(token) = session_token(headers) {
        let hash = token_hash(&token);
        let db = api.db.clone();
        let user = api.pool.run(move || db.user_by_session(&hash, IDLE_MS_MAX, AGE_MS_MAX)).await??;
        if user.is_some() {
            return Ok(user);
        }
    }
    match basic_credentials(headers) {
        Some((login, password)) => check_password(api, &login, &password, peer).await.map(Some),
        None => Ok(None),
    }
}

/// Checks a password under the rate limit. Error texts are Grafana's.
pub async fn check_password(api: &Api, login: &str, password: &str, peer: IpAddr) -> Result<User, ApiError> {
    let key = (login.to_ascii_lowercase(), peer);
    let invalid = || ApiError::new(StatusCode::UNAUTHORIZED, "Invalid username or password");
    // The same answer as for a wrong password: an attacker learns nothing from the limit.
    if api.attempts.is_blocked(&key) {
        return Err(invalid());
    }
    if api.verified.knows(login, password) {
        let (db, login) = (api.db.clone(), login.to_owned());
        if let Some(user) = api.pool.run(move || db.user_by_login(&login)).await?? {
            return Ok(user);
        }
    }
    let (db, name, given) = (api.db.clone(), login.to_owned(), password.to_owned());
    let user = api
        .pool
        .run(move || -> Result<Option<User>, rusqlite::Error> {
            let user = db.user_by_login(&name)?;
            Ok(user.filter(|u| verify_password(&given, &u.password_hash)))
        })
        .await??;
    match user {
        Some(user) => {
            api.attempts.forget(&key);
            api.verified.remember(login, password);
            Ok(user)
        }
        None => {
            api.attempts.note(key);
            Err(invalid())
        }
    }
}

pub fn session_token(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}

pub fn token_hash(token: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, token.as_bytes()).as_ref().to_vec()
}

fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let (login, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((login.to_owned(), password.to_owned()))
}

/// Browsers name the page a request comes from; it must be ours.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|v: &header::HeaderValue| v.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return true };
    let host = text(header::HOST).unwrap_or("");
    origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

type Key = (String, IpAddr);

/// Counts failed logins.
#[derive(Default)]
pub struct Attempts {
    failures: Mutex<HashMap<Key, Vec<Instant>>>,
}

impl Attempts {
    fn is_blocked(&self, key: &Key) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: &&Instant| at.elapsed() < ATTEMPTS_WINDOW;
        failures.get(key).is_some_and(|all| all.iter().filter(recent).count() >= ATTEMPTS_MAX)
    }

    fn note(&self, key: Key) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ATTEMPT_KEYS_MAX {
            failures.retain(|_, all| all.iter().any(|at| at.elapsed() < ATTEMPTS_WINDOW));
            // Those who are blocked stay so: a flood of made-up logins must not set them free.
            if failures.len() >= ATTEMPT_KEYS_MAX {
                failures.retain(|_, all| all.len() >= ATTEMPTS_MAX);
            }
            if failures.len() >= ATTEMPT_KEYS_MAX {
                failures.clear();
            }
        }
        let all = failures.entry(key).or_default();
        all.retain(|at| at.elapsed() < ATTEMPTS_WINDOW);
        all.push(Instant::now());
    }

    fn forget(&self, key: &Key) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Credentials that were right a moment ago, by hash: API clients send basic auth with every request, and
/// hashing for each would cost 20 ms and 19 MiB.
#[derive(Default)]
pub struct Verified {
    good: Mutex<HashMap<Vec<u8>, Instant>>,
}

const VERIFIED_FOR: Duration = Duration::from_secs(60);
const VERIFIED_MAX: usize = 1_000;

impl Verified {
    fn knows(&self, login: &str, password: &str) -> bool {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.get(&Self::key(login, password)).is_some_and(|at| at.elapsed() < VERIFIED_FOR)
    }

    fn remember(&self, login: &str, password: &str) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= VERIFIED_MAX {
            good.clear();
        }
        good.insert(Self::key(login, password), Instant::now());
    }

    /// After a password change nothing remembered counts any more.
    pub fn clear(&self) {
        self.good.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn key(login: &str, password: &str) -> Vec<u8> {
        token_hash(&format!("{}:{login}:{password}", login.len()))
    }
}
