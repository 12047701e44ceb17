//! `tsdb list`: the blocks of a database.

use std::path::Path;

use blocks::{Compaction, Meta, Stats, blocks_in};
use flags::{Flag, Flags};
use storage::metrics::MetricsAdmin;

use super::source::{Kind, kind_of, no_database, open_store, say_how_to_unlock};
use super::table::{Row, render, size_of};
use crate::command::{Context, Failure, Usage, say};

pub const USAGE: Usage = Usage {
    arguments: "[<db path>]",
    count: (0, 1),
    flags: &[
        Flag::switch("human-readable", false, "Print human readable values."),
        Flag::switch("r", false, "Short for --human-readable."),
    ],
    help: "\
The path is a metrics store (its parts are listed) or a Prometheus data directory. Default: the store.

Example:
  cloudos-monitor tsdb list -r /var/lib/prometheus
",
    run,
};

fn run(flags: &Flags, args: &[String], context: &Context) -> Result<(), Failure> {
    let dir = args.first().map_or(context.store.as_path(), Path::new);
    let human = flags.is_on("human-readable") || flags.is_on("r");
    say(&render(&rows(dir)?, human, true))
}

fn rows(dir: &Path) -> Result<Vec<Row>, Failure> {
    match kind_of(dir) {
        Some(Kind::Prometheus) => {
            let blocks = blocks_in(dir)?;
            Ok(blocks.into_iter().map(|(path, meta)| (meta, size_of(&path))).collect())
        }
        Some(Kind::Ours) => {
            let store = open_store(dir).map_err(say_how_to_unlock)?;
            let rows = store.blocks().into_iter().map(|part| {
                let stats = Stats {
                    num_samples: part.samples,
                    num_series: part.series,
                    num_chunks: part.chunks,
                    num_tombstones: 0,
                };
                let compaction = Compaction::default();
                let (min_time, max_time) = (part.min_time, part.max_time);
                (Meta { ulid: part.id, min_time, max_time, stats, compaction, version: 1 }, part.bytes)
            });
            Ok(rows.collect())
        }
        None => Err(no_database(dir)),
    }
}
