//! The original's end-to-end fixtures: for every collector we have, its expected lines are ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{scrape, ttar};
use crate::{DeviceFilter, Settings};

fn fixtures() -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/node_exporter"));
    if path.join("e2e-output.txt").exists() {
        return Some(path.to_owned());
    }
    println!("skipped: no node_exporter fixtures at {}", path.display());
    None
}

/// Prefixes of the families that our collectors emit and the expected output contains.
const FAMILIES: &[&str] = &[
    "node_arp_",
    "node_boot_time_seconds",
    "node_context_switches_total",
    "node_cooling_device_",
    "node_cpu_bug_info",
    "node_cpu_core_throttles_total",
    "node_cpu_flag_info",
    "node_cpu_frequency_",
    "node_cpu_guest_seconds_total",
    "node_cpu_info",
    "node_cpu_isolated",
    "node_cpu_package_throttles_total",
    "node_cpu_scaling_",
    "node_cpu_seconds_total",
    "node_disk_",
    "node_dmi_info",
    "node_entropy_",
    "node_filefd_",
    "node_forks_total",
    "node_interrupts_total",
    "node_intr_total",
    "node_kernel_hung_",
    "node_load",
    "node_memory_",
    "node_netstat_",
    "node_network_address_assign_type",
    "node_network_carrier",
    "node_network_device_id",
    "node_network_dormant",
    "node_network_flags",
    "node_network_iface_",
    "node_network_info",
    "node_network_mtu_bytes",
    "node_network_name_assign_type",
    "node_network_net_dev_group",
    "node_network_protocol_type",
    "node_network_speed_bytes",
    "node_network_transmit_queue_length",
    "node_network_up",
    "node_nf_conntrack_",
    "node_os_",
    "node_pressure_",
    "node_processes_",
    "node_procs_",
    "node_schedstat_",
    "node_sockstat_",
    "node_softirqs_",
    "node_softnet_",
    "node_textfile_scrape_error",
    "node_thermal_zone_",
    "node_time_clocksource_",
    "node_udp_queues",
    "node_vmstat_",
    "testmetric",
];

const COLLECTORS: &[&str] = &[
    "arp",
    "conntrack",
    "cpu",
    "cpufreq",
    "diskstats",
    "dmi",
    "entropy",
    "filefd",
    "interrupts",
    "kernel_hung",
    "loadavg",
    "meminfo",
    "netclass",
    "netstat",
    "os",
    "pressure",
    "processes",
    "schedstat",
    "sockstat",
    "softirqs",
    "softnet",
    "stat",
    "textfile",
    "thermal_zone",
    "time",
    "udp_queues",
    "vmstat",
];

#[test]
fn end_to_end_output_of_the_original() {
    let Some(fixtures) = fixtures() else { return };
    let unpacked = tempfile::tempdir().unwrap();
    for archive in ["sys.ttar", "udev.ttar"] {
        ttar::unpack(&std::fs::read_to_string(fixtures.join(archive)).unwrap(), unpacked.path());
    }
    let mut settings = Settings::new().unwrap();
    settings.paths.proc = fixtures.join("proc");
    settings.paths.sys = unpacked.path().join("sys");
    settings.paths.root = fixtures.clone();
    settings.paths.udev = unpacked.path().join("udev/data");
    settings.arp_devices = DeviceFilter::new("", "nope").unwrap();
    settings.cpu_info = true;
    settings.cpu_flags = Some(re2::Regex::new("^(aes|avx.?|constant_tsc)$").unwrap());
    settings.cpu_bugs = Some(re2::Regex::new("^(cpu_meltdown|spectre_.*|mds)$").unwrap());
    settings.net_class_ignored = DeviceFilter::new("", "(dmz|int)").unwrap();
    settings.net_class_ignore_invalid_speed = true;
    settings.stat_softirq = true;
    settings.textfile_directories = vec![fixtures.join("textfile/two_metric_files").display().to_string()];
    let ours = scrape(settings, COLLECTORS);

    // The fixtures' own paths are in two help texts.
    let theirs = std::fs::read_to_string(fixtures.join("e2e-output.txt")).unwrap();
    let theirs = theirs.replace("collector/fixtures/", &format!("{}/", fixtures.display()));
    let mine = |line: &&str| {
        let name = line.strip_prefix("# HELP ").or(line.strip_prefix("# TYPE ")).unwrap_or(line);
        FAMILIES.iter().any(|prefix| name.starts_with(prefix)) && !name.starts_with("node_memory_numa")
    };
    let expected: Vec<&str> = theirs.lines().filter(mine).collect();
    let actual: Vec<&str> = ours.lines().filter(mine).collect();
    let (wanted, got): (BTreeSet<_>, BTreeSet<_>) = (expected.iter().collect(), actual.iter().collect());
    let missing: Vec<_> = wanted.difference(&got).map(|l| format!("- {l}")).collect();
    let extra: Vec<_> = got.difference(&wanted).map(|l| format!("+ {l}")).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{}\n{}", missing.join("\n"), extra.join("\n"));
    assert_eq!(expected, actual, "same lines in another order");
    for collector in COLLECTORS {
        let line = format!("node_scrape_collector_success{{collector=\"{collector}\"}} 1\n");
        assert!(ours.contains(&line), "{collector} failed");
    }
}

#[test]
fn textfile_cases_of_the_original() {
    let Some(fixtures) = fixtures() else { return };
    let mut cases = 0;
    for entry in std::fs::read_dir(fixtures.join("textfile")).unwrap() {
        let out = entry.unwrap().path();
        if out.extension().is_none_or(|e| e != "out") {
            continue;
        }
        let name = out.file_stem().unwrap().to_string_lossy().into_owned();
        let directory = match name.as_str() {
            "glob_extra_dimension" => "*_extra_dimension".to_owned(),
            name => name.to_owned(),
        };
        let mut settings = Settings::new().unwrap();
        settings.textfile_directories = vec![fixtures.join("textfile").join(directory).display().to_string()];
        let ours = scrape(settings, &["textfile"]);
        let keep =
            |line: &&str| !line.contains("node_scrape_collector") && !line.starts_with("node_textfile_mtime");
        let expected = std::fs::read_to_string(&out).unwrap();
        let expected = expected.replace("fixtures/textfile/", &format!("{}/textfile/", fixtures.display()));
        let expected: Vec<&str> = expected.lines().filter(keep).collect();
        let actual: Vec<&str> = ours.lines().filter(keep).collect();
        assert_eq!(expected, actual, "{name}");
        cases += 1;
    }
    assert!(cases >= 10, "only {cases} cases found");
}
