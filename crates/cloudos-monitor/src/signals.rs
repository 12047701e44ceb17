//! Signals: SIGTERM and SIGINT end the process, SIGHUP reloads every service's configuration.

use front::Running;
use tokio::signal::unix::{SignalKind, signal};

/// Waits until the process is told to end, reloading on the way.
pub async fn until_end(services: &[Running], shutdown: &front::CancellationToken) -> Result<(), String> {
    let listen = |kind| signal(kind).map_err(|e| format!("cannot listen for signals: {e}"));
    let (mut term, mut interrupt, mut hangup) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = interrupt.recv() => break,
            () = shutdown.cancelled() => break,
            _ = hangup.recv() => {
                for service in services {
                    match service.reload().await {
                        Ok(()) => tracing::info!(service = service.name, "configuration reloaded"),
                        Err(e) => tracing::error!(
                            service = service.name,
                            "configuration refused, the running one stays: {e}"
                        ),
                    }
                }
            }
        }
    }
    Ok(())
}
