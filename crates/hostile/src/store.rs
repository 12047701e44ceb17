//! A metrics store that wakes up on files somebody has been at.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use model::{Labels, Matcher, Value};
use platform::{Clock, Disk, SimDisk, SystemClock};
use storage::MetricsStore;
use storage::metrics::SampleColumns;
use store_metrics::{Settings, Store};

const DIR: &str = "/store";
const SERIES: usize = 7;
const SAMPLES: i64 = 40;

type Files = Vec<(std::path::PathBuf, Vec<u8>)>;

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn settings() -> Settings {
    Settings { background: false, ..Settings::default() }
}

/// The files of a small healthy store: a part and a log.
fn healthy() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let disk = SimDisk::new();
        let store = Store::open_on(Arc::new(disk.clone()), Path::new(DIR), settings(), clock())
            .expect("a new store opens");
        for round in 0..2 {
            let mut appender = store.appender();
            for s in 0..SERIES {
                let labels = Labels::from_pairs([
                    ("__name__", "hostile"),
                    ("s", ["a", "b", "c", "d", "e", "f", "g"][s]),
                ]);
                for t in 0..SAMPLES {
                    let value = Value::Float((t * s as i64) as f64 / 8.0);
                    let _ = appender.append(None, &labels, (round * SAMPLES + t) * 15_000, value);
                }
            }
            appender.commit().expect("a healthy disk takes a batch");
            if round == 0 {
                store.flush().expect("a healthy disk takes a flush");
            }
        }
        store.close().expect("closing");
        drop(store);
        let read = |path: std::path::PathBuf| disk.read(&path).ok().map(|bytes| (path, bytes));
        disk.files().into_iter().filter_map(read).collect()
    })
}

/// Every four bytes of the input are one wound: which file, where (two bytes), and what is put there.
/// A wound in the last byte of the range cuts the file there instead.
pub fn store_files(data: &[u8]) {
    let mut files = healthy().clone();
    for wound in data.chunks_exact(4).take(64) {
        let n = files.len();
        let (_, bytes) = &mut files[usize::from(wound[0]) % n];
        if bytes.is_empty() {
            continue;
        }
        let at = usize::from(u16::from_le_bytes([wound[1], wound[2]])) % bytes.len();
        match wound[0] {
            255 => bytes.truncate(at),
            _ => bytes[at] ^= wound[3],
        }
    }
    let disk = SimDisk::new();
    for (path, bytes) in &files {
        let parent = path.parent().expect("files lie in folders");
        disk.create_dir_all(parent).expect("a folder");
        let file = disk.create(path).expect("a file");
        file.append(bytes).expect("its bytes");
    }
    let Ok(store) = Store::open_on(Arc::new(disk), Path::new(DIR), settings(), clock()) else { return };
    let Ok(querier) = store.querier(i64::MIN, i64::MAX) else { return };
    let matcher = Matcher::equal("__name__", "hostile");
    let Ok(series) = querier.select(&[matcher]) else { return };
    let mut columns = SampleColumns::default();
    for handle in series {
        if querier.read(&handle, i64::MIN, i64::MAX, &mut columns).is_ok() {
            assert!(columns.float_times.is_sorted(), "samples in time order");
        }
    }
    let _ = store.flush();
    let _ = store.merge();
    let _ = store.close();
}
