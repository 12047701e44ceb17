//! What is known about one cgroup, whichever hierarchy it was read from. Absent figures are `None`, so that
//! no zero is ever invented.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Settings, files, network};

/// Limits that were set.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// When the cgroup was made.
    pub created: Option<SystemTime>,
    pub cpu_period: Option<f64>,
    pub cpu_quota: Option<f64>,
    pub cpu_shares: Option<f64>,
    /// Bytes; 0 is no limit.
    pub memory_limit: Option<f64>,
    pub memory_swap_limit: Option<f64>,
    pub memory_reservation: Option<f64>,
}

#[derive(Debug, Clone, Default)]
pub struct Stats {
    pub cpu: Option<Cpu>,
    pub memory: Option<Memory>,
    pub devices: Vec<BlockDevice>,
    pub network: Vec<Interface>,
    pub file_systems: Vec<FileSystem>,
    pub pressure: Pressure,
    pub processes: Option<f64>,
    pub threads: Option<f64>,
    pub threads_max: Option<f64>,
    pub oom_events: Option<f64>,
    /// The cgroup's first process, whose view of the network is the container's.
    pub first_pid: Option<String>,
}

/// Seconds.
#[derive(Debug, Clone, Default)]
pub struct Cpu {
    pub usage: f64,
    pub user: f64,
    pub system: f64,
    pub per_cpu: Vec<f64>,
    pub periods: Option<f64>,
    pub throttled_periods: Option<f64>,
    pub throttled: Option<f64>,
    pub burst_periods: Option<f64>,
    pub burst: Option<f64>,
}

/// Bytes, except the counts.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub usage: f64,
    pub max_usage: Option<f64>,
    pub cache: f64,
    pub rss: f64,
    pub swap: f64,
    pub mapped_file: f64,
    pub kernel: Option<f64>,
    pub active_file: f64,
    pub inactive_file: f64,
    pub fail_count: f64,
    pub page_faults: f64,
    pub major_faults: f64,
}

impl Memory {
    /// Usage without the page cache that can be dropped at once; what the kernel's OOM killer looks at.
    pub fn working_set(&self) -> f64 {
        (self.usage - self.inactive_file).max(0.0)
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct BlockDevice {
    pub major: String,
    pub minor: String,
    /// `/dev/sda`.
    pub name: String,
    /// Operation (`Read`, `Write`, ...) and bytes.
    pub bytes: Vec<(String, f64)>,
    pub requests: Vec<(String, f64)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    pub name: String,
    /// Bytes, packets, errors, drops.
    pub receive: [f64; 4],
    pub transmit: [f64; 4],
}

#[derive(Debug, Clone, PartialEq)]
pub struct FileSystem {
    pub device: String,
    pub limit: f64,
    pub usage: f64,
    pub inodes: f64,
    pub inodes_free: f64,
}

/// Seconds waited (some) and stalled (full).
#[derive(Debug, Clone, Default)]
pub struct Pressure {
    pub cpu: Option<(f64, f64)>,
    pub memory: Option<(f64, f64)>,
    pub io: Option<(f64, f64)>,
}

/// `some ... total=1\nfull ... total=2`, in microseconds. CPU pressure of old kernels has no `full` line.
pub fn stall(text: &str) -> Option<(f64, f64)> {
    let total = |kind: &str| {
        let line = text.lines().find(|l| l.starts_with(kind))?;
        files::pair(line, "total").map(|us| us / 1e6)
    };
    total("some").map(|some| (some, total("full").unwrap_or(0.0)))
}

/// Device names by number, each looked up once a collection.
pub struct DeviceNames {
    sys: PathBuf,
    known: RefCell<HashMap<(String, String), String>>,
}

impl DeviceNames {
    pub fn new(sys: &Path) -> DeviceNames {
        DeviceNames { sys: sys.to_owned(), known: RefCell::default() }
    }

    /// `/dev/sda` for `8`, `0`; empty when the kernel does not know it any more.
    pub fn name(&self, major: &str, minor: &str) -> String {
        let key = (major.to_owned(), minor.to_owned());
        let mut known = self.known.borrow_mut();
        let lookup = || {
            let text = files::text(&self.sys.join(format!("dev/block/{major}:{minor}/uevent")));
            let name = text.lines().find_map(|l| l.strip_prefix("DEVNAME=")).map(|n| format!("/dev/{n}"));
            name.unwrap_or_default()
        };
        known.entry(key).or_insert_with(lookup).clone()
    }
}

/// The root cgroup lacks some files; the machine's own figures stand in.
pub fn fill_root(stats: &mut Stats, settings: &Settings) {
    stats.network = network::of_host(&settings.proc);
    stats.file_systems = root_file_system(settings).into_iter().collect();
    let meminfo = files::text(&settings.proc.join("meminfo"));
    let bytes = |key: &str| {
        let line = meminfo.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))?;
        line.split_ascii_whitespace().next()?.parse::<f64>().ok().map(|kb| kb * 1024.0)
    };
    if stats.memory.as_ref().is_none_or(|m| m.usage == 0.0)
        && let (Some(total), Some(free)) = (bytes("MemTotal"), bytes("MemFree"))
    {
        let memory = stats.memory.get_or_insert_default();
        memory.usage = total - free;
        if memory.inactive_file == 0.0 {
            memory.inactive_file = bytes("Inactive(file)").unwrap_or(0.0);
            memory.active_file = bytes("Active(file)").unwrap_or(0.0);
        }
        if memory.cache == 0.0 {
            memory.cache = bytes("Cached").unwrap_or(0.0);
            memory.rss = bytes("AnonPages").unwrap_or(0.0);
            memory.mapped_file = bytes("Mapped").unwrap_or(0.0);
        }
    }
    if stats.devices.is_empty() {
        stats.devices = disk_stats(&files::text(&settings.proc.join("diskstats")));
    }
    for (slot, file) in [
        (&mut stats.pressure.cpu, "cpu"),
        (&mut stats.pressure.memory, "memory"),
        (&mut stats.pressure.io, "io"),
    ] {
        if slot.is_none() {
            *slot = stall(&files::text(&settings.proc.join("pressure").join(file)));
        }
    }
}

/// Whole disks of `/proc/diskstats`: partitions and memory devices are left out.
fn disk_stats(text: &str) -> Vec<BlockDevice> {
    let mut devices = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [major, minor, name, rest @ ..] = &fields[..] else { continue };
        let field = |i: usize| rest.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        let partition = devices.iter().any(|d: &BlockDevice| {
            let disk = d.name.trim_start_matches("/dev/");
            name.strip_prefix(disk)
                .is_some_and(|r| r.trim_start_matches('p').bytes().all(|b| b.is_ascii_digit()))
        });
        if partition || name.starts_with("ram") || name.starts_with("loop") || field(0) + field(4) == 0.0 {
            continue;
        }
        let pair = |read: f64, write: f64| vec![("Read".to_owned(), read), ("Write".to_owned(), write)];
        devices.push(BlockDevice {
            major: (*major).to_owned(),
            minor: (*minor).to_owned(),
            name: format!("/dev/{name}"),
            bytes: pair(field(2) * 512.0, field(6) * 512.0),
            requests: pair(field(0), field(4)),
        });
    }
    devices
}

/// The file system that `/` is on.
fn root_file_system(settings: &Settings) -> Option<FileSystem> {
    use std::os::unix::ffi::OsStrExt;
    let mounts = files::text(&settings.proc.join("self/mounts"));
    let root = settings.root.to_str()?;
    let device = mounts.lines().rev().find_map(|l| {
        let mut fields = l.split(' ');
        let (device, point) = (fields.next()?, fields.next()?);
        (point == root).then_some(device)
    });
    let device = device?.to_owned();
    let path = std::ffi::CString::new(settings.root.as_os_str().as_bytes()).ok()?;
    // SAFETY: the path ends with a zero byte and the structure is valid for the call to fill.
    let (code, buf) = unsafe {
        let mut buf = std::mem::zeroed::<libc::statfs64>();
        (libc::statfs64(path.as_ptr(), &mut buf), buf)
    };
    let block = buf.f_bsize as f64;
    (code == 0).then_some(FileSystem {
        device,
        limit: buf.f_blocks as f64 * block,
        usage: (buf.f_blocks as f64 - buf.f_bfree as f64) * block,
        inodes: buf.f_files as f64,
        inodes_free: buf.f_ffree as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_without_partitions() {
        let text = " 8 0 sda 10 0 4 0 20 0 8 0 0 0 0\n 8 1 sda1 1 0 1 0 1 0 1 0\n 1 0 ram0 0 0 0 0 0\n 259 0 nvme0n1 1 0 2 0 0 0 0\n 259 1 nvme0n1p1 1 0 2 0 0 0 0\n";
        let names: Vec<String> = disk_stats(text).into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["/dev/sda", "/dev/nvme0n1"]);
        let sda = &disk_stats(text)[0];
        assert_eq!(sda.bytes, [("Read".to_owned(), 2048.0), ("Write".to_owned(), 4096.0)]);
        assert_eq!(disk_stats("garbage\n8 0\n"), []);
    }

    #[test]
    fn stalls() {
        assert_eq!(stall("some avg10=0.00 total=2000000\nfull avg10=0 total=1000000\n"), Some((2.0, 1.0)));
        assert_eq!(stall("some total=5\n"), Some((5e-6, 0.0)));
        assert_eq!(stall(""), None);
    }
}
