//! `check rules`.

use std::io::Read;
use std::path::Path;

use ::rules::GroupSpec;
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
    if args.is_empty() {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return check_all(&[("standard input".to_owned(), Some(text))], lints);
    }
    check_all(&args.iter().map(|path| (path.clone(), None)).collect::<Vec<_>>(), lints)
}

/// Checks rule files, or texts that stand for them, one report each.
pub fn check_all(files: &[(String, Option<String>)], lints: Lints) -> Result<(), Failure> {
    let (mut broken, mut linted) = (false, false);
    for (name, text) in files {
        say(&format!("Checking {name}\n"))?;
        let groups = match text {
            Some(text) => ::rules::parse_file(name, text),
            None => ::rules::load_file(Path::new(name)),
        };
        match groups {
            Err(e) => {
                complain("  FAILED:");
                complain(&e.to_string());
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
