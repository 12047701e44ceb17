//! The flag table, `CLOUDOS_METRICS_PORT`, and what they mean.

use std::time::Duration;

use flags::{Flag, FlagError, Flags};

/// Overrides the port of the default address.
const PORT_VARIABLE: &str = "CLOUDOS_METRICS_PORT";

pub const FLAGS: &[Flag] = &[
    Flag::value(
        "web.listen-address",
        ":9200",
        "Address to listen on. CLOUDOS_METRICS_PORT changes the port.",
    ),
    Flag::value("web.telemetry-path", "/metrics", "Path under which to expose metrics."),
    Flag::value("web.max-requests", "40", "Scrapes at the same time at most. 0: no limit."),
    Flag::value("path.procfs", "/proc", "Where procfs is mounted."),
    Flag::value("path.sysfs", "/sys", "Where sysfs is mounted."),
    Flag::value("path.rootfs", "/", "Where the host's root is mounted."),
    Flag::value("docker", "/var/run/docker.sock", "Docker's socket. Empty: none."),
    Flag::value("podman", "/run/podman/podman.sock", "Podman's socket. Empty: none."),
    Flag::list(
        "auth.log",
        "File with authentication messages. May be repeated. Default: /var/log/auth.log and /var/log/secure.",
    ),
    Flag::value(
        "cluster.peers",
        "",
        "Members of the cluster to ask for their health: host:port/path, separated by commas.",
    ),
    Flag::value("cluster.poll-interval", "15s", "How often members are asked."),
    Flag::value("log.level", "info", "Least level that is logged: debug, info, warn, error."),
];

/// What the flags mean.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: String,
    pub telemetry_path: String,
    pub max_requests: usize,
    pub peers: String,
    pub poll_interval: Duration,
    pub cloudos: collect_cloudos::Settings,
    pub containers: collect_container::Settings,
}

impl Settings {
    pub fn from_flags(flags: &Flags) -> Result<Settings, FlagError> {
        Settings::with_port(flags, &std::env::var(PORT_VARIABLE).unwrap_or_default())
    }

    /// `port`: the value of [`PORT_VARIABLE`], empty when it is not set.
    fn with_port(flags: &Flags, port: &str) -> Result<Settings, FlagError> {
        let mut cloudos = collect_cloudos::Settings::new().map_err(|e| FlagError::Bad(e.to_string()))?;
        let path = |name: &str| std::path::PathBuf::from(flags.get(name));
        cloudos.node.paths.proc = path("path.procfs");
        cloudos.node.paths.sys = path("path.sysfs");
        cloudos.node.paths.root = path("path.rootfs");
        let below_root =
            |file: &std::path::Path| path("path.rootfs").join(file.strip_prefix("/").unwrap_or(file));
        cloudos.auth_logs = match flags.all("auth.log") {
            [] => cloudos.auth_logs.iter().map(|p| below_root(p)).collect(),
            given => given.iter().map(Into::into).collect(),
        };
        cloudos.logind = below_root(&cloudos.logind);
        cloudos.utmp = below_root(&cloudos.utmp);
        let engines = ["docker", "podman"].iter().map(|n| flags.get(n)).filter(|s| !s.is_empty());
        let engines = engines.map(|s| s.strip_prefix("unix://").unwrap_or(s).into()).collect();
        let poll = flags.duration_ms("cluster.poll-interval")?;
        Ok(Settings {
            listen: listen(flags, port)?,
            telemetry_path: crate::telemetry_path(flags.get("web.telemetry-path")),
            max_requests: flags.number("web.max-requests")?,
            peers: flags.get("cluster.peers").to_owned(),
            poll_interval: Duration::from_millis(poll.max(100).unsigned_abs()),
            containers: collect_container::Settings {
                cgroup: path("path.sysfs").join("fs/cgroup"),
                proc: path("path.procfs"),
                sys: path("path.sysfs"),
                root: path("path.rootfs"),
                engines,
                ..collect_container::Settings::default()
            },
            cloudos,
        })
    }
}

/// The variable changes the port unless an address was written on the command line.
fn listen(flags: &Flags, port: &str) -> Result<String, FlagError> {
    let address = flags.get("web.listen-address");
    if port.is_empty() || flags.is_given("web.listen-address") {
        return Ok(address.to_owned());
    }
    let port: u16 =
        port.parse().map_err(|_| FlagError::Bad(format!("{PORT_VARIABLE}={port:?} is not a port number")))?;
    let host = address.rsplit_once(':').map_or("", |(host, _)| host);
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str], port: &str) -> Result<Settings, FlagError> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Settings::with_port(&Flags::parse("cloudos-exporter", FLAGS, &args)?, port)
    }

    #[test]
    fn the_port_variable() {
        let check = |args: &[&str], port: &str, expected: &str| {
            assert_eq!(parse(args, port).unwrap().listen, expected, "{args:?} {port}");
        };
        check(&[], "", ":9200");
        check(&[], "9300", ":9300");
        check(&["--web.listen-address=127.0.0.1:1"], "9300", "127.0.0.1:1");
        let mut flags = Flags::defaults(FLAGS);
        flags.set_default("web.listen-address", "127.0.0.1:9200");
        assert_eq!(Settings::with_port(&flags, "9300").unwrap().listen, "127.0.0.1:9300");
        let error = parse(&[], "many").unwrap_err().to_string();
        assert_eq!(error, "CLOUDOS_METRICS_PORT=\"many\" is not a port number");
    }

    #[test]
    fn logs_are_those_of_the_host() {
        let s = parse(&["--path.rootfs=/host"], "").unwrap();
        assert_eq!(s.cloudos.auth_logs[0], std::path::Path::new("/host/var/log/auth.log"));
        let s = parse(&["--auth.log=/a", "--auth.log=/b", "--docker="], "").unwrap();
        assert_eq!((s.cloudos.auth_logs.len(), s.containers.engines.len()), (2, 1));
    }
}
