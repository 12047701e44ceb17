//! Commands for people at a terminal, in the manner of `promtool`: one file per command.
//!
//! The binary hands over a command's name and arguments and gets an exit code back. A command reads files
//! and stores, never a running service's memory; what it prints on standard output is for programs, what it
//! prints on standard error (progress, errors) for people.

mod check;
mod command;
mod debug;
mod http;
mod progress;
mod promql_commands;
mod push;
mod query;
mod test_rules;
mod times;
mod tsdb;

use std::process::ExitCode;

pub use command::Context;
use command::{Command, Failure};

/// All commands of this crate.
const COMMANDS: &[Command] = &[
    check::COMMAND,
    query::COMMAND,
    push::COMMAND,
    debug::COMMAND,
    test_rules::COMMAND,
    tsdb::COMMAND,
    promql_commands::COMMAND,
];

/// Name and purpose of each command, for the program's own help.
pub fn commands() -> impl Iterator<Item = (&'static str, &'static str)> {
    COMMANDS.iter().map(|command| (command.name, command.about))
}

/// Why the metrics store must not be opened in `dir`: a Prometheus database is there, and both keep a log in
/// `wal/`. The text says what to do instead. None when nothing stands in the way.
pub fn foreign_database(dir: &std::path::Path) -> Option<String> {
    let dir_text = dir.display();
    (tsdb::kind_of(dir) == Some(tsdb::Kind::Prometheus)).then(|| {
        format!(
            "{dir_text} holds a Prometheus database, which is left as it is; take it over with \
             `cloudos-monitor tsdb import --storage.tsdb.path=NEW {dir_text}` and start with \
             --storage.tsdb.path=NEW"
        )
    })
}

/// Runs a command. None when there is none of this name.
pub fn run(name: &str, args: &[String], context: &Context) -> Option<ExitCode> {
    let command = COMMANDS.iter().find(|command| command.name == name)?;
    Some(match command.run(&[], args, context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            if !message.is_empty() {
                command::complain(&message);
            }
            ExitCode::from(code)
        }
    })
}
