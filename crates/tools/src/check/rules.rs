//! `check rules`.

use std::io::Read;
use std::path::Path;

use ::rules::{GroupSpec, Reading};
use flags::{Flag, Flags};

use super::lint::{Lints, duplicates};
use super::{LINT_CODE, must_exist};
use crate::command::{Context, Failure, Usage, complain, say};

pub const RULES: Usage = Usage {
    arguments: "[<rule-files>...]",
    count: (0, usize::MAX),
    flags: &[
        Flag::value("lint", "duplicate-rules", "Linting checks to apply: all, duplicate-rules, none."),
        Flag::switch("lint-fatal", false, "Make lint errors exit with exit code 3."),
        Flag::switch("ignore-unknown-fields", false, "Ignore unknown fields in the rule files."),
        Flag::list("enable-feature", "Comma separated feature names to enable."),
    ],
    help: "\
Without files the rules are read from standard input.

Example:
  cloudos-monitor check rules prometheus/alerts/*.yml
",
    run,
};

fn run(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    must_exist(args)?;
    let lints = Lints::parse(flags.get("lint"), flags.is_on("lint-fatal"))?;
    let reading = reading(flags);
    if args.is_empty() {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return check_all(&[("standard input".to_owned(), Some(text))], lints, &reading);
    }
    check_all(&args.iter().map(|path| (path.clone(), None)).collect::<Vec<_>>(), lints, &reading)
}

/// How rule files are read: what the flags `ignore-unknown-fields` and `enable-feature` say.
pub fn reading(flags: &Flags) -> Reading {
    let mut engine = promql::EngineSettings::default();
    for feature in flags.all("enable-feature").iter().flat_map(|list| list.split(',')) {
        promql::features::enable(&mut engine, feature);
    }
    Reading {
        options: engine.parse_options,
        ignore_unknown: flags.is_on("ignore-unknown-fields"),
        legacy_names: false,
    }
}

/// Checks rule files, or texts that stand for them, one report each.
pub fn check_all(files: &[(String, Option<String>)], lints: Lints, reading: &Reading) -> Result<(), Failure> {
    let (mut broken, mut linted) = (false, false);
    for (name, text) in files {
        say(&format!("Checking {name}\n"))?;
        let groups = match text {
            Some(text) => ::rules::parse_file(name, text, reading),
            None => ::rules::load_file(Path::new(name), reading),
        };
        match groups {
            Err(errors) => {
                complain("  FAILED:");
                errors.iter().for_each(|e| complain(&e.to_string()));
                broken = true;
                continue;
            }
            Ok(groups) => match duplicates(&groups).filter(|_| lints.duplicate_rules) {
                Some(text) => {
                    complain("  FAILED:");
                    complain(&format!("lint error {text}"));
                    linted = true;
                }
                None => say(&format!("  SUCCESS: {} rules found\n", count(&groups)))?,
            },
        }
        say("\n")?;
    }
    match (broken, linted && lints.fatal) {
        (true, _) => Err(Failure::new("")),
        (_, true) => Err(Failure { message: String::new(), code: LINT_CODE }),
        _ => Ok(()),
    }
}

fn count(groups: &[GroupSpec]) -> usize {
    groups.iter().map(|group| group.rules.len()).sum()
}
