//! The systemd journal, through `journalctl`: a child that is started again when it ends.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{LabelsBuilder, TimestampNs};
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use crate::config::{JournalConfig, ScrapeConfig};
use crate::targets::public;

/// An entry with all its fields; larger ones are passed over.
const ENTRY_BYTES_MAX: u64 = 4 << 20;

/// Pause before `journalctl` is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

/// Priorities by number.
const PRIORITIES: [&str; 8] = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];

/// An entry as it comes from the journal.
pub(crate) struct JournalLine {
    /// Number of the scrape configuration.
    pub scrape: usize,
    pub cursor: String,
    pub ts: TimestampNs,
    /// `None` when relabelling or emptiness drops it; the cursor counts all the same.
    pub entry: Option<(String, BTreeMap<String, String>)>,
}

/// A running `journalctl`.
pub(crate) struct Journal {
    child: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    cursor: Option<String>,
    stopped: bool,
}

/// Cursors of lines that are on their way, by the number that stands for an offset.
#[derive(Default)]
pub(crate) struct Cursors {
    next: u64,
    known: VecDeque<(u64, String)>,
}

impl Cursors {
    pub fn add(&mut self, cursor: String) -> u64 {
        let number = self.next;
        self.next += 1;
        self.known.push_back((number, cursor));
        number
    }

    /// The last cursor before what is held; earlier ones are forgotten.
    pub fn before(&mut self, held: Option<u64>) -> Option<&str> {
        let end = held.unwrap_or(u64::MAX);
        while self.known.len() > 1 && self.known.get(1).is_some_and(|(number, _)| *number < end) {
            self.known.pop_front();
        }
        self.known.front().filter(|(number, _)| *number < end).map(|(_, cursor)| cursor.as_str())
    }
}

impl Journal {
    /// `None` when there is no `journalctl` on this machine.
    pub fn start(
        scrape: usize,
        config: &ScrapeConfig,
        cursor: Option<String>,
        lines: Sender<JournalLine>,
    ) -> Option<Journal> {
        let journal = config.journal.clone()?;
        let found =
            Command::new("journalctl").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            tracing::info!(
                job = config.job_name,
                "no journalctl on this machine: the journal is not followed"
            );
            return None;
        }
        let state = Arc::new(Mutex::new(State { cursor, ..State::default() }));
        let (shared, config) = (state.clone(), config.clone());
        let body = move || {
            while follow(scrape, &config, &journal, &shared, &lines) {
                std::thread::park_timeout(RESTART_PAUSE);
            }
        };
        std::thread::Builder::new().name("journal".into()).spawn(body).ok()?;
        Some(Journal { child: state })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let mut state = lock(&self.child);
        state.stopped = true;
        if let Some(child) = &mut state.child {
            // It may have ended by itself.
            let _ = child.kill();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn command(config: &JournalConfig, cursor: Option<&str>) -> Command {
    let mut command = Command::new("journalctl");
    command.args(["--output=json", "--follow", "--no-tail", "--all", "--quiet", "--no-pager"]);
    match cursor {
        Some(cursor) => command.arg(format!("--after-cursor={cursor}")),
        None => command.arg(format!("--since=-{}s", config.max_age.as_ms() / 1000)),
    };
    if !config.path.is_empty() {
        command.arg(format!("--directory={}", config.path));
    }
    command.args(config.matches.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Runs one child to its end; false when nobody wants to hear of the journal any more.
fn follow(
    scrape: usize,
    config: &ScrapeConfig,
    journal: &JournalConfig,
    shared: &Mutex<State>,
    lines: &Sender<JournalLine>,
) -> bool {
    let stdout = {
        let mut state = lock(shared);
        if state.stopped {
            return false;
        }
        match command(journal, state.cursor.as_deref()).spawn() {
            Ok(mut child) => {
                let stdout = child.stdout.take();
                state.child = Some(child);
                stdout
            }
            Err(error) => {
                tracing::warn!(job = config.job_name, "starting journalctl: {error}");
                None
            }
        }
    };
    let Some(stdout) = stdout else { return true };
    let mut reader = BufReader::new(stdout);
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = reader.by_ref().take(ENTRY_BYTES_MAX).read_until(b'\n', &mut text);
        if !read.is_ok_and(|read| read > 0) {
            break;
        }
        let Ok(Value::Object(fields)) = serde_json::from_slice(&text) else { continue };
        let Some(line) = journal_line(scrape, config, journal, &fields) else { continue };
        let cursor = line.cursor.clone();
        if lines.blocking_send(line).is_err() {
            break;
        }
        lock(shared).cursor = Some(cursor);
    }
    let child = lock(shared).child.take();
    if let Some(mut child) = child {
        let _ = child.kill();
        // Without this it would stay behind as a zombie.
        let _ = child.wait();
    }
    !lock(shared).stopped && !lines.is_closed()
}

fn journal_line(
    scrape: usize,
    config: &ScrapeConfig,
    journal: &JournalConfig,
    fields: &serde_json::Map<String, Value>,
) -> Option<JournalLine> {
    let cursor = field(fields, "__CURSOR")?;
    let micros: i64 = field(fields, "__REALTIME_TIMESTAMP")?.parse().ok()?;
    let mut labels = LabelsBuilder::default();
    for (name, value) in &journal.labels {
        labels.set(name.as_str(), value.as_str());
    }
    for name in fields.keys() {
        let value = field(fields, name).unwrap_or_default();
        let label = format!("__journal_{}", name.to_lowercase());
        if name == "PRIORITY"
            && let Some(word) = value.parse().ok().and_then(|number: usize| PRIORITIES.get(number))
        {
            labels.set("__journal_priority_keyword", *word);
        }
        labels.set(label, value);
    }
    let line = match journal.json {
        true => serde_json::to_string(fields).ok(),
        false => field(fields, "MESSAGE").filter(|message| !message.is_empty()),
    };
    let labels = relabel::process(labels, &config.relabel_configs).map(|labels| public(&labels));
    let entry = line.zip(labels.filter(|labels| !labels.is_empty()));
    Some(JournalLine { scrape, cursor, ts: micros.saturating_mul(1000), entry })
}

/// Texts are texts; what is not UTF-8 comes as a list of bytes; repeated fields come as a list of texts.
fn field(fields: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            let bytes: Vec<u8> = items.iter().filter_map(Value::as_u64).map(|byte| byte as u8).collect();
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Array(items) => items.iter().rev().find_map(|item| item.as_str().map(str::to_string)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_lines() {
        let text = "
scrape_configs:
- job_name: j
  journal: {labels: {job: journal}}
  relabel_configs:
  - {source_labels: [__journal__systemd_unit], target_label: unit}
  - {source_labels: [__journal_priority_keyword], target_label: level}
";
        let config = crate::Config::parse("f", text).unwrap();
        let scrape = &config.scrape_configs[0];
        let check = |json: &str| {
            let fields: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
            journal_line(0, scrape, scrape.journal.as_ref().unwrap(), &fields)
        };
        let line = check(
            r#"{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1700000000000001","MESSAGE":[104,105,255],
                "PRIORITY":"3","_SYSTEMD_UNIT":["a.service","ssh.service"]}"#,
        );
        let line = line.unwrap();
        assert_eq!((line.cursor.as_str(), line.ts), ("c1", 1_700_000_000_000_001_000));
        let (text, labels) = line.entry.unwrap();
        assert_eq!(text, "hi\u{fffd}");
        let labels: Vec<String> = labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(labels, ["job=journal", "level=error", "unit=ssh.service"]);
        let empty = check(r#"{"__CURSOR":"c2","__REALTIME_TIMESTAMP":"1"}"#).unwrap();
        assert!(empty.entry.is_none());
        assert!(check(r#"{"MESSAGE":"x"}"#).is_none());
    }

    #[test]
    fn cursors_stay_before_what_is_held() {
        let mut cursors = Cursors::default();
        assert_eq!(cursors.before(None), None);
        let numbers: Vec<u64> = ["a", "b", "c"].map(|cursor| cursors.add(cursor.into())).into();
        assert_eq!(cursors.before(Some(numbers[0])), None);
        assert_eq!(cursors.before(Some(numbers[2])), Some("b"));
        assert_eq!(cursors.before(None), Some("c"));
    }
}
