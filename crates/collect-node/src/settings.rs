//! What a node collector needs to know: where the kernel's files are, which collectors run, their filters.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use re2::Regex;

use crate::collectors::TABLE;
use crate::filter::DeviceFilter;

/// The four mount points, as the original's `--path.*` flags.
#[derive(Debug, Clone)]
pub struct Paths {
    pub proc: PathBuf,
    pub sys: PathBuf,
    pub root: PathBuf,
    pub udev: PathBuf,
}

impl Paths {
    pub fn proc(&self, file: &str) -> PathBuf {
        self.proc.join(file)
    }

    pub fn sys(&self, file: &str) -> PathBuf {
        self.sys.join(file)
    }

    /// `path` (absolute, as the host sees it) below the root file system.
    pub fn root(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A mount point as the host sees it: without the prefix under which its root is mounted here.
    pub fn strip_root<'a>(&self, mount_point: &'a str) -> &'a str {
        if self.root == Path::new("/") {
            return mount_point;
        }
        match self.root.to_str().and_then(|root| mount_point.strip_prefix(root)) {
            Some("") => "/",
            Some(rest) => rest,
            None => mount_point,
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Paths { proc: "/proc".into(), sys: "/sys".into(), root: "/".into(), udev: "/run/udev/data".into() }
    }
}

#[derive(Debug, Clone)]
pub struct Settings {
    pub paths: Paths,
    /// Names of the collectors that run.
    pub enabled: BTreeSet<&'static str>,
    pub arp_devices: DeviceFilter,
    pub cpu_guest: bool,
    pub cpu_info: bool,
    /// Flags and bugs of `/proc/cpuinfo` to show; none unless a pattern is given.
    pub cpu_flags: Option<Regex>,
    pub cpu_bugs: Option<Regex>,
    pub disk_devices: DeviceFilter,
    pub mount_points: DeviceFilter,
    pub fs_types: DeviceFilter,
    pub hwmon_chips: DeviceFilter,
    pub interrupt_names: DeviceFilter,
    pub interrupt_zeros: bool,
    pub net_class_ignored: DeviceFilter,
    pub net_class_ignore_invalid_speed: bool,
    pub net_devices: DeviceFilter,
    pub power_supplies: DeviceFilter,
    pub netstat_fields: Regex,
    pub vmstat_fields: Regex,
    pub stat_softirq: bool,
    /// Directories or globs with `*.prom` files.
    pub textfile_directories: Vec<String>,
}

/// Patterns of the original for the flags that have one by default.
pub mod defaults {
    pub const DISK_EXCLUDE: &str = r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$";
    pub const MOUNT_EXCLUDE: &str =
        r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
    pub const FS_TYPE_EXCLUDE: &str = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|\
        fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|\
        squashfs|erofs|sysfs|tracefs)$";
    pub const NETSTAT_FIELDS: &str = r"^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$";
    pub const VMSTAT_FIELDS: &str = "^(oom_kill|pgpg|pswp|pg.*fault).*";
}

/// A setting that cannot be used; the text names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// The original's defaults on Linux.
    pub fn new() -> Result<Settings, SettingsError> {
        let filter =
            |include: &str, exclude: &str| DeviceFilter::new(include, exclude).map_err(SettingsError);
        let regex = |pattern: &str| Regex::new(pattern).map_err(|e| SettingsError(e.to_string()));
        Ok(Settings {
            paths: Paths::default(),
            enabled: TABLE.iter().filter(|c| c.by_default).map(|c| c.name).collect(),
            arp_devices: DeviceFilter::default(),
            cpu_guest: true,
            cpu_info: false,
            cpu_flags: None,
            cpu_bugs: None,
            disk_devices: filter("", defaults::DISK_EXCLUDE)?,
            mount_points: filter("", defaults::MOUNT_EXCLUDE)?,
            fs_types: filter("", defaults::FS_TYPE_EXCLUDE)?,
            hwmon_chips: DeviceFilter::default(),
            interrupt_names: DeviceFilter::default(),
            interrupt_zeros: true,
            net_class_ignored: filter("", "^$")?,
            net_class_ignore_invalid_speed: false,
            net_devices: DeviceFilter::default(),
            power_supplies: filter("", "^$")?,
            netstat_fields: regex(defaults::NETSTAT_FIELDS)?,
            vmstat_fields: regex(defaults::VMSTAT_FIELDS)?,
            stat_softirq: false,
            textfile_directories: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_prefix() {
        let host = Paths { root: "/host".into(), ..Paths::default() };
        let check = |given: &str, expected: &str| assert_eq!(host.strip_root(given), expected);
        check("/host", "/");
        check("/host/boot", "/boot");
        check("/boot", "/boot");
        assert_eq!(Paths::default().strip_root("/boot"), "/boot");
        assert_eq!(host.root("/boot"), Path::new("/host/boot"));
    }

    #[test]
    fn default_filters() {
        let s = Settings::new().unwrap();
        for (name, ignored) in [
            ("sda", false),
            ("sda1", true),
            ("nvme0n1", false),
            ("nvme0n1p2", true),
            ("dm-0", false),
            ("loop3", true),
            ("zram0", true),
        ] {
            assert_eq!(s.disk_devices.ignores(name), ignored, "{name}");
        }
        for (name, ignored) in [
            ("/", false),
            ("/proc", true),
            ("/procfs", false),
            ("/dev/shm", true),
            ("/var/lib/docker/overlay2/x", true),
            ("/home", false),
        ] {
            assert_eq!(s.mount_points.ignores(name), ignored, "{name}");
        }
        assert!(s.fs_types.ignores("overlay") && !s.fs_types.ignores("ext4"));
        assert!(!s.enabled.contains("processes") && s.enabled.contains("cpu"));
    }
}
