//! The original's flag table, and what the flags mean.

use collect_node::{DeviceFilter, ORIGINAL_ONLY, TABLE, defaults};
use flags::{Flag, FlagError, Flags};
use re2::Regex;

/// `--collector.<name>` of a collector that exists here.
macro_rules! collector {
    ($name:literal, $on:literal) => {
        Flag::switch(concat!("collector.", $name), $on, concat!("Enable the ", $name, " collector."))
    };
}

/// `--collector.<name>` of a collector that only the original has: switching it off is fine.
macro_rules! absent {
    ($name:literal) => {
        Flag::switch(
            concat!("collector.", $name),
            false,
            concat!("Not available: the ", $name, " collector."),
        )
    };
}

pub const FLAGS: &[Flag] = &[
    Flag::list("web.listen-address", "Address to listen on, :9100 by default. May be repeated."),
    Flag::value("web.telemetry-path", "/metrics", "Path under which to expose metrics."),
    Flag::switch("web.disable-exporter-metrics", false, "Leave out metrics about the exporter itself."),
    Flag::value("web.max-requests", "40", "Scrapes at the same time at most. 0: no limit."),
    Flag::value("path.procfs", "/proc", "Where procfs is mounted."),
    Flag::value("path.sysfs", "/sys", "Where sysfs is mounted."),
    Flag::value("path.rootfs", "/", "Where the host's root is mounted."),
    Flag::value("path.udev.data", "/run/udev/data", "Where udev keeps its database."),
    Flag::switch("collector.disable-defaults", false, "Disable all collectors that are not asked for."),
    Flag::value("collector.arp.device-include", "", "Pattern of devices to show. Not with device-exclude."),
    Flag::value("collector.arp.device-exclude", "", "Pattern of devices to leave out."),
    Flag::switch("collector.arp.netlink", true, "Accepted: figures come from /proc/net/arp either way."),
    Flag::switch("collector.cpu.guest", true, "Show node_cpu_guest_seconds_total."),
    Flag::switch("collector.cpu.info", false, "Show node_cpu_info and frequencies."),
    Flag::value("collector.cpu.info.flags-include", "", "Pattern of CPU flags to show."),
    Flag::value("collector.cpu.info.bugs-include", "", "Pattern of CPU bugs to show."),
    Flag::value(
        "collector.diskstats.device-exclude",
        defaults::DISK_EXCLUDE,
        "Pattern of disks to leave out.",
    ),
    Flag::value(
        "collector.diskstats.device-include",
        "",
        "Pattern of disks to show. Not with device-exclude.",
    ),
    Flag::value(
        "collector.filesystem.mount-points-exclude",
        defaults::MOUNT_EXCLUDE,
        "Pattern of mount points to leave out.",
    ),
    Flag::value(
        "collector.filesystem.mount-points-include",
        "",
        "Pattern of mount points to show. Not with mount-points-exclude.",
    ),
    Flag::value(
        "collector.filesystem.fs-types-exclude",
        defaults::FS_TYPE_EXCLUDE,
        "Pattern of file system types to leave out.",
    ),
    Flag::value(
        "collector.filesystem.fs-types-include",
        "",
        "Pattern of file system types to show. Not with fs-types-exclude.",
    ),
    Flag::value("collector.interrupts.name-include", "", "Pattern of interrupts to show."),
    Flag::value("collector.interrupts.name-exclude", "", "Pattern of interrupts to leave out."),
    Flag::switch("collector.interrupts.include-zeros", true, "Show interrupts that never happened."),
    Flag::value("collector.netclass.ignored-devices", "^$", "Pattern of interfaces to leave out."),
    Flag::switch("collector.netclass.ignore-invalid-speed", false, "Leave out speeds that are no speed."),
    Flag::switch("collector.netclass.netlink", false, "Accepted: figures come from sysfs either way."),
    Flag::value(
        "collector.netdev.device-include",
        "",
        "Pattern of interfaces to show. Not with device-exclude.",
    ),
    Flag::value("collector.netdev.device-exclude", "", "Pattern of interfaces to leave out."),
    Flag::switch("collector.netdev.netlink", true, "Accepted: figures come from /proc/net/dev either way."),
    Flag::value("collector.netstat.fields", defaults::NETSTAT_FIELDS, "Pattern of fields to show."),
    Flag::switch("collector.stat.softirq", false, "Show softirq calls per vector."),
    Flag::list("collector.textfile.directory", "Directory (or glob) with *.prom files. May be repeated."),
    Flag::value("collector.vmstat.fields", defaults::VMSTAT_FIELDS, "Pattern of fields to show."),
    Flag::value("runtime.gomaxprocs", "1", "Accepted: collections run on one thread each."),
    Flag::value("log.level", "info", "Least level that is logged: debug, info, warn, error."),
    Flag::value("log.format", "logfmt", "Form of the log lines: logfmt or json."),
    collector!("arp", true),
    collector!("conntrack", true),
    collector!("cpu", true),
    collector!("cpufreq", true),
    collector!("diskstats", true),
    collector!("dmi", true),
    collector!("entropy", true),
    collector!("filefd", true),
    collector!("filesystem", true),
    collector!("interrupts", false),
    collector!("kernel_hung", true),
    collector!("loadavg", true),
    collector!("meminfo", true),
    collector!("netclass", true),
    collector!("netdev", true),
    collector!("netstat", true),
    collector!("os", true),
    collector!("pressure", true),
    collector!("processes", false),
    collector!("schedstat", true),
    collector!("selinux", true),
    collector!("sockstat", true),
    collector!("softirqs", false),
    collector!("softnet", true),
    collector!("stat", true),
    collector!("tcpstat", false),
    collector!("textfile", true),
    collector!("thermal_zone", true),
    collector!("time", true),
    collector!("timex", true),
    collector!("udp_queues", true),
    collector!("uname", true),
    collector!("vmstat", true),
    absent!("bcache"),
    absent!("bcachefs"),
    absent!("bonding"),
    absent!("btrfs"),
    absent!("buddyinfo"),
    absent!("cgroups"),
    absent!("cpu_vulnerabilities"),
    absent!("dmmultipath"),
    absent!("drbd"),
    absent!("drm"),
    absent!("edac"),
    absent!("ethtool"),
    absent!("fibrechannel"),
    absent!("hwmon"),
    absent!("infiniband"),
    absent!("ipvs"),
    absent!("ksmd"),
    absent!("lnstat"),
    absent!("logind"),
    absent!("mdadm"),
    absent!("meminfo_numa"),
    absent!("mountstats"),
    absent!("network_route"),
    absent!("nfs"),
    absent!("nfsd"),
    absent!("ntp"),
    absent!("nvme"),
    absent!("nvmesubsystem"),
    absent!("pcidevice"),
    absent!("perf"),
    absent!("powersupplyclass"),
    absent!("qdisc"),
    absent!("rapl"),
    absent!("runit"),
    absent!("slabinfo"),
    absent!("supervisord"),
    absent!("swap"),
    absent!("sysctl"),
    absent!("systemd"),
    absent!("tapestats"),
    absent!("watchdog"),
    absent!("wifi"),
    absent!("xfrm"),
    absent!("xfs"),
    absent!("zfs"),
    absent!("zoneinfo"),
];

/// Flags that differ from the original when the whole stack runs: the bundled dashboards show processes.
pub const UP_DEFAULTS: &[(&str, &str)] = &[("collector.processes", "true")];

/// What the flags mean.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: Vec<String>,
    pub telemetry_path: String,
    pub exporter_metrics: bool,
    pub max_requests: usize,
    pub node: collect_node::Settings,
}

impl Settings {
    pub fn from_flags(flags: &Flags) -> Result<Settings, FlagError> {
        let listen = match flags.all("web.listen-address") {
            [] => vec![":9100".to_owned()],
            given => given.to_vec(),
        };
        Ok(Settings {
            listen,
            telemetry_path: crate::telemetry_path(flags.get("web.telemetry-path")),
            exporter_metrics: !flags.is_on("web.disable-exporter-metrics"),
            max_requests: flags.number("web.max-requests")?,
            node: node(flags)?,
        })
    }
}

fn node(flags: &Flags) -> Result<collect_node::Settings, FlagError> {
    let mut node = collect_node::Settings::new().map_err(|e| FlagError::Bad(e.to_string()))?;
    let path = |name: &str| flags.get(name).into();
    node.paths = collect_node::Paths {
        proc: path("path.procfs"),
        sys: path("path.sysfs"),
        root: path("path.rootfs"),
        udev: path("path.udev.data"),
    };
    node.enabled = enabled(flags)?;
    node.arp_devices = filter(flags, "collector.arp.device")?;
    node.disk_devices = filter(flags, "collector.diskstats.device")?;
    node.mount_points = filter(flags, "collector.filesystem.mount-points")?;
    node.fs_types = filter(flags, "collector.filesystem.fs-types")?;
    node.interrupt_names = filter(flags, "collector.interrupts.name")?;
    node.net_devices = filter(flags, "collector.netdev.device")?;
    node.net_class_ignored = DeviceFilter::new("", flags.get("collector.netclass.ignored-devices"))
        .map_err(|e| bad("collector.netclass.ignored-devices", &e))?;
    node.net_class_ignore_invalid_speed = flags.is_on("collector.netclass.ignore-invalid-speed");
    node.cpu_guest = flags.is_on("collector.cpu.guest");
    node.cpu_flags = optional(flags, "collector.cpu.info.flags-include")?;
    node.cpu_bugs = optional(flags, "collector.cpu.info.bugs-include")?;
    // Asking for flags or bugs asks for the information they are part of.
    node.cpu_info = flags.is_on("collector.cpu.info") || node.cpu_flags.is_some() || node.cpu_bugs.is_some();
    node.interrupt_zeros = flags.is_on("collector.interrupts.include-zeros");
    node.netstat_fields = regex(flags, "collector.netstat.fields")?;
    node.vmstat_fields = regex(flags, "collector.vmstat.fields")?;
    node.stat_softirq = flags.is_on("collector.stat.softirq");
    node.textfile_directories = flags.all("collector.textfile.directory").to_vec();
    Ok(node)
}

fn enabled(flags: &Flags) -> Result<std::collections::BTreeSet<&'static str>, FlagError> {
    if let Some(name) = ORIGINAL_ONLY.iter().find(|name| flags.is_on(&format!("collector.{name}"))) {
        return Err(FlagError::Bad(format!("the collector {name} is not available (--collector.{name})")));
    }
    let wanted = |name: &str| {
        let flag = format!("collector.{name}");
        flags.is_on(&flag) && (flags.is_given(&flag) || !flags.is_on("collector.disable-defaults"))
    };
    Ok(TABLE.iter().map(|c| c.name).filter(|name| wanted(name)).collect())
}

/// A pair of `-include` and `-exclude` flags: both together are refused, and an include takes the place of
/// the default exclude.
fn filter(flags: &Flags, stem: &str) -> Result<DeviceFilter, FlagError> {
    let (include, exclude) = (format!("{stem}-include"), format!("{stem}-exclude"));
    let given = |name: &str| flags.is_given(name) && !flags.get(name).is_empty();
    if given(&include) && given(&exclude) {
        return Err(FlagError::Bad(format!("--{include} and --{exclude} are mutually exclusive")));
    }
    let excluded = if given(&include) { "" } else { flags.get(&exclude) };
    DeviceFilter::new(flags.get(&include), excluded).map_err(|e| bad(stem, &e))
}

fn optional(flags: &Flags, name: &str) -> Result<Option<Regex>, FlagError> {
    if flags.get(name).is_empty() { Ok(None) } else { regex(flags, name).map(Some) }
}

fn regex(flags: &Flags, name: &str) -> Result<Regex, FlagError> {
    Regex::new(flags.get(name)).map_err(|e| bad(name, &e.to_string()))
}

fn bad(name: &str, message: &str) -> FlagError {
    FlagError::Bad(format!("invalid pattern for --{name}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Settings, FlagError> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Settings::from_flags(&Flags::parse("node_exporter", FLAGS, &args)?)
    }

    #[test]
    fn every_collector_has_its_switch() {
        for collector in TABLE {
            let flag = FLAGS.iter().find(|f| f.name == format!("collector.{}", collector.name));
            let flag = flag.unwrap_or_else(|| panic!("no switch for {}", collector.name));
            assert_eq!(flag.default, collector.by_default.to_string(), "{}", collector.name);
        }
        for name in ORIGINAL_ONLY {
            assert!(FLAGS.iter().any(|f| f.name == format!("collector.{name}")), "no switch for {name}");
        }
    }

    #[test]
    fn enabling_and_disabling() {
        let check = |args: &[&str], expected: &[&str]| {
            let enabled: Vec<&str> = parse(args).unwrap().node.enabled.into_iter().collect();
            assert_eq!(enabled, expected, "{args:?}");
        };
        check(
            &["--collector.disable-defaults", "--collector.cpu", "--collector.processes"],
            &["cpu", "processes"],
        );
        check(&["--collector.disable-defaults", "--no-collector.zfs"], &[]);
        let defaults = parse(&[]).unwrap();
        assert!(defaults.node.enabled.contains("cpu") && !defaults.node.enabled.contains("processes"));
        assert_eq!((defaults.listen, defaults.max_requests), (vec![":9100".to_owned()], 40));
        let mut flags = Flags::defaults(FLAGS);
        for (name, value) in UP_DEFAULTS {
            flags.set_default(name, *value);
        }
        assert!(Settings::from_flags(&flags).unwrap().node.enabled.contains("processes"));
    }

    #[test]
    fn include_replaces_the_default_exclude() {
        let s = parse(&["--collector.diskstats.device-include=^sda1$"]).unwrap();
        assert!(!s.node.disk_devices.ignores("sda1") && s.node.disk_devices.ignores("sdb"));
    }

    #[test]
    fn refusals() {
        let check = |args: &[&str], expected: &str| {
            let error = parse(args).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&["--collector.systemd"], "the collector systemd is not available (--collector.systemd)");
        check(
            &["--collector.netdev.device-include=a", "--collector.netdev.device-exclude=b"],
            "mutually exclusive",
        );
        check(&["--collector.vmstat.fields=("], "invalid pattern for --collector.vmstat.fields");
        check(&["--web.max-requests=many"], "web.max-requests");
        check(&["--collector.foo"], "unknown long flag '--collector.foo'");
    }
}
