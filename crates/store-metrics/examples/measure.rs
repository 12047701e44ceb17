//! What a store of many series costs: memory, log, disk and time.
//!
//! `cargo run --release -p store-metrics --example measure -- [series] [scrapes]`
//!
//! The series imitate a node_exporter: 1000 per target, two thirds constant, the rest counters and gauges
//! with a few digits, scraped every 15 seconds with a few milliseconds of jitter per target.

use std::sync::Arc;
use std::time::Instant;

use model::{Labels, Matcher, Value};
use platform::SystemClock;
use storage::metrics::{SampleColumns, SeriesRef};
use storage::{MetricsStore, StoreError};
use store_metrics::{Settings, Store};

const PER_TARGET: usize = 1_000;
const INTERVAL_MS: i64 = 15_000;
const START: i64 = 1_700_000_000_000 / 7_200_000 * 7_200_000;

fn main() -> Result<(), StoreError> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>());
    let series = args.next().and_then(Result::ok).unwrap_or(100_000);
    let scrapes = args.next().and_then(Result::ok).unwrap_or(480);
    let dir = std::env::temp_dir().join(format!("store-metrics-measure-{}", std::process::id()));
    let result = measure(&dir, series, scrapes);
    let _ = std::fs::remove_dir_all(&dir);
    result
}

fn measure(dir: &std::path::Path, series: usize, scrapes: usize) -> Result<(), StoreError> {
    let settings = Settings { background: false, ..Settings::default() };
    let store = Store::open(dir, settings.clone(), Arc::new(SystemClock::new()))?;
    let all: Vec<Labels> = (0..series).map(labels).collect();
    let label_bytes: usize = all.iter().map(|l| l.as_packed().len() + 16).sum();
    let samples = (series * scrapes) as f64;

    let before = resident_bytes();
    let started = Instant::now();
    let mut refs: Vec<Option<SeriesRef>> = vec![None; series];
    scrape(&store, &all, &mut refs, 0)?;
    let grown = resident_bytes().saturating_sub(before);
    println!("{series} series created in {:?}", started.elapsed());
    println!(
        "  memory per series {} B, shared labels not counted ({} B)",
        grown / series,
        label_bytes / series
    );

    let started = Instant::now();
    for round in 1..scrapes {
        scrape(&store, &all, &mut refs, round)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let metrics = store.kernel_metrics();
    let log = metrics.wal_bytes.load(std::sync::atomic::Ordering::Relaxed) as f64;
    println!("{samples} samples at {:.2} million a second", samples / seconds / 1e6);
    println!("  log {:.2} B a sample, definitions included", log / samples);
    let grown = resident_bytes().saturating_sub(before);
    println!("  memory per series {} B, {:.2} B a sample", grown / series, grown as f64 / samples);

    read(&store, "head")?;
    drop(store);
    let started = Instant::now();
    let store = Store::open(dir, settings, Arc::new(SystemClock::new()))?;
    println!("replayed in {:?}", started.elapsed());
    let started = Instant::now();
    store.flush()?;
    let disk: u64 = store.parts().iter().map(|part| part.bytes).sum();
    println!("flushed in {:?}, {:.2} B a sample", started.elapsed(), disk as f64 / samples);
    read(&store, "part")?;
    read(&store, "part again")?;
    println!("resident in the end {} MiB", resident_bytes() >> 20);
    Ok(())
}

fn labels(i: usize) -> Labels {
    let (target, metric) = (i / PER_TARGET, i % PER_TARGET);
    Labels::from_pairs([
        ("__name__", format!("node_something_{:03}_seconds_total", metric / 4)),
        ("cpu", format!("{}", metric % 4)),
        ("instance", format!("host-{target:04}.example.com:9100")),
        ("job", "node".to_owned()),
        ("mode", format!("mode-{}", metric % 4)),
    ])
}

fn value(i: usize, round: usize) -> f64 {
    // A small hash: noise that repeats would flatter the compression.
    let mut noise = (i as u64) << 32 | round as u64;
    for _ in 0..3 {
        noise = (noise ^ noise >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    let noise = (noise >> 40) as usize % 97;
    match i % 9 {
        0 => (round * 1_500 + noise) as f64,
        // Whole hundredths, as CPU seconds are.
        1 => (round * 1_500 + noise) as f64 / 100.0,
        2 => 1e9 + (noise * 4_096) as f64,
        _ => (i % 1_000) as f64,
    }
}

fn scrape(
    store: &Store,
    all: &[Labels],
    refs: &mut [Option<SeriesRef>],
    round: usize,
) -> Result<(), StoreError> {
    for (target, (labels, refs)) in all.chunks(PER_TARGET).zip(refs.chunks_mut(PER_TARGET)).enumerate() {
        let jitter = (target * 31 + round * 17) % 7;
        let t = START + round as i64 * INTERVAL_MS + jitter as i64;
        let mut appender = store.appender();
        for (i, (labels, reference)) in labels.iter().zip(refs).enumerate() {
            let value = Value::Float(value(target * PER_TARGET + i, round));
            *reference = Some(appender.append(*reference, labels, t, value)?);
        }
        appender.commit()?;
    }
    Ok(())
}

fn read(store: &Store, from: &str) -> Result<(), StoreError> {
    for (what, matchers) in [
        ("one metric", vec![Matcher::equal("__name__", "node_something_007_seconds_total")]),
        ("everything", vec![]),
    ] {
        let querier = store.querier(i64::MIN, i64::MAX)?;
        let started = Instant::now();
        let handles = querier.select(&matchers)?;
        let selected = started.elapsed();
        let (mut columns, mut samples) = (SampleColumns::default(), 0);
        let started = Instant::now();
        for handle in &handles {
            querier.read(handle, i64::MIN, i64::MAX, &mut columns)?;
            samples += columns.len();
        }
        let read = started.elapsed();
        println!("{from}: {what}: {} series in {selected:?}, {samples} samples in {read:?}", handles.len());
    }
    Ok(())
}

/// Resident memory; zero where the system does not tell.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok())
        .map_or(0, |pages| pages * 4096)
}
