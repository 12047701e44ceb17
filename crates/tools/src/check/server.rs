//! `check healthy`, `check ready`: is a server well?

use flags::{Flag, Flags};

use crate::command::{Failure, Usage, complain};
use crate::http::Server;

const URL: Flag = Flag::value("url", "http://localhost:9090", "The URL for the Prometheus server.");
const CLIENT: Flag =
    Flag::value("http.config.file", "", "HTTP client configuration file to connect to Prometheus.");

pub const HEALTHY: Usage = Usage {
    arguments: "",
    count: (0, 0),
    flags: &[CLIENT, URL],
    help: "\
Example:
  cloudos-monitor check healthy --url http://localhost:9090
",
    run: |flags, _, _| ask(flags, "/-/healthy"),
};

pub const READY: Usage = Usage {
    arguments: "",
    count: (0, 0),
    flags: &[CLIENT, URL],
    help: "\
Example:
  cloudos-monitor check ready --url http://localhost:9090
",
    run: |flags, _, _| ask(flags, "/-/ready"),
};

fn ask(flags: &Flags, path: &str) -> Result<(), Failure> {
    let server = Server::new(flags.get("url"), flags.get("http.config.file"))?;
    let answer = server.get(path, &[])?;
    match answer.status {
        200 => {
            // Standard error, as in the original.
            complain(&format!("  SUCCESS:  {}", answer.body));
            Ok(())
        }
        status => Err(Failure::new(format!("check failed: URL={}, status={status}", server.url()))),
    }
}
