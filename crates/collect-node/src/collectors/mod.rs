//! The table of collectors: name, whether the original runs it by default, the function behind it.

mod arp;
mod conntrack;
mod cpu;
mod cpufreq;
mod cpuinfo;
mod diskstats;
mod dmi;
mod filesystem;
mod interrupts;
mod kernel_numbers;
mod loadavg;
mod meminfo;
mod mounts;
mod netclass;
mod netdev;
mod netstat;
mod os;
mod pressure;
mod processes;
mod schedstat;
mod sockets;
mod softnet;
mod stat;
mod textfile;
mod thermal;
mod time;
mod timex;
mod udev;
mod uname;
mod vmstat;

use crate::failure::Outcome;
use crate::read::Reader;
use crate::settings::Settings;
use crate::sink::Sink;

/// One row of the table.
pub struct Collector {
    pub name: &'static str,
    /// Whether the original enables it without being asked.
    pub by_default: bool,
    pub(crate) update: fn(&mut Scrape) -> Outcome,
}

/// What a collector gets for one run.
pub(crate) struct Scrape<'a> {
    pub settings: &'a Settings,
    pub state: &'a State,
    pub reader: Reader<'a>,
    pub out: &'a mut Sink,
}

/// What collectors remember between scrapes.
#[derive(Default)]
pub(crate) struct State {
    pub cpu: std::sync::Mutex<cpu::Seen>,
    pub mounts: filesystem::StuckMounts,
}

const fn on(name: &'static str, update: fn(&mut Scrape) -> Outcome) -> Collector {
    Collector { name, by_default: true, update }
}

const fn off(name: &'static str, update: fn(&mut Scrape) -> Outcome) -> Collector {
    Collector { name, by_default: false, update }
}

/// Sorted by name.
pub static TABLE: &[Collector] = &[
    on("arp", arp::update),
    on("conntrack", conntrack::update),
    on("cpu", cpu::update),
    on("cpufreq", cpufreq::update),
    on("diskstats", diskstats::update),
    on("dmi", dmi::update),
    on("entropy", kernel_numbers::entropy),
    on("filefd", kernel_numbers::filefd),
    on("filesystem", filesystem::update),
    off("interrupts", interrupts::interrupts),
    on("kernel_hung", kernel_numbers::kernel_hung),
    on("loadavg", loadavg::update),
    on("meminfo", meminfo::update),
    on("netclass", netclass::update),
    on("netdev", netdev::update),
    on("netstat", netstat::update),
    on("os", os::update),
    on("pressure", pressure::update),
    off("processes", processes::update),
    on("schedstat", schedstat::update),
    on("selinux", kernel_numbers::selinux),
    on("sockstat", sockets::sockstat),
    off("softirqs", interrupts::softirqs),
    on("softnet", softnet::update),
    on("stat", stat::update),
    off("tcpstat", sockets::tcpstat),
    on("textfile", textfile::update),
    on("thermal_zone", thermal::update),
    on("time", time::update),
    on("timex", timex::update),
    on("udp_queues", sockets::udp_queues),
    on("uname", uname::update),
    on("vmstat", vmstat::update),
];

/// Collectors of the original that are not here. Their switches are known, so that `--no-collector.zfs` of
/// an existing unit file is accepted and `--collector.zfs` is refused with a clear text.
pub const ORIGINAL_ONLY: &[&str] = &[
    "bcache",
    "bcachefs",
    "bonding",
    "btrfs",
    "buddyinfo",
    "cgroups",
    "cpu_vulnerabilities",
    "dmmultipath",
    "drbd",
    "drm",
    "edac",
    "ethtool",
    "fibrechannel",
    "hwmon",
    "infiniband",
    "ipvs",
    "ksmd",
    "lnstat",
    "logind",
    "mdadm",
    "meminfo_numa",
    "mountstats",
    "network_route",
    "nfs",
    "nfsd",
    "ntp",
    "nvme",
    "nvmesubsystem",
    "pcidevice",
    "perf",
    "powersupplyclass",
    "qdisc",
    "rapl",
    "runit",
    "slabinfo",
    "supervisord",
    "swap",
    "sysctl",
    "systemd",
    "tapestats",
    "watchdog",
    "wifi",
    "xfrm",
    "xfs",
    "zfs",
    "zoneinfo",
];
