//! Long-running loops that must not die: a panic is caught, logged, counted, and the loop starts again.

use std::future::Future;
use std::time::{Duration, Instant};

use expfmt::Registry;
use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// First pause before a restart; doubles up to [`PAUSE_MAX`], and is short again after a run that lasted
/// longer than that.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Runs `make()` to its end, again after each panic, until it returns by itself or `shutdown` is
/// cancelled.
pub fn supervise<F>(
    service: &'static str,
    what: &'static str,
    registry: &Registry,
    shutdown: CancellationToken,
    mut make: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let restarts = registry
        .counter_vec("cloudos_monitor_restarts_total", "Restarts of a loop after a panic.", &["loop"])
        .with(&[what]);
    tokio::spawn(async move {
        let mut pause = PAUSE_MIN;
        loop {
            let began = Instant::now();
            if std::panic::AssertUnwindSafe(make()).catch_unwind().await.is_ok() || shutdown.is_cancelled() {
                return;
            }
            restarts.inc();
            if began.elapsed() > PAUSE_MAX {
                pause = PAUSE_MIN;
            }
            tracing::error!(service, what, "panicked; starting again in {} ms", pause.as_millis());
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            }
        }
    })
}
