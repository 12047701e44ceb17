//! The original's flags, those that mean something here, and what they mean.

use std::path::PathBuf;

use flags::{Flag, FlagError, Flags};

/// Kinds of metrics that the original knows; `disable_metrics` and `enable_metrics` name them.
const KINDS: &[&str] = &[
    "advtcp",
    "app",
    "cpu",
    "cpuLoad",
    "cpu_topology",
    "cpuset",
    "disk",
    "diskIO",
    "hugetlb",
    "memory",
    "memory_numa",
    "network",
    "oom_event",
    "percpu",
    "perf_event",
    "pressure",
    "process",
    "referenced_memory",
    "resctrl",
    "sched",
    "tcp",
    "udp",
];

/// Disabled by default in the original.
const DISABLED: &str =
    "advtcp,cpu_topology,cpuset,hugetlb,memory_numa,process,referenced_memory,resctrl,sched,tcp,udp";

/// The same without `process`: the bundled dashboards show processes of containers.
const DISABLED_IN_STACK: &str =
    "advtcp,cpu_topology,cpuset,hugetlb,memory_numa,referenced_memory,resctrl,sched,tcp,udp";

pub const FLAGS: &[Flag] = &[
    Flag::value("port", "8080", "Port to listen on."),
    Flag::value("listen_ip", "", "Address to listen on. Empty: all."),
    Flag::value("prometheus_endpoint", "/metrics", "Path under which to expose metrics."),
    Flag::value("docker", "unix:///var/run/docker.sock", "Docker's socket."),
    Flag::value("podman", "unix:///var/run/podman/podman.sock", "Podman's socket."),
    Flag::switch("docker_only", false, "Show containers of an engine and the root only."),
    Flag::value("disable_metrics", DISABLED, "Kinds of metrics to leave out, separated by commas."),
    Flag::value("enable_metrics", "", "Kinds of metrics to show; takes the place of disable_metrics."),
    Flag::switch("store_container_labels", true, "Turn engine labels into metric labels."),
    Flag::value(
        "whitelisted_container_labels",
        "",
        "Engine labels to keep when store_container_labels is off, separated by commas.",
    ),
    Flag::value("max_requests", "40", "Scrapes at the same time at most. 0: no limit."),
    Flag::value("path.cgroup", "", "Where cgroups are mounted. Empty: fs/cgroup below path.sysfs."),
    Flag::value("path.procfs", "/proc", "Where procfs is mounted."),
    Flag::value("path.sysfs", "/sys", "Where sysfs is mounted."),
    Flag::value("path.rootfs", "/", "Where the host's root is mounted."),
    Flag::value("housekeeping_interval", "1s", "Accepted: figures are read when they are asked for."),
    Flag::value("max_housekeeping_interval", "1m0s", "Accepted, as housekeeping_interval."),
    Flag::value("global_housekeeping_interval", "1m0s", "Accepted, as housekeeping_interval."),
    Flag::switch("allow_dynamic_housekeeping", true, "Accepted, as housekeeping_interval."),
    Flag::value("storage_duration", "2m0s", "Accepted: no history is kept here, Prometheus has it."),
    Flag::switch("logtostderr", true, "Accepted: log lines go to standard error."),
    Flag::value("v", "0", "Accepted: CLOUDOS_LOG_LEVEL sets the least level that is logged."),
];

/// Flags that differ from the original when the whole stack runs.
pub const UP_DEFAULTS: &[(&str, &str)] = &[("disable_metrics", DISABLED_IN_STACK)];

/// What the flags mean.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: String,
    pub telemetry_path: String,
    pub max_requests: usize,
    /// Metric kinds that are left out.
    pub disabled: Vec<&'static str>,
    pub containers: collect_container::Settings,
}

impl Settings {
    pub fn from_flags(flags: &Flags) -> Result<Settings, FlagError> {
        let port: u16 = flags.number("port")?;
        let disabled = disabled(flags)?;
        let sys = PathBuf::from(flags.get("path.sysfs"));
        let cgroup = match flags.get("path.cgroup") {
            "" => sys.join("fs/cgroup"),
            path => path.into(),
        };
        let mut engines = Vec::new();
        for name in ["docker", "podman"] {
            engines.extend(socket(flags, name)?);
        }
        Ok(Settings {
            listen: format!("{}:{port}", flags.get("listen_ip")),
            telemetry_path: crate::telemetry_path(flags.get("prometheus_endpoint")),
            max_requests: flags.number("max_requests")?,
            containers: collect_container::Settings {
                cgroup,
                proc: flags.get("path.procfs").into(),
                sys,
                root: flags.get("path.rootfs").into(),
                engines,
                docker_only: flags.is_on("docker_only"),
                per_cpu: !disabled.contains(&"percpu"),
                processes: !disabled.contains(&"process"),
                store_labels: flags.is_on("store_container_labels"),
                label_allow_list: words(flags.get("whitelisted_container_labels"))
                    .map(str::to_owned)
                    .collect(),
            },
            disabled,
        })
    }

    /// Whether a family is wanted. Which kind a family is of is told by its name.
    pub fn shows(&self, family: &str) -> bool {
        let kinds: &[&str] = match family {
            name if name.starts_with("container_cpu_") => &["cpu"],
            name if name.starts_with("container_memory_") => &["memory"],
            "container_fs_usage_bytes"
            | "container_fs_limit_bytes"
            | "container_fs_inodes_free"
            | "container_fs_inodes_total" => &["disk"],
            name if name.starts_with("container_fs_") || name.starts_with("container_blkio_") => &["diskIO"],
            name if name.starts_with("container_network_") => &["network"],
            name if name.starts_with("container_pressure_") => &["pressure"],
            "container_oom_events_total" => &["oom_event"],
            _ => &[],
        };
        !kinds.iter().any(|kind| self.disabled.contains(kind))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|w| !w.is_empty())
}

fn disabled(flags: &Flags) -> Result<Vec<&'static str>, FlagError> {
    let known = |flag: &str| {
        let kind = |word: &str| {
            let unknown = || FlagError::Bad(format!("unsupported metric {word:?} specified in -{flag}"));
            KINDS.iter().copied().find(|k| *k == word).ok_or_else(unknown)
        };
        words(flags.get(flag)).map(kind).collect::<Result<Vec<_>, _>>()
    };
    let enabled = known("enable_metrics")?;
    if enabled.is_empty() {
        return known("disable_metrics");
    }
    Ok(KINDS.iter().copied().filter(|k| !enabled.contains(k)).collect())
}

/// The path of `unix:///path`; empty switches the engine off. TCP engines are not supported.
fn socket(flags: &Flags, name: &str) -> Result<Option<PathBuf>, FlagError> {
    match flags.get(name) {
        "" => Ok(None),
        text => match text.strip_prefix("unix://") {
            Some(path) => Ok(Some(path.into())),
            None if text.starts_with('/') => Ok(Some(text.into())),
            None => Err(FlagError::Bad(format!("-{name}={text}: only unix:// sockets are supported"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Settings, FlagError> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Settings::from_flags(&Flags::parse("cadvisor", FLAGS, &args)?)
    }

    #[test]
    fn defaults_are_the_originals() {
        let s = parse(&[]).unwrap();
        assert_eq!((s.listen.as_str(), s.containers.processes, s.containers.per_cpu), (":8080", false, true));
        assert_eq!(s.containers.cgroup, PathBuf::from("/sys/fs/cgroup"));
        let mut flags = Flags::defaults(FLAGS);
        for (name, value) in UP_DEFAULTS {
            flags.set_default(name, *value);
        }
        assert!(Settings::from_flags(&flags).unwrap().containers.processes);
    }

    #[test]
    fn kinds_of_metrics() {
        let s = parse(&["-disable_metrics=percpu,network", "-port=1", "-listen_ip=127.0.0.1"]).unwrap();
        assert_eq!((s.listen.as_str(), s.containers.per_cpu), ("127.0.0.1:1", false));
        assert!(
            !s.shows("container_network_receive_bytes_total") && s.shows("container_cpu_user_seconds_total")
        );
        let s = parse(&["-enable_metrics=cpu,process"]).unwrap();
        assert!(s.containers.processes && !s.shows("container_memory_rss") && s.shows("container_last_seen"));
        assert!(!s.shows("container_fs_reads_total") && !s.shows("container_fs_usage_bytes"));
    }

    #[test]
    fn refusals() {
        let check = |args: &[&str], expected: &str| {
            let error = parse(args).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&["-disable_metrics=cpus"], "unsupported metric \"cpus\" specified in -disable_metrics");
        check(&["-docker=tcp://1.2.3.4:2375"], "only unix:// sockets are supported");
        check(&["-port=high"], "invalid value \"high\" for flag --port");
    }
}
