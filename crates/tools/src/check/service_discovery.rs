//! `check service-discovery`: what a job would find and what relabelling would make of it.

use std::path::Path;
use std::time::Duration;

use discovery::TargetGroup;
use flags::{Flag, Flags};
use model::Labels;
use scrape::{Preview, ScrapeConfig};
use serde_json::{Map, Value, json};
use serve_prometheus::Config;

use super::must_exist;
use crate::command::{Context, Failure, Usage, say};

pub const SERVICE_DISCOVERY: Usage = Usage {
    arguments: "<config-file> <job>",
    count: (2, 2),
    flags: &[Flag::value("timeout", "30s", "The time to wait for discovery results.")],
    help: "\
Lists and files are there at once; whoever has to be asked has the whole time to answer.

Example:
  cloudos-monitor check service-discovery prometheus/prometheus.yml node
",
    run,
};

fn run(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    let [file, job] = args else { return Ok(()) };
    must_exist(std::slice::from_ref(file))?;
    let patience = Duration::from_millis(flags.duration_ms("timeout")?.max(0).unsigned_abs());
    let config =
        Config::load(Path::new(file)).map_err(|e| Failure::new(format!("Cannot load config {e}")))?;
    let Some(found) = config.scrape_configs.iter().find(|config| config.job_name == *job) else {
        let mut text = format!("Job {job} not found. Select one of:");
        for config in &config.scrape_configs {
            text.push_str(&format!("\n\t{}", config.job_name));
        }
        return Err(Failure::new(text));
    };
    if let Some(e) = found.sources.unavailable() {
        return Err(Failure::new(format!("Could not create new discoverer {e}")));
    }
    let groups = discover(found, patience)?;
    let rows: Vec<Value> = previews(&groups, found).iter().map(row).collect();
    say(&serde_json::to_string_pretty(&rows).unwrap_or_default())
}

/// What discovery gives within `patience`.
fn discover(config: &ScrapeConfig, patience: Duration) -> Result<Vec<TargetGroup>, Failure> {
    // Somebody else in the process may have chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let mut watch = discovery::watch(&config.sources);
        let sources = &config.sources;
        let asked = !(sources.http_sd_configs.is_empty()
            && sources.dns_sd_configs.is_empty()
            && sources.docker_sd_configs.is_empty()
            && sources.consul_sd_configs.is_empty()
            && sources.kubernetes_sd_configs.is_empty());
        if asked {
            tokio::time::sleep(patience).await;
        }
        watch.groups()
    }))
}

/// Every target once.
fn previews(groups: &[TargetGroup], config: &ScrapeConfig) -> Vec<Preview> {
    let mut out: Vec<Preview> = Vec::new();
    for group in groups {
        for target in &group.targets {
            let mut labels = target.to_builder();
            for (name, value) in group.labels.iter().filter(|(name, _)| !target.has(name)) {
                labels.set(name, value);
            }
            let preview = Preview::of(&labels.build(), config);
            if !out.contains(&preview) {
                out.push(preview);
            }
        }
    }
    out
}

fn row(preview: &Preview) -> Value {
    let map = |labels: &Labels| {
        Value::Object(labels.iter().map(|(n, v)| (n.to_owned(), v.into())).collect::<Map<_, _>>())
    };
    let mut row = json!({ "discoveredLabels": map(&preview.discovered), "labels": map(&preview.labels) });
    if let Some(error) = &preview.error {
        row["error"] = error.as_str().into();
    }
    row
}
