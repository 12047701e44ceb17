//! The whole engine against a Loki that a test controls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use wire::loki::PushLabels;

use crate::{Config, Metrics, Tailer};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Remembers each entry once, as Loki does, and answers as it is told.
struct Loki {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Stream, time, line.
    entries: BTreeSet<(String, i64, String)>,
    /// Statuses of the next answers; 0 closes the connection instead. Then 204.
    answers: Vec<u16>,
    pushes: usize,
    /// Called with each push before it is answered.
    hook: Option<Box<dyn FnMut() + Send>>,
}

impl Loki {
    fn start() -> Loki {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let to_thread = shared.clone();
        // Lives as long as the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = to_thread.clone();
                std::thread::spawn(move || while shared.answer(&stream).is_some() {});
            }
        });
        Loki { address, shared }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Lines in order of their times, once the condition holds.
    fn wait(&self, what: &str, condition: impl Fn(&State) -> bool) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        while !condition(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what}: {:?}", state.lines());
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        state.lines()
    }

    fn wait_for(&self, count: usize) -> Vec<String> {
        self.wait(&format!("{count} lines"), |state| state.entries.len() >= count)
    }
}

impl State {
    fn lines(&self) -> Vec<String> {
        let mut entries: Vec<_> = self.entries.iter().map(|(_, ts, line)| (*ts, line.clone())).collect();
        entries.sort();
        entries.into_iter().map(|(_, line)| line).collect()
    }
}

impl Shared {
    /// Answers one request of a connection.
    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while reader.read_line(&mut line).ok()? > 0 && line != "\r\n" {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            line.clear();
        }
        if line.is_empty() {
            return None;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let streams = wire::loki::decode_proto(&body, 64 << 20).unwrap();
        let mut state = self.state.lock().unwrap();
        if let Some(hook) = &mut state.hook {
            hook();
        }
        state.pushes += 1;
        let status = if state.answers.is_empty() { 204 } else { state.answers.remove(0) };
        if matches!(status, 0 | 204) {
            for stream in streams {
                let PushLabels::Text(labels) = stream.labels else { panic!("labels as text") };
                let entries = stream.entries.into_iter();
                state.entries.extend(entries.map(|entry| (labels.clone(), entry.ts, entry.line)));
            }
        }
        self.changed.notify_all();
        drop(state);
        if status == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return None;
        }
        let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        (&mut &*stream).write_all(text.as_bytes()).ok()
    }
}

struct World {
    dir: tempfile::TempDir,
    loki: Loki,
    extra: String,
    tailer: Option<Tailer>,
    metrics: Arc<Metrics>,
    registry: expfmt::Registry,
}

impl World {
    fn new(extra: &str) -> World {
        let registry = expfmt::Registry::new();
        let metrics = Arc::new(Metrics::new(&registry));
        let dir = tempfile::tempdir().unwrap();
        World { dir, loki: Loki::start(), extra: extra.into(), tailer: None, metrics, registry }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn start(&mut self) {
        let (dir, address, extra) = (self.dir.path().display(), self.loki.address, &self.extra);
        let text = format!(
            "positions: {{filename: {dir}/state/positions.yaml}}
clients:
- url: http://{address}/loki/api/v1/push
  batchwait: 20ms
  backoff_config: {{min_period: 10ms, max_period: 50ms}}
  external_labels: {{host: here}}
scrape_configs:
- job_name: test
  static_configs: [{{labels: {{job: t, __path__: '{dir}/*.log'}}}}]
{extra}"
        );
        let config = Config::parse("f", &text).unwrap();
        self.tailer = Some(Tailer::start(config, self.metrics.clone()).unwrap());
    }

    fn stop(&mut self) {
        self.tailer.take().unwrap().stop();
    }

    /// Positions by path, once the condition holds.
    fn wait_positions(&self, condition: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(self.path("state/positions.yaml")).unwrap_or_default();
            if condition(&text) {
                return;
            }
            assert!(Instant::now() < deadline, "{text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn lines_arrive_with_labels_and_positions_follow() {
    let mut world = World::new("");
    world.append("a.log", "one\ntwo\nthr");
    world.append("b.txt", "not followed\n");
    world.start();
    assert_eq!(world.loki.wait_for(2), ["one", "two"]);
    world.append("a.log", "ee\n");
    world.append("c.log", "four\n");
    world.loki.wait_for(4);
    let path = world.path("a.log").display().to_string();
    let expected = format!("{{filename=\"{path}\", host=\"here\", job=\"t\"}}");
    assert!(
        world.loki.state().entries.iter().any(|(labels, _, line)| *labels == expected && line == "three")
    );
    world.wait_positions(|text| text.contains("a.log: \"14\"") && text.contains("c.log: \"5\""));
    let status = world.tailer.as_ref().unwrap().status();
    assert!(status.ready());
    assert_eq!(status.targets[0].labels, BTreeMap::from([("job".to_string(), "t".to_string())]));
    world.stop();
    let mut text = String::new();
    expfmt::encode(&world.registry.gather(), expfmt::Format::negotiate(""), &mut text);
    let lines = format!("promtail_read_lines_total{{path=\"{path}\"}} 3");
    assert!(text.contains(&lines) && text.contains("promtail_files_active_total 2"), "{text}");
}

#[test]
fn rotation_and_restarts_lose_and_double_nothing() {
    let mut world = World::new("");
    let mut expected = Vec::new();
    let mut write = |world: &World, name: &str| {
        let line = format!("line {}", expected.len());
        world.append(name, &format!("{line}\n"));
        expected.push(line);
    };
    for round in 0..3 {
        write(&world, "a.log");
        world.start();
        // Nobody can follow a file that was renamed before it was ever seen.
        world.loki.wait_for(6 * round + 1);
        write(&world, "a.log");
        fs::rename(world.path("a.log"), world.path(&format!("a.{round}"))).unwrap();
        write(&world, &format!("a.{round}"));
        write(&world, "a.log");
        world.loki.wait_for(6 * round + 4);
        // A clean end at any moment, and a rotation while nobody looks.
        write(&world, "a.log");
        world.stop();
        write(&world, "a.log");
        fs::rename(world.path("a.log"), world.path(&format!("b.{round}"))).unwrap();
    }
    write(&world, "a.log");
    world.start();
    let mut found = world.loki.wait_for(expected.len());
    world.stop();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn nothing_is_lost_while_loki_is_away() {
    let mut world = World::new("");
    world.loki.state().answers = vec![503, 429, 0, 500, 500];
    let big = "x".repeat(1000);
    let lines: Vec<String> = (0..5000).map(|n| format!("{n:04} {big}")).collect();
    world.append("a.log", &(lines.join("\n") + "\n"));
    world.start();
    assert!(world.loki.wait_for(5000) == lines);
    assert!(world.loki.state().pushes >= 10);
    world.stop();
}

#[test]
fn what_loki_refuses_for_good_is_dropped_and_counted() {
    let mut world = World::new("");
    world.loki.state().answers = vec![400];
    world.append("a.log", "bad\n");
    world.start();
    world.wait_positions(|text| text.contains("a.log: \"4\""));
    world.append("a.log", "good\n");
    assert_eq!(world.loki.wait_for(1), ["good"]);
    world.stop();
    let host = world.loki.address.to_string();
    assert_eq!(world.metrics.dropped_entries.with(&[&host, "", "ingester_error"]).get(), 1);
}

/// The process dies after Loki took a push and before the positions were written.
#[test]
fn a_push_that_was_not_settled_is_repeated_as_it_was() {
    let mut world = World::new("");
    world.append("a.log", "one\none\ntwo\n");
    let (state, copy) = (world.path("state"), world.path("copy"));
    world.loki.state().hook = Some(Box::new(move || {
        let _ = fs::create_dir(&copy);
        for file in fs::read_dir(&state).unwrap().flatten() {
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
    }));
    world.start();
    let first = world.loki.wait_for(3);
    world.stop();
    world.loki.state().hook = None;
    assert_eq!(first, ["one", "one", "two"]);
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::rename(world.path("copy"), world.path("state")).unwrap();
    assert!(world.path("state/positions.yaml.pending").exists());
    world.append("a.log", "three\n");
    world.start();
    assert_eq!(world.loki.wait_for(4), ["one", "one", "two", "three"]);
    world.wait_positions(|text| text.contains("a.log: \"18\""));
    world.stop();
    assert_eq!(world.loki.state().entries.len(), 4);
}

#[test]
fn held_lines_are_read_again() {
    let mut world = World::new("  pipeline_stages: [{multiline: {firstline: '^-', max_wait_time: 1h}}]");
    world.append("a.log", "-1\na\n-2\nb\n");
    world.start();
    assert_eq!(world.loki.wait_for(1), ["-1\na"]);
    world.wait_positions(|text| text.contains("a.log: \"5\""));
    world.stop();
    world.append("a.log", "c\n-3\n");
    world.start();
    assert_eq!(world.loki.wait_for(2), ["-1\na", "-2\nb\nc"]);
    world.stop();
}

#[test]
fn deleted_files_are_forgotten() {
    let mut world = World::new("");
    world.append("a.log", "one\n");
    world.start();
    world.wait_positions(|text| text.contains("a.log"));
    fs::remove_file(world.path("a.log")).unwrap();
    world.wait_positions(|text| text == "positions: {}\n");
    world.append("a.log", "two\n");
    assert_eq!(world.loki.wait_for(2), ["one", "two"]);
    world.stop();
}
