//! The whole API in one process without a network, for those who feed it requests that nobody meant.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use alerting::{Alertmanager, Limits, MatcherMode, Options};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use front::Host;
use platform::{SimDisk, SystemClock};
use tower::ServiceExt;

use crate::config;
use crate::gate::Gate;
use crate::routes::router;
use crate::state::{Api, Shown};

/// Nobody is told anything: what is asked here is how requests are read.
const CONFIG: &str = "route: {receiver: nobody, group_by: [alertname]}\nreceivers: [{name: nobody}]\n";

/// Answers larger than this would be a mistake, with as few alerts and silences as there may be.
const ANSWER_BYTES_MAX: usize = 64 << 20;

struct Stage {
    runtime: tokio::runtime::Runtime,
    router: Router,
}

thread_local! {
    static STAGE: Stage = Stage::new();
}

/// Makes one request: `METHOD PATH?QUERY`, a line break, and the body, which is called JSON. It must be answered,
/// and never with the confession that something went wrong here.
pub fn request(data: &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (head, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let Some((method, target)) = std::str::from_utf8(head).ok().and_then(|head| head.split_once(' ')) else {
        return;
    };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("Content-Type", "application/json")
        .body(Body::from(body.to_vec()));
    let Ok(request) = request else { return };
    STAGE.with(|stage| {
        stage.runtime.block_on(async {
            let Ok(answer) = stage.router.clone().oneshot(request).await;
            assert_ne!(answer.status().as_u16(), 500, "{target:?}");
            let read = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
            assert!(read.is_ok(), "{target:?}");
        });
    });
}

impl Stage {
    fn new() -> Stage {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // A machine that cannot make a runtime cannot test anything.
        let runtime = runtime.unwrap_or_else(|e| panic!("no runtime: {e}"));
        let router = runtime.block_on(async {
            let host = Host::detached();
            let limits = Limits { alerts: 500, silences: 500, silence_bytes: 64 << 10, ..Limits::default() };
            let options = Options { limits, ..Options::default() };
            let clock = Arc::new(SystemClock::new());
            let disk = Arc::new(SimDisk::new());
            let manager = Alertmanager::open(options, disk, clock.clone(), &host.registry);
            let manager = manager.unwrap_or_else(|e| panic!("no Alertmanager: {e}"));
            let mode = MatcherMode::default();
            let loaded =
                config::parse("alertmanager.yml", CONFIG, Path::new("/"), "http://localhost", mode, clock);
            let loaded = loaded.unwrap_or_else(|e| panic!("{e}"));
            let shown = Arc::new(RwLock::new(Shown::default()));
            *shown.write().unwrap_or_else(PoisonError::into_inner) = Shown::of(&loaded);
            manager.apply(loaded.settings);
            let api = Api {
                manager,
                shown,
                reload: Arc::new(|| Box::pin(async { Ok(()) })),
                mode,
                cluster: None,
                gate: Gate::new(0, None, &host.registry),
                host,
            };
            router(api, "", "")
        });
        Stage { runtime, router }
    }
}
