//! `tsdb`: databases as files. Every command that reads takes our store or a Prometheus data directory.

mod analyze;
mod bench;
mod dump;
mod export;
mod import;
mod list;
mod openmetrics;
mod rules;
mod source;
mod table;

use crate::command::{Action, Command};

pub use source::{Kind, kind_of};
pub use table::go_duration;

pub const COMMAND: Command = Command {
    name: "tsdb",
    about: "Import, export and look into databases",
    action: Action::Group(&[
        Command {
            name: "import",
            about: "Take a Prometheus data directory over into the metrics store",
            action: Action::Run(&import::USAGE),
        },
        Command {
            name: "export",
            about: "Write Prometheus blocks from the metrics store",
            action: Action::Run(&export::USAGE),
        },
        Command {
            name: "create-blocks-from",
            about: "Make samples of the past from other sources",
            action: Action::Group(&[
                Command {
                    name: "openmetrics",
                    about: "Import samples from OpenMetrics text",
                    action: Action::Run(&openmetrics::USAGE),
                },
                Command {
                    name: "rules",
                    about: "Create samples of the past for new recording rules",
                    action: Action::Run(&rules::USAGE),
                },
            ]),
        },
        Command { name: "list", about: "List blocks", action: Action::Run(&list::USAGE) },
        Command {
            name: "analyze",
            about: "Analyze churn, label pair cardinality and compaction efficiency",
            action: Action::Run(&analyze::USAGE),
        },
        Command {
            name: "bench",
            about: "Measure the store",
            action: Action::Group(&[Command {
                name: "write",
                about: "Run a write performance benchmark",
                action: Action::Run(&bench::USAGE),
            }]),
        },
        Command { name: "dump", about: "Dump samples", action: Action::Run(&dump::USAGE) },
        Command {
            name: "dump-openmetrics",
            about: "Dump samples as OpenMetrics text, without native histograms and staleness markers",
            action: Action::Run(&dump::OPENMETRICS_USAGE),
        },
    ]),
};
