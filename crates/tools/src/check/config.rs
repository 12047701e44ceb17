//! `check config`.

use std::path::Path;

use flags::{Flag, Flags};
use serve_prometheus::Config;

use super::lint::Lints;
use super::must_exist;
use super::rules::{check_all, reading};
use crate::command::{Context, Failure, Usage, complain, say};

pub const CONFIG: Usage = Usage {
    arguments: "<config-files> [<config-files>...]",
    count: (1, usize::MAX),
    flags: &[
        Flag::switch(
            "syntax-only",
            false,
            "Only check the config file syntax, ignoring file and content validation referenced in the config.",
        ),
        Flag::value(
            "lint",
            "duplicate-rules",
            "Linting checks to apply to the rules specified in the config: all, duplicate-rules, none.",
        ),
        Flag::switch("lint-fatal", false, "Make lint errors exit with exit code 3."),
        Flag::switch("ignore-unknown-fields", false, "Ignore unknown fields in the rule files."),
        Flag::list("enable-feature", "Comma separated feature names to enable."),
        Flag::switch("agent", false, "Check config file for Prometheus in Agent mode."),
    ],
    help: "\
Checks the file and the rule files it names.

Example:
  cloudos-monitor check config prometheus/prometheus.yml
",
    run,
};

fn run(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    must_exist(args)?;
    let lints = Lints::parse(flags.get("lint"), flags.is_on("lint-fatal"))?;
    let (agent, syntax_only) = (flags.is_on("agent"), flags.is_on("syntax-only"));
    let reading = reading(flags);
    let mut worst: Result<(), Failure> = Ok(());
    for path in args {
        say(&format!("Checking {path}\n"))?;
        let rule_files = match check(Path::new(path), agent, syntax_only) {
            Ok(files) => files,
            Err(e) => {
                complain(&format!("  FAILED: {e}"));
                say("\n")?;
                worst = Err(Failure::new(""));
                continue;
            }
        };
        if !rule_files.is_empty() {
            say(&format!("  SUCCESS: {} rule files found\n", rule_files.len()))?;
        }
        say(&format!(" SUCCESS: {path} is valid prometheus config file syntax\n\n"))?;
        let rule_files: Vec<_> = rule_files.into_iter().map(|file| (file, None)).collect();
        if let Err(failure) = check_all(&rule_files, lints, &reading)
            && worst.as_ref().err().is_none_or(|worst| worst.code != 1)
        {
            worst = Err(failure);
        }
    }
    worst
}

/// The rule files of a configuration that is in order.
fn check(path: &Path, agent: bool, syntax_only: bool) -> Result<Vec<String>, String> {
    let config = Config::load(path).map_err(|e| e.to_string())?;
    if agent {
        config.check_agent()?;
    }
    if syntax_only {
        return Ok(Vec::new());
    }
    let directory = path.parent().unwrap_or(Path::new(""));
    for pattern in &config.rule_files {
        // A pattern may match nothing; a plain name has to be there.
        if !pattern.contains(['*', '?', '[']) && !directory.join(pattern).exists() {
            return Err(format!(
                "{:?} does not point to an existing file",
                directory.join(pattern).display().to_string()
            ));
        }
    }
    match config.unavailable().into_iter().next() {
        Some(e) => Err(e),
        None => Ok(config
            .rule_paths
            .iter()
            .map(|p| p.strip_prefix("./").unwrap_or(p).display().to_string())
            .collect()),
    }
}
