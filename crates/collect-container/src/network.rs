//! Network counters of a container: those of its first process' view of the network.

use std::path::Path;

use crate::engine::EngineContainer;
use crate::files;
use crate::stats::Interface;

/// Interfaces at most per container: a damaged or hostile file must not become thousands of series.
const INTERFACES_MAX: usize = 256;

/// The host's ends of containers' cables would count everything twice.
const IGNORED: &[&str] = &["lo", "veth", "docker", "nerdctl"];

/// Interfaces of the host, as process 1 sees them.
pub fn of_host(proc: &Path) -> Vec<Interface> {
    let text = files::text(&proc.join("1/net/dev"));
    let text = if text.is_empty() { files::text(&proc.join("self/net/dev")) } else { text };
    parse(&text)
}

/// Interfaces of a container; none when it uses the host's network.
pub fn of_container(
    proc: &Path,
    container: Option<&EngineContainer>,
    first: &Option<String>,
) -> Vec<Interface> {
    let pid = container.filter(|c| c.pid > 0).map(|c| c.pid.to_string()).or_else(|| first.clone());
    let Some(pid) = pid else { return Vec::new() };
    let namespace = |pid: &str| std::fs::read_link(proc.join(pid).join("ns/net")).ok();
    let own = namespace(&pid);
    if own.is_some() && own == namespace("1") {
        return Vec::new();
    }
    parse(&files::text(&proc.join(&pid).join("net/dev")))
}

fn parse(text: &str) -> Vec<Interface> {
    let mut interfaces = Vec::new();
    for line in text.lines().skip(2) {
        let Some((name, values)) = line.rsplit_once(':') else { continue };
        let name = name.trim();
        if IGNORED.iter().any(|prefix| name.starts_with(prefix)) || interfaces.len() >= INTERFACES_MAX {
            continue;
        }
        let values: Vec<f64> = values.split_ascii_whitespace().map(|v| v.parse().unwrap_or(0.0)).collect();
        let four = |at: usize| {
            let field = |i: usize| values.get(at + i).copied().unwrap_or(0.0);
            [field(0), field(1), field(2), field(3)]
        };
        interfaces.push(Interface { name: name.to_owned(), receive: four(0), transmit: four(8) });
    }
    interfaces
}

#[cfg(test)]
mod tests {
    #[test]
    fn interfaces() {
        let text =
            "Inter-|\n face |\n    lo: 1 1\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nveth1: 1\n";
        let found = super::parse(text);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].receive, found[0].transmit), ([1.0, 2.0, 3.0, 4.0], [9.0, 10.0, 11.0, 12.0]));
    }
}
