//! `test rules`: unit tests for rule files, in the original's file format and with its reports.
//!
//! `file` is the test file, `run` plays its series into a store in memory and evaluates the rules, `junit`
//! writes the outcome for build servers.

mod diff;
mod file;
mod junit;
mod run;

use std::io::Write;
use std::path::{Path, PathBuf};

use flags::{Flag, Flags};

use crate::command::{Action, Command, Context, Failure, Usage, complain, say};
use file::TestFile;

pub const COMMAND: Command = Command {
    name: "test",
    about: "Unit testing",
    action: Action::Group(&[Command {
        name: "rules",
        about: "Unit tests for rules",
        action: Action::Run(&RULES),
    }]),
};

const RULES: Usage = Usage {
    arguments: "<test-rule-file> [<test-rule-file>...]",
    count: (1, usize::MAX),
    flags: &[
        Flag::value("junit", "", "File path to store JUnit XML test results."),
        Flag::list("run", "If set, will only run test groups whose names match the regular expression."),
        Flag::switch("debug", false, "Enable unit test debugging."),
        Flag::switch("diff", false, "Print colored differential output between expected & received output."),
        Flag::switch(
            "ignore-unknown-fields",
            false,
            "Ignore unknown fields in the test files and the rule files.",
        ),
        Flag::list("enable-feature", "Comma separated feature names to enable."),
    ],
    help: "\
Each file names rule files, series to feed them, and the alerts and query results to expect.

Example:
  cloudos-monitor test rules prometheus/tests/*.yml
",
    run,
};

/// What came of one test of a file.
struct Outcome {
    name: String,
    failures: Vec<String>,
}

fn run(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    let mut only = Vec::new();
    for pattern in flags.all("run") {
        let regex = re2::Regex::new(pattern);
        only.push(regex.map_err(|e| Failure::new(format!("error: --run={pattern}: {e}")))?);
    }
    let features: Vec<String> =
        flags.all("enable-feature").iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
    let engine = run::engine(&features);
    let options = run::Options {
        debug: flags.is_on("debug"),
        diff: flags.is_on("diff"),
        only,
        engine: &engine,
        reading: crate::check::reading(flags),
    };
    for path in args {
        if !Path::new(path).exists() {
            return Err(Failure::new(format!(
                "cloudos-monitor: error: path '{path}' does not exist, try --help"
            )));
        }
    }
    let mut suites = Vec::new();
    let mut failed = false;
    for path in args {
        let outcomes = test_file(Path::new(path), flags.is_on("ignore-unknown-fields"), &options);
        let failures: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.failures).collect();
        if failures.is_empty() {
            say("  SUCCESS\n")?;
        } else {
            failed = true;
            complain("  FAILED:");
            for failure in failures {
                complain(failure);
                say("\n")?;
            }
        }
        say("\n")?;
        suites.push((path.clone(), outcomes));
    }
    let junit = flags.get("junit");
    if !junit.is_empty() {
        let mut file = std::fs::File::create(junit).map_err(|e| Failure::new(format!("{junit}: {e}")))?;
        file.write_all(junit::report(&suites).as_bytes())?;
    }
    if failed { Err(Failure::new("")) } else { Ok(()) }
}

fn test_file(path: &Path, lenient: bool, options: &run::Options<'_>) -> Vec<Outcome> {
    let broken = |failure: String| vec![Outcome { name: String::new(), failures: vec![failure] }];
    let test = match TestFile::load(path, lenient) {
        Ok(test) => test,
        Err(e) => return broken(e),
    };
    let rule_files = match rule_files(path, &test.rule_files) {
        Ok(files) => files,
        Err(e) => return broken(e),
    };
    if let Some(twice) = test.group_named_twice() {
        return broken(format!("group name repeated in evaluation order: {twice}"));
    }
    let chosen = test
        .tests
        .iter()
        .enumerate()
        .filter(|(_, t)| options.only.is_empty() || options.only.iter().any(|r| r.is_match(&t.name)));
    chosen
        .map(|(at, case)| Outcome {
            name: if case.name.is_empty() { format!("unnamed#{at}") } else { case.name.clone() },
            failures: run::case(case, &test, &rule_files, options),
        })
        .collect()
}

/// The rule files of a test file, patterns expanded, relative to its own folder.
fn rule_files(path: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, String> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut out = Vec::new();
    for pattern in patterns {
        let full = directory.join(pattern).display().to_string();
        let mut found = config::glob(Path::new(&full))?;
        if found.is_empty() {
            complain(&format!("  WARNING: no file match pattern {full}"));
        }
        found.sort();
        out.append(&mut found);
    }
    Ok(out)
}
