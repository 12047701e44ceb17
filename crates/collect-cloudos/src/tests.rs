//! A whole host in a temporary directory.

use std::path::Path;

use collect_container::ContainerCollector;

use super::*;

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

struct Three;

impl Peers for Three {
    fn health(&self) -> PeerHealth {
        PeerHealth { healthy: 2, unhealthy: 1, unknown: 0 }
    }
}

fn collector(root: &Path, peers: Option<Arc<dyn Peers>>) -> CloudosCollector {
    let mut settings = Settings::new().unwrap();
    settings.node.paths.proc = root.join("proc");
    settings.node.paths.sys = root.join("sys");
    settings.node.paths.root = root.join("root");
    settings.auth_logs = vec![root.join("auth.log")];
    settings.logind = root.join("sessions");
    settings.utmp = root.join("utmp");
    let containers = collect_container::Settings {
        cgroup: root.join("cgroup"),
        proc: root.join("proc"),
        sys: root.join("sys"),
        root: root.join("root"),
        engines: Vec::new(),
        ..collect_container::Settings::default()
    };
    CloudosCollector::new(settings, Arc::new(ContainerCollector::new(containers)), peers)
}

fn text(collector: &CloudosCollector) -> String {
    let mut out = String::new();
    expfmt::encode(&collector.collect(), expfmt::Format::OpenMetrics, &mut out);
    out
}

#[test]
fn a_host_with_one_container() {
    let dir = tempfile::tempdir().unwrap();
    let id = "f".repeat(64);
    write(
        dir.path(),
        &[
            ("proc/stat", "cpu 1 2 3\ncpu0 100 0 100 700 100 0 0 0 0 0\ncpu1 0 0 0 1000 0 0 0 0 0 0\n"),
            (
                "proc/meminfo",
                "MemTotal: 100 kB\nMemFree: 30 kB\nCached: 20 kB\nBuffers: 5 kB\nSReclaimable: 5 kB\n",
            ),
            ("proc/net/dev", "a\nb\n eth0: 11 0 0 0 0 0 0 0 22 0 0 0 0 0 0 0\n"),
            ("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"),
            ("root/x", ""),
            ("cgroup/cgroup.controllers", "cpu memory\n"),
            ("auth.log", ""),
        ],
    );
    write(
        dir.path(),
        &[
            (&format!("cgroup/docker/{id}/memory.current"), "4096\n"),
            (&format!("cgroup/docker/{id}/cpu.stat"), "usage_usec 1\n"),
        ],
    );
    let got = text(&collector(dir.path(), Some(Arc::new(Three))));
    for line in [
        "cloudos_system_cpu_usage_percent{cpu_core=\"0\"} 20",
        "cloudos_system_cpu_usage_percent{cpu_core=\"1\"} 0",
        "cloudos_system_memory_usage_bytes{type=\"total\"} 102400",
        "cloudos_system_memory_usage_bytes{type=\"used\"} 40960",
        "cloudos_system_memory_usage_bytes{type=\"free\"} 30720",
        "cloudos_system_memory_usage_bytes{type=\"cached\"} 30720",
        "cloudos_system_network_bytes_total{direction=\"rx\",interface=\"eth0\"} 11",
        "cloudos_system_network_bytes_total{direction=\"tx\",interface=\"eth0\"} 22",
        "cloudos_container_count{state=\"running\"} 1",
        &format!(
            "cloudos_container_memory_usage_bytes{{container_id=\"{id}\",container_name=\"ffffffffffff\"}} 4096"
        ),
        "cloudos_auth_attempts_total{result=\"failure\"} 0",
        "cloudos_active_sessions 0",
        "cloudos_cluster_nodes_total{state=\"healthy\"} 2",
        "cloudos_cluster_nodes_total{state=\"unhealthy\"} 1",
    ] {
        assert!(got.contains(&format!("{line}\n")), "no {line:?} in\n{got}");
    }
    assert!(
        got.contains("cloudos_system_disk_usage_bytes{device=\"/dev/sda1\",mountpoint=\"/\",type=\"used\"}")
    );
    let strict = expfmt::strict::validate(got.as_bytes());
    assert!(strict.is_ok(), "{strict:?}");
}

#[test]
fn what_has_no_source_is_absent() {
    let dir = tempfile::tempdir().unwrap();
    let got = text(&collector(dir.path(), None));
    let names: Vec<&str> = got.lines().filter_map(|l| l.strip_prefix("# TYPE ")).collect();
    assert_eq!(names, ["cloudos_active_sessions gauge", "cloudos_container_count gauge"], "{got}");
}
