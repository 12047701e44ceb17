//! Members on real sockets of the loopback.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expfmt::Registry;
use gossip::{KeyRing, Member, Settings, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const MS: Duration = Duration::from_millis(1);

/// A set of lines that grows.
#[derive(Default)]
struct Lines(Mutex<BTreeSet<String>>);

impl Lines {
    fn add(&self, line: &str) {
        self.0.lock().unwrap().insert(line.to_owned());
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl State for Lines {
    fn update(&self, message: &[u8]) {
        self.add(&String::from_utf8_lossy(message));
    }

    fn full(&self) -> Vec<u8> {
        self.0.lock().unwrap().iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
    }

    fn merge(&self, full: &[u8]) {
        for line in String::from_utf8_lossy(full).lines() {
            self.add(line);
        }
    }
}

struct Node {
    member: Arc<Member>,
    lines: Arc<Lines>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    registry: Registry,
}

async fn node(name: &str, peers: &[&Node], change: impl FnOnce(&mut Settings)) -> Node {
    let mut settings = Settings {
        name: name.into(),
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        allow_public_advertise: false,
        peers: peers.iter().map(|node| node.member.address().to_string()).collect(),
        peers_resolve_timeout: 1_000 * MS,
        gossip_interval: 20 * MS,
        push_pull_interval: 500 * MS,
        tcp_timeout: 2_000 * MS,
        probe_timeout: 100 * MS,
        probe_interval: 200 * MS,
        settle_timeout: 5_000 * MS,
        reconnect_interval: 300 * MS,
        reconnect_timeout: Duration::from_secs(3600),
        label: String::new(),
        keys: None,
        tls: None,
    };
    change(&mut settings);
    let (lines, registry, stop) = (Arc::new(Lines::default()), Registry::new(), CancellationToken::new());
    let member = Member::bind(settings, lines.clone(), &["lines"], &registry, stop.clone()).await.unwrap();
    let task = tokio::spawn(member.clone().run());
    Node { member, lines, stop, task, registry }
}

impl Node {
    fn names(&self) -> Vec<String> {
        self.member.peers().into_iter().map(|peer| peer.name).collect()
    }

    fn say(&self, line: &str) {
        self.lines.add(line);
        self.member.broadcast("lines", line.as_bytes().to_vec());
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    fn metric(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name == name).expect(name);
        let number = |value: &expfmt::MetricValue| match value {
            expfmt::MetricValue::Number(n) => *n,
            _ => f64::NAN,
        };
        family.metrics.iter().map(|metric| number(&metric.value)).sum()
    }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if done() {
            return;
        }
        tokio::time::sleep(20 * MS).await;
    }
    panic!("20 s went by without: {what}");
}

#[tokio::test]
async fn members_share_what_they_say() {
    let a = node("a", &[], |_| {}).await;
    let b = node("b", &[&a], |_| {}).await;
    let c = node("c", &[&a], |_| {}).await;
    let all = [&a, &b, &c];
    until("all see all", || all.iter().all(|node| node.names() == ["a", "b", "c"])).await;
    assert_eq!(all.map(|node| node.member.position()), [0, 1, 2]);
    b.member.settled().await;
    assert!(b.member.is_settled());

    for node in all {
        node.say(&format!("small of {}", node.member.name()));
        node.say(&format!("large of {} {}", node.member.name(), "x".repeat(100_000)));
    }
    until("all know six lines", || all.iter().all(|node| node.lines.len() == 6)).await;
    assert_eq!(b.metric("alertmanager_cluster_members"), 3.0);
    assert_eq!(b.metric("alertmanager_peer_position"), 1.0);
    assert_eq!(b.metric("alertmanager_oversized_gossip_message_sent_total"), 2.0);
    assert_eq!(b.metric("alertmanager_oversized_gossip_message_failure_total"), 0.0);
    assert!(b.metric("alertmanager_cluster_messages_received_total") >= 2.0);

    // Who says goodbye is missed at once; who comes later gets everything.
    c.stop().await;
    until("c is gone", || a.names() == ["a", "b"] && b.names() == ["a", "b"]).await;
    let d = node("d", &[&b], |_| {}).await;
    until("d knows everything", || d.lines.len() == 6 && d.names() == ["a", "b", "d"]).await;
    for node in [a, b, d] {
        node.stop().await;
    }
}

#[tokio::test]
async fn who_vanishes_is_joined_again_when_it_returns() {
    let a = node("a", &[], |_| {}).await;
    let b = node("b", &[&a], |_| {}).await;
    until("both see both", || a.names().len() == 2 && b.names().len() == 2).await;
    let address = b.member.address();
    // No goodbye: as if the machine had lost its power.
    b.task.abort();
    let _ = b.task.await;
    drop(b.member);
    until("a misses b", || a.names() == ["a"]).await;
    assert_eq!(a.metric("alertmanager_cluster_failed_peers"), 1.0);
    let b = node("b", &[], |settings| settings.listen = address).await;
    until("a has found b", || a.names().len() == 2 && b.names().len() == 2).await;
    until("nobody is missing", || a.metric("alertmanager_cluster_failed_peers") == 0.0).await;
    assert!(a.metric("alertmanager_cluster_reconnections_total") >= 1.0);
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn keys_and_labels_keep_strangers_out() {
    let keys = |byte: u8| Some(KeyRing::new(&[vec![byte; 32]]).unwrap());
    let a = node("a", &[], |s| (s.keys, s.label) = (keys(1), "blue".into())).await;
    let b = node("b", &[&a], |s| (s.keys, s.label) = (keys(1), "blue".into())).await;
    let other_key = node("c", &[&a], |s| (s.keys, s.label) = (keys(2), "blue".into())).await;
    let no_key = node("d", &[&a], |s| s.label = "blue".into()).await;
    let other_label = node("e", &[&a], |s| (s.keys, s.label) = (keys(1), "green".into())).await;
    until("a and b see each other", || a.names() == ["a", "b"] && b.names() == ["a", "b"]).await;
    a.say("secret");
    until("b knows", || b.lines.len() == 1).await;
    for stranger in [&other_key, &no_key, &other_label] {
        stranger.member.settled().await;
        assert_eq!((stranger.names().len(), stranger.lines.len()), (1, 0));
    }
    assert!(a.metric("cloudos_monitor_cluster_refused_total") >= 3.0);
    for node in [a, b, other_key, no_key, other_label] {
        node.stop().await;
    }
}

#[tokio::test]
async fn hostile_bytes_change_nothing() {
    let a = node("a", &[], |_| {}).await;
    let address: SocketAddr = a.member.address();
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut bytes = Vec::new();
    let mut state = 7u32;
    for round in 0..500usize {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push((state >> 24) as u8);
        let mut packet = bytes.clone();
        packet[0] = (round % 14) as u8;
        socket.send_to(&packet, address).await.unwrap();
        if round % 10 == 0 {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(&packet).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.len() < 1_000);
        }
    }
    let b = node("b", &[&a], |_| {}).await;
    until("a works as before", || a.names() == ["a", "b"]).await;
    a.stop().await;
    b.stop().await;
}
