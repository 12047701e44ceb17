//! Small trees of our own: what must hold on any machine.

use std::fs;
use std::path::Path;

use super::scrape;
use crate::{NodeCollector, Settings};

/// Settings whose `/proc`, `/sys` and `/` are the given files below a temporary directory.
fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Settings) {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let mut settings = Settings::new().unwrap();
    let under = |name: &str| dir.path().join(name);
    settings.paths.proc = under("proc");
    settings.paths.sys = under("sys");
    settings.paths.root = under("root");
    settings.paths.udev = under("udev");
    (dir, settings)
}

/// The sample lines of one collector over the given files.
fn samples(collector: &str, files: &[(&str, &str)]) -> String {
    let (_dir, settings) = tree(files);
    let text = scrape(settings, &[collector]);
    text.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect()
}

#[test]
fn collectors_over_small_files() {
    let check = |collector: &str, files: &[(&str, &str)], expected: &[&str]| {
        let got = samples(collector, files);
        for line in expected {
            assert!(got.contains(&format!("{line}\n")), "{collector}: no {line:?} in\n{got}");
        }
    };
    check(
        "loadavg",
        &[("proc/loadavg", "0.21 0.37 0.39 1/719 19737\n")],
        &["node_load1 0.21", "node_load15 0.39"],
    );
    check(
        "meminfo",
        &[("proc/meminfo", "MemTotal:  2 kB\nActive(anon): 1 kB\nHugePages_Total: 3\nUnknownThing: 9 kB\n")],
        &[
            "node_memory_MemTotal_bytes 2048",
            "node_memory_Active_anon_bytes 1024",
            "node_memory_HugePages_Total 3",
        ],
    );
    check(
        "netdev",
        &[
            (
                "proc/net/dev",
                "Inter-|\n face |\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n eth0:1: 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
            ),
            ("sys/class/net/eth0/statistics/rx_nohandler", "17\n"),
        ],
        &[
            "node_network_receive_bytes_total{device=\"eth0\"} 1",
            "node_network_receive_multicast_total{device=\"eth0\"} 8",
            "node_network_receive_nohandler_total{device=\"eth0\"} 17",
            "node_network_transmit_carrier_total{device=\"eth0\"} 15",
            "node_network_receive_bytes_total{device=\"eth0:1\"} 1",
        ],
    );
    check(
        "tcpstat",
        &[(
            "proc/net/tcp",
            "  sl\n 0: 0100007F:2382 00000000:0000 0A 00000001:00000002 0\n 1: a b 01 00000010:00000000 0\n",
        )],
        &[
            "node_tcp_connection_states{state=\"listen\"} 1",
            "node_tcp_connection_states{state=\"established\"} 1",
            "node_tcp_connection_states{state=\"tx_queued_bytes\"} 17",
            "node_tcp_connection_states{state=\"rx_queued_bytes\"} 2",
        ],
    );
    check(
        "processes",
        &[
            ("proc/7/stat", "7 (a) b) c) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 1\n"),
            ("proc/7/task/7/stat", "7 (a) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 1\n"),
            ("proc/7/task/8/stat", "8 (a) R 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 1\n"),
            ("proc/sys/kernel/threads-max", "10\n"),
            ("proc/sys/kernel/pid_max", "20\n"),
        ],
        &[
            "node_processes_pids 1",
            "node_processes_threads 2",
            "node_processes_state{state=\"S\"} 1",
            "node_processes_threads_state{thread_state=\"R\"} 1",
        ],
    );
    check(
        "filesystem",
        &[
            (
                "proc/self/mountinfo",
                "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 0 0:5 / /proc rw - proc proc rw\n3 0 8:2 / /gone ro - xfs /dev/sdb rw\n",
            ),
            ("root/x", ""),
        ],
        &[
            "node_filesystem_device_error{device=\"/dev/sda1\",device_error=\"\",fstype=\"ext4\",mountpoint=\"/\"} 0",
            "node_filesystem_mount_info{device=\"/dev/sda1\",major=\"8\",minor=\"1\",mountpoint=\"/\"} 1",
            "node_filesystem_device_error{device=\"/dev/sdb\",device_error=\"no such file or directory\",fstype=\"xfs\",mountpoint=\"/gone\"} 1",
            "node_filesystem_readonly{device=\"/dev/sdb\",device_error=\"no such file or directory\",fstype=\"xfs\",mountpoint=\"/gone\"} 1",
        ],
    );
    check(
        "selinux",
        &[("sys/fs/selinux/enforce", "1"), ("root/etc/selinux/config", "# x\nSELINUX=permissive\n")],
        &["node_selinux_enabled 1", "node_selinux_config_mode 0", "node_selinux_current_mode 1"],
    );
}

#[test]
fn a_broken_or_absent_source_fails_its_collector_only() {
    for (collector, files) in [
        ("pressure", &[][..]),
        ("loadavg", &[("proc/loadavg", "lots\n")]),
        ("stat", &[("proc/stat", "ctxt many\n")]),
        ("diskstats", &[("proc/diskstats", "8\n")]),
        ("netstat", &[("proc/net/netstat", "A: x\nB: 1\n"), ("proc/net/snmp", "")]),
        ("schedstat", &[]),
        ("conntrack", &[]),
        ("filefd", &[("proc/sys/fs/file-nr", "1 2\n")]),
        ("softnet", &[("proc/net/softnet_stat", "zz\n")]),
    ] {
        let (_dir, mut settings) = tree(files);
        settings.paths.root = "/".into();
        let text = scrape(settings, &[collector, "uname"]);
        let success =
            |name: &str, v: u8| format!("node_scrape_collector_success{{collector=\"{name}\"}} {v}\n");
        assert!(text.contains(&success(collector, 0)), "{collector}:\n{text}");
        assert!(text.contains(&success("uname", 1)) && text.contains("node_uname_info{"), "{text}");
    }
}

#[test]
fn random_bytes_never_panic() {
    const SEASONING: &[u8] = b"0129afAF: \n\t-.)(=,cpu\\\"\xff";
    // A fixed sequence of pseudo-random bytes, seasoned with what parsers look for.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |len: usize| -> Vec<u8> {
        (0..len)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                SEASONING[(state % SEASONING.len() as u64) as usize]
            })
            .collect()
    };
    let files = [
        "stat",
        "meminfo",
        "loadavg",
        "diskstats",
        "vmstat",
        "net/dev",
        "net/snmp",
        "net/netstat",
        "net/snmp6",
        "net/arp",
        "net/tcp",
        "net/udp",
        "net/sockstat",
        "net/softnet_stat",
        "net/stat/nf_conntrack",
        "schedstat",
        "softirqs",
        "interrupts",
        "cpuinfo",
        "pressure/cpu",
        "1/stat",
        "1/mountinfo",
        "sys/fs/file-nr",
    ];
    for round in 0..40 {
        let (dir, mut settings) = tree(&[]);
        for file in files {
            let path = dir.path().join("proc").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, noise(1 + round * 17)).unwrap();
        }
        settings.cpu_info = true;
        let all: Vec<&str> = crate::TABLE.iter().map(|c| c.name).collect();
        assert!(scrape(settings, &all).contains("node_scrape_collector_success"));
    }
}

#[test]
fn selection_of_collectors() {
    let mut settings = Settings::new().unwrap();
    settings.enabled = ["cpu", "loadavg", "stat"].into();
    let c = NodeCollector::new(settings);
    let names = |collect: &[&str], exclude: &[&str]| {
        c.select(collect, exclude).map(|s| s.0.iter().map(|c| c.name).collect::<Vec<_>>())
    };
    assert_eq!(names(&[], &[]).unwrap(), ["cpu", "loadavg", "stat"]);
    assert_eq!(names(&["stat", "cpu", "stat"], &[]).unwrap(), ["stat", "cpu"]);
    assert_eq!(names(&[], &["cpu", "nonsense"]).unwrap(), ["loadavg", "stat"]);
    let prefix = "Couldn't create filtered metrics handler: couldn't create collector: ";
    let check = |collect: &[&str], exclude: &[&str], expected: &str| {
        assert_eq!(names(collect, exclude).unwrap_err(), expected);
    };
    check(&["foo"], &[], &format!("{prefix}missing collector: foo"));
    check(&["processes"], &[], &format!("{prefix}disabled collector: processes"));
    check(&["wifi"], &[], &format!("{prefix}disabled collector: wifi"));
    check(&["cpu"], &["stat"], "Combined collect and exclude queries are not allowed.");
}

#[test]
fn the_tables_are_sorted_and_disjoint() {
    assert!(crate::TABLE.is_sorted_by_key(|c| c.name) && crate::ORIGINAL_ONLY.is_sorted());
    for c in crate::TABLE {
        assert!(!crate::ORIGINAL_ONLY.contains(&c.name), "{}", c.name);
    }
}

#[test]
fn this_host_can_be_scraped() {
    if !Path::new("/proc/stat").exists() {
        println!("skipped: no /proc here");
        return;
    }
    let text = scrape(Settings::new().unwrap(), &["cpu", "meminfo", "uname", "time", "stat"]);
    for start in [
        "node_cpu_seconds_total{cpu=\"",
        "node_memory_MemTotal_bytes ",
        "node_uname_info{",
        "node_time_seconds 1",
    ] {
        assert!(text.contains(start), "no {start}");
    }
}
