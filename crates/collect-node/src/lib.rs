//! Host metrics with node_exporter's names, types, help texts, labels and values.
//!
//! One collector per file in `collectors`; each reads a handful of kernel files below the configured
//! `/proc`, `/sys` and `/` and writes samples into a [`Sink`](sink::Sink). A scrape is a plain blocking
//! function call: [`NodeCollector::collect`] runs the chosen collectors one after the other, reusing one
//! read buffer, and reports for each how long it took and whether it succeeded. The caller decides on
//! which thread that happens.
//!
//! A collector that finds nothing on this host (no PSI, no conntrack) or cannot read its files reports
//! `node_scrape_collector_success 0` and never stops the others.
//!
//! Invariant: file content never panics; a number that does not parse is an error of that collector.

mod collectors;
mod failure;
mod filter;
mod read;
mod settings;
mod sink;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use expfmt::{Family, LabelPairs};

pub use collectors::{Collector, ORIGINAL_ONLY, TABLE};
pub use filter::DeviceFilter;
pub use settings::{Paths, Settings, SettingsError, defaults};

use collectors::State;
pub use sink::Sink;

/// The enabled collectors and what they remember between scrapes.
pub struct NodeCollector {
    settings: Settings,
    enabled: Vec<&'static Collector>,
    state: State,
    /// Read buffers of finished scrapes, so that the next one does not grow its own.
    buffers: Mutex<Vec<Vec<u8>>>,
    /// Collectors whose last failure was logged: each failure is told once, not at every scrape.
    told: Mutex<BTreeMap<&'static str, String>>,
}

/// At most this many idle read buffers are kept.
const BUFFERS_MAX: usize = 4;

/// Which collectors a request asks for with `collect[]` or `exclude[]`.
pub struct Selection(Vec<&'static Collector>);

impl NodeCollector {
    pub fn new(settings: Settings) -> NodeCollector {
        let enabled = TABLE.iter().filter(|c| settings.enabled.contains(c.name)).collect();
        NodeCollector {
            settings,
            enabled,
            state: State::default(),
            buffers: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Names of the enabled collectors, sorted.
    pub fn enabled(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.enabled.iter().map(|c| c.name)
    }

    /// All enabled collectors.
    pub fn all(&self) -> Selection {
        Selection(self.enabled.clone())
    }

    /// The collectors a request names; the error is the original's text.
    pub fn select(&self, collect: &[&str], exclude: &[&str]) -> Result<Selection, String> {
        if !collect.is_empty() && !exclude.is_empty() {
            return Err("Combined collect and exclude queries are not allowed.".into());
        }
        if collect.is_empty() {
            return Ok(Selection(
                self.enabled.iter().filter(|c| !exclude.contains(&c.name)).copied().collect(),
            ));
        }
        let mut chosen: Vec<&'static Collector> = Vec::with_capacity(collect.len());
        for name in collect {
            let refuse = |why: &str| {
                format!(
                    "Couldn't create filtered metrics handler: couldn't create collector: {why} collector: {name}"
                )
            };
            let known = TABLE.iter().any(|c| c.name == *name) || ORIGINAL_ONLY.contains(name);
            let collector = self.enabled.iter().find(|c| c.name == *name);
            let collector = collector.ok_or_else(|| refuse(if known { "disabled" } else { "missing" }))?;
            if !chosen.iter().any(|c| c.name == *name) {
                chosen.push(collector);
            }
        }
        Ok(Selection(chosen))
    }

    /// Runs the selected collectors. Families come sorted by name, their samples by label values.
    pub fn collect(&self, selection: &Selection) -> Vec<Family<LabelPairs>> {
        let mut sink = Sink::with_capacity(512);
        let mut buffer = lock(&self.buffers).pop().unwrap_or_default();
        for collector in &selection.0 {
            let began = Instant::now();
            let mut scrape = collectors::Scrape {
                settings: &self.settings,
                state: &self.state,
                reader: read::Reader::new(&mut buffer),
                out: &mut sink,
            };
            let outcome = (collector.update)(&mut scrape);
            let seconds = began.elapsed().as_secs_f64();
            let labels = [("collector", collector.name)];
            sink.gauge(
                "node_scrape_collector_duration_seconds",
                "node_exporter: Duration of a collector scrape.",
                &labels,
                seconds,
            );
            sink.gauge(
                "node_scrape_collector_success",
                "node_exporter: Whether a collector succeeded.",
                &labels,
                f64::from(u8::from(outcome.is_ok())),
            );
            self.tell(collector.name, outcome.err());
        }
        let mut buffers = lock(&self.buffers);
        if buffers.len() < BUFFERS_MAX {
            buffers.push(buffer);
        }
        drop(buffers);
        sink.finish()
    }

    /// Logs a failure when it is new, and its end.
    fn tell(&self, name: &'static str, failure: Option<failure::Failure>) {
        let mut told = lock(&self.told);
        match failure {
            None => {
                if told.remove(name).is_some() {
                    tracing::info!(service = "node-exporter", collector = name, "collector succeeds again");
                }
            }
            Some(failure) => {
                let text = failure.to_string();
                if told.get(name) == Some(&text) {
                    return;
                }
                match failure {
                    failure::Failure::NoData(_) => {
                        tracing::debug!(
                            service = "node-exporter",
                            collector = name,
                            "collector has no data: {text}"
                        );
                    }
                    failure::Failure::Broken(_) => {
                        tracing::warn!(
                            service = "node-exporter",
                            collector = name,
                            "collector failed: {text}"
                        );
                    }
                }
                told.insert(name, text);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
