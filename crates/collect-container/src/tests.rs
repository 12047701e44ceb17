//! Fake cgroup trees and a fake engine: what a collection makes of them.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path.replace("ID", ID));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn settings(root: &Path) -> Settings {
    Settings {
        cgroup: root.join("cgroup"),
        proc: root.join("proc"),
        sys: root.join("sys"),
        root: root.join("root"),
        engines: vec![root.join("engine.sock")],
        processes: true,
        ..Settings::default()
    }
}

/// The samples of a collection, without timestamps.
fn samples(settings: Settings) -> String {
    let collector = ContainerCollector::new(settings);
    let mut text = String::new();
    let families = families(&collector.collect(), collector.settings(), "1.0");
    expfmt::encode(&families, expfmt::Format::Text, &mut text);
    let mut out = String::new();
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let parts: Vec<&str> = line.rsplitn(3, ' ').collect();
        // `name value timestamp` or `name value`; label values here hold no spaces before the closing brace.
        match parts[..] {
            [time, value, name] if name.ends_with('}') && time.len() == 13 => {
                out.push_str(&format!("{name} {value}\n"))
            }
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

fn check(got: &str, expected: &[&str]) {
    for line in expected {
        let line = line.replace("ID", ID);
        assert!(got.contains(&format!("{line}\n")), "no {line:?} in\n{got}");
    }
}

/// Answers each request by the table until the listener is dropped with the process.
fn fake_engine(socket: &Path, answers: Vec<(String, String)>) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or("");
            let found = answers.iter().find(|(p, _)| p == path);
            let (status, body) = found.map_or(("404 Not Found", "{}"), |(_, body)| ("200 OK", body.as_str()));
            let _ = write!(stream, "HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n{body}");
        }
    });
}

const V2: &[(&str, &str)] = &[
    ("cgroup/cgroup.controllers", "cpu io memory pids\n"),
    ("cgroup/cpu.stat", "usage_usec 5000000\nuser_usec 3000000\nsystem_usec 2000000\n"),
    ("cgroup/cgroup.procs", "1\n2\n"),
    ("cgroup/system.slice/cpu.stat", "usage_usec 1000000\nuser_usec 1\nsystem_usec 1\n"),
    ("cgroup/system.slice/cgroup.procs", ""),
    (
        "cgroup/system.slice/docker-ID.scope/cpu.stat",
        "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 2\nthrottled_usec 250000\n",
    ),
    ("cgroup/system.slice/docker-ID.scope/cpu.max", "50000 100000\n"),
    ("cgroup/system.slice/docker-ID.scope/cpu.weight", "100\n"),
    ("cgroup/system.slice/docker-ID.scope/memory.current", "1000\n"),
    ("cgroup/system.slice/docker-ID.scope/memory.peak", "2000\n"),
    ("cgroup/system.slice/docker-ID.scope/memory.max", "4096\n"),
    ("cgroup/system.slice/docker-ID.scope/memory.swap.max", "max\n"),
    (
        "cgroup/system.slice/docker-ID.scope/memory.stat",
        "anon 300\nfile 400\ninactive_file 250\nactive_file 150\nfile_mapped 50\npgfault 7\npgmajfault 1\n",
    ),
    ("cgroup/system.slice/docker-ID.scope/memory.events", "low 0\noom 1\noom_kill 3\n"),
    (
        "cgroup/system.slice/docker-ID.scope/io.stat",
        "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/memory.pressure",
        "some avg10=0.00 total=1500000\nfull avg10=0.00 total=500000\n",
    ),
    ("cgroup/system.slice/docker-ID.scope/pids.current", "4\n"),
    ("cgroup/system.slice/docker-ID.scope/pids.max", "max\n"),
    ("cgroup/system.slice/docker-ID.scope/cgroup.procs", "77\n78\n"),
    ("cgroup/dev-mqueue.mount/cpu.stat", "usage_usec 1\n"),
    ("sys/dev/block/8:0/uevent", "MAJOR=8\nDEVNAME=sda\n"),
    ("proc/77/net/dev", "a\nb\n  eth0: 11 12 0 0 0 0 0 0 21 22 0 0\n"),
    ("proc/1/net/dev", "a\nb\n  lo: 1 1\n  eth9: 31 0 0 0 0 0 0 0 41 0 0 0\n"),
    ("proc/meminfo", "MemTotal: 10 kB\nMemFree: 4 kB\nInactive(file): 1 kB\n"),
    ("proc/cpuinfo", "processor : 0\nprocessor : 1\n"),
    ("root/etc/machine-id", "m1\n"),
];

#[test]
fn unified_hierarchy_without_an_engine() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), V2);
    let got = samples(settings(dir.path()));
    let c = |rest: &str| format!("id=\"/system.slice/docker-ID.scope\",image=\"\",{rest}name=\"\"");
    check(
        &got,
        &[
            "container_cpu_usage_seconds_total{cpu=\"total\",id=\"/\",image=\"\",name=\"\"} 5",
            &format!("container_cpu_usage_seconds_total{{cpu=\"total\",{}}} 1.5", c("")),
            &format!("container_cpu_cfs_throttled_seconds_total{{{}}} 0.25", c("")),
            &format!("container_spec_cpu_quota{{{}}} 50000", c("")),
            &format!("container_spec_cpu_shares{{{}}} 2597", c("")),
            &format!("container_spec_memory_limit_bytes{{{}}} 4096", c("")),
            &format!("container_spec_memory_swap_limit_bytes{{{}}} 0", c("")),
            &format!("container_memory_working_set_bytes{{{}}} 750", c("")),
            &format!("container_memory_max_usage_bytes{{{}}} 2000", c("")),
            &format!("container_memory_rss{{{}}} 300", c("")),
            &format!(
                "container_memory_failures_total{{failure_type=\"pgfault\",{},scope=\"hierarchy\"}} 7",
                c("")
            ),
            &format!("container_oom_events_total{{{}}} 3", c("")),
            &format!("container_fs_reads_bytes_total{{device=\"/dev/sda\",{}}} 10", c("")),
            &format!(
                "container_blkio_device_usage_total{{device=\"/dev/sda\",{},operation=\"Write\"}} 20",
                c("").replace("name", "major=\"8\",minor=\"0\",name")
            ),
            &format!("container_pressure_memory_waiting_seconds_total{{{}}} 1.5", c("")),
            &format!("container_processes{{{}}} 2", c("")),
            &format!("container_threads_max{{{}}} 0", c("")),
            &format!("container_network_transmit_bytes_total{{{}}} 21", c("interface=\"eth0\",")),
            &format!("container_health_state{{{}}} -1", c("")),
            "container_network_receive_bytes_total{id=\"/\",image=\"\",interface=\"eth9\",name=\"\"} 31",
            "container_memory_usage_bytes{id=\"/\",image=\"\",name=\"\"} 6144",
            "container_memory_working_set_bytes{id=\"/\",image=\"\",name=\"\"} 5120",
            "machine_cpu_cores{boot_id=\"\",machine_id=\"m1\",system_uuid=\"\"} 2",
            "machine_memory_bytes{boot_id=\"\",machine_id=\"m1\",system_uuid=\"\"} 10240",
            "container_scrape_error 0",
            "cloudos_monitor_cgroups_skipped 0",
        ],
    );
    assert!(!got.contains("interface=\"lo\"") && !got.contains("mqueue"), "{got}");
    assert!(!got.contains("container_cpu_cfs_periods_total{id=\"/\""), "no quota, no throttling figures");
}

#[test]
fn names_images_and_labels_come_from_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), V2);
    let listed = format!(
        r#"[{{"Id":"{ID}","Names":["/web"],"Image":"sha256:x","State":"running","Labels":{{"com.docker.compose.service":"web"}}}},
            {{"Id":"gone","Names":["/old"],"Image":"old:1","State":"exited","Labels":null}}]"#
    );
    let details = r#"{"Created":"2024-02-29T12:30:00Z","RestartCount":2,"Config":{"Image":"nginx:1"},
        "State":{"Status":"running","Pid":77,"StartedAt":"2024-02-29T12:30:15.5Z","Health":{"Status":"unhealthy"}}}"#;
    fake_engine(
        &dir.path().join("engine.sock"),
        vec![
            ("/version".into(), r#"{"Version":"20.10.24"}"#.into()),
            ("/containers/json?all=true".into(), listed),
            (format!("/containers/{ID}/json"), details.into()),
        ],
    );
    let collector = ContainerCollector::new(settings(dir.path()));
    let snapshot = collector.collect();
    let states: Vec<&str> = snapshot.engine.iter().flatten().map(|c| c.state.as_str()).collect();
    assert_eq!(states, ["running", "exited"]);
    let got = samples(settings(dir.path()));
    let labels = "container_label_com_docker_compose_service=\"web\",container_label_restartcount=\"2\",\
                  id=\"/system.slice/docker-ID.scope\",image=\"nginx:1\",name=\"web\"";
    check(
        &got,
        &[
            &format!("container_start_time_seconds{{{labels}}} 1.709209815e+09"),
            &format!("container_creation_time_seconds{{{labels}}} 1.7092098e+09"),
            &format!("container_health_state{{{labels}}} 0"),
            "container_memory_usage_bytes{container_label_com_docker_compose_service=\"\",container_label_restartcount=\"\",id=\"/\",image=\"\",name=\"\"} 6144",
        ],
    );
    assert!(got.contains("dockerVersion=\"20.10.24\""));
    let mut plain = settings(dir.path());
    plain.store_labels = false;
    plain.docker_only = true;
    let got = samples(plain);
    check(
        &got,
        &["container_health_state{id=\"/system.slice/docker-ID.scope\",image=\"nginx:1\",name=\"web\"} 0"],
    );
    assert!(!got.contains("id=\"/system.slice\""), "only the root and engine containers were asked for");
}

#[test]
fn controllers_of_the_old_hierarchy_are_joined() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("cgroup/cpu,cpuacct/cpuacct.usage", "9000000000\n"),
            ("cgroup/cpu,cpuacct/docker/ID/cpuacct.usage", "3000000000\n"),
            ("cgroup/cpu,cpuacct/docker/ID/cpuacct.usage_percpu", "1000000000 2000000000 0\n"),
            ("cgroup/cpu,cpuacct/docker/ID/cpuacct.stat", "user 150\nsystem 50\n"),
            ("cgroup/cpu,cpuacct/docker/ID/cpu.shares", "512\n"),
            ("cgroup/cpu,cpuacct/docker/ID/cpu.cfs_quota_us", "-1\n"),
            ("cgroup/memory/docker/ID/memory.usage_in_bytes", "1000\n"),
            ("cgroup/memory/docker/ID/memory.limit_in_bytes", "9223372036854771712\n"),
            ("cgroup/memory/docker/ID/memory.failcnt", "5\n"),
            (
                "cgroup/memory/docker/ID/memory.stat",
                "cache 1\ninactive_file 1\ntotal_cache 40\ntotal_rss 50\ntotal_inactive_file 30\ntotal_swap 6\npgfault 2\n",
            ),
            ("cgroup/memory/docker/ID/memory.oom_control", "oom_kill_disable 0\noom_kill 1\n"),
            (
                "cgroup/blkio/docker/ID/blkio.throttle.io_service_bytes",
                "8:0 Read 100\n8:0 Write 200\n8:0 Total 300\nTotal 300\n",
            ),
            ("cgroup/pids/docker/ID/pids.current", "3\n"),
            ("cgroup/pids/docker/ID/pids.max", "64\n"),
            ("cgroup/unified/cgroup.controllers", ""),
            ("cgroup/unified/only-here/cgroup.procs", ""),
            ("cgroup/memory/only-memory/memory.usage_in_bytes", "8\n"),
        ],
    );
    let got = samples(settings(dir.path()));
    let c = "id=\"/docker/ID\",image=\"\",name=\"\"";
    check(
        &got,
        &[
            &format!("container_cpu_usage_seconds_total{{cpu=\"cpu01\",{c}}} 2"),
            &format!("container_cpu_user_seconds_total{{{c}}} 1.5"),
            &format!("container_spec_cpu_shares{{{c}}} 512"),
            &format!("container_spec_memory_limit_bytes{{{c}}} 0"),
            &format!("container_memory_working_set_bytes{{{c}}} 970"),
            &format!("container_memory_cache{{{c}}} 40"),
            &format!("container_memory_swap{{{c}}} 6"),
            &format!("container_memory_failcnt{{{c}}} 5"),
            &format!("container_oom_events_total{{{c}}} 1"),
            &format!("container_fs_writes_bytes_total{{device=\"\",{c}}} 200"),
            &format!("container_threads_max{{{c}}} 64"),
            "container_memory_usage_bytes{id=\"/only-memory\",image=\"\",name=\"\"} 8",
        ],
    );
    assert!(
        !got.contains("cpu02") && !got.contains("container_spec_cpu_quota") && !got.contains("only-here"),
        "{got}"
    );
}

#[test]
fn limits_on_number_and_depth_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("cgroup/cgroup.controllers", "")]);
    let mut deep = dir.path().join("cgroup");
    for level in 0..DEPTH_MAX + 1 {
        deep = deep.join(format!("l{level}"));
    }
    std::fs::create_dir_all(deep).unwrap();
    let snapshot = ContainerCollector::new(settings(dir.path())).collect();
    assert_eq!((snapshot.cgroups.len(), snapshot.skipped), (DEPTH_MAX + 1, 1));
    for n in 0..CGROUPS_MAX {
        std::fs::create_dir(dir.path().join(format!("cgroup/c{n}"))).unwrap();
    }
    let snapshot = ContainerCollector::new(settings(dir.path())).collect();
    assert_eq!(snapshot.cgroups.len(), CGROUPS_MAX);
    assert!(snapshot.skipped > 0);
}

#[test]
fn a_host_without_cgroups_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let got = samples(settings(dir.path()));
    check(&got, &["container_scrape_error 1", "machine_scrape_error 1"]);
}

#[test]
fn an_engine_that_talks_nonsense_is_left_alone_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), V2);
    fake_engine(&dir.path().join("engine.sock"), vec![("/version".into(), "[".into())]);
    let collector = ContainerCollector::new(settings(dir.path()));
    assert!(collector.collect().engine.is_none());
    assert!(collector.engine_pause.lock().unwrap().is_some());
    assert!(collector.collect().cgroups.len() >= 3, "cgroups are shown all the same");
}

#[test]
fn ids_in_cgroup_names() {
    let check = |path: &str, expected: bool| {
        let path = path.replace("ID", ID);
        assert_eq!(container_id(&path), expected.then_some(ID), "{path}");
    };
    check("/docker/ID", true);
    check("/system.slice/docker-ID.scope", true);
    check("/machine.slice/libpod-ID.scope", true);
    check("/kubepods.slice/kubepods-besteffort.slice/cri-containerd-ID.scope", true);
    check("/libpod_parent/libpod-ID", true);
    check("/", false);
    check("/system.slice", false);
    check("/docker/ID0", false);
    check("/docker/ID/child", false);
}

#[test]
fn this_host() {
    if ContainerCollector::new(Settings::default()).kind().is_none() {
        println!("skipped: no cgroups here");
        return;
    }
    let snapshot = ContainerCollector::new(Settings { engines: vec![], ..Settings::default() }).collect();
    assert_eq!(snapshot.cgroups.first().map(|c| c.id.as_str()), Some("/"));
    assert!(snapshot.machine.cores > 0 && snapshot.machine.memory_bytes > 0.0);
}
