//! The three doors over real sockets, and the limit on scrapes.

use std::sync::mpsc::channel;

use axum::http::HeaderMap;
use flags::Flags;
use front::Host;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scrape::{Formats, Scrapes};
use crate::{cadvisor, cloudos_exporter, node_exporter};

fn flags(table: &'static [flags::Flag], args: &[&str]) -> Flags {
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    Flags::parse("test", table, &args).unwrap()
}

/// Status and body of a request.
async fn request(
    address: std::net::SocketAddr,
    method: &str,
    path: &str,
    accept: &str,
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn node_exporter_answers_as_the_original() {
    let flags = flags(
        node_exporter::FLAGS,
        &[
            "--web.listen-address=127.0.0.1:0",
            "--collector.disable-defaults",
            "--collector.loadavg",
            "--collector.uname",
        ],
    );
    let host = Host::detached();
    let running =
        node_exporter::start(node_exporter::Settings::from_flags(&flags).unwrap(), &host).await.unwrap();
    let at = running.addresses[0];
    let get = async |path: &str| request(at, "GET", path, "*/*").await;

    let (status, head, body) = request(at, "GET", "/metrics", "application/openmetrics-text").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
        "{head}"
    );
    for part in [
        "# TYPE node_uname_info gauge\nnode_uname_info{domainname=",
        "node_scrape_collector_success{collector=\"uname\"} 1\n",
        "node_exporter_build_info{",
        "promhttp_metric_handler_requests_in_flight 1\n",
        "process_resident_memory_bytes ",
    ] {
        assert!(body.contains(part), "no {part:?} in\n{body}");
    }
    let (_, _, body) = get("/metrics?collect[]=uname").await;
    assert!(body.contains("node_uname_info{") && !body.contains("collector=\"loadavg\""));
    let (_, _, body) = get("/metrics?exclude[]=uname").await;
    assert!(!body.contains("node_uname_info{") && body.contains("collector=\"loadavg\""));

    let prefix = "Couldn't create filtered metrics handler: couldn't create collector: ";
    for (path, expected) in [
        ("/metrics?collect[]=foo", format!("{prefix}missing collector: foo")),
        ("/metrics?collect%5B%5D=cpu", format!("{prefix}disabled collector: cpu")),
        (
            "/metrics?collect[]=a&exclude[]=b",
            "Combined collect and exclude queries are not allowed.".to_owned(),
        ),
    ] {
        let (status, _, body) = get(path).await;
        assert_eq!((status, body), (400, expected), "{path}");
    }
    let (status, head, body) = get("/nope").await;
    assert_eq!((status, body.as_str()), (404, "404 page not found\n"));
    assert!(head.contains("x-content-type-options: nosniff"));
    let (status, _, body) = get("/").await;
    assert!(
        status == 200 && body.contains("<title>Node Exporter</title>") && body.contains("href=\"/metrics\"")
    );
    assert_eq!(request(at, "POST", "/metrics", "*/*").await.0, 200);
    running.stop().await;
}

#[tokio::test]
async fn cadvisor_shows_the_machine_and_the_root() {
    let flags = flags(cadvisor::FLAGS, &["-listen_ip=127.0.0.1", "-port=0", "-docker=", "-podman="]);
    let host = Host::detached();
    let running = cadvisor::start(cadvisor::Settings::from_flags(&flags).unwrap(), &host).await.unwrap();
    let at = running.addresses[0];
    let get = async |path: &str| request(at, "GET", path, "*/*").await;
    let (status, _, body) = get("/healthz").await;
    assert_eq!((status, body.as_str()), (200, "ok"));
    let (status, _, body) = get("/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("machine_cpu_cores{") && body.contains("cadvisor_version_info{"));
    assert!(!body.contains("container_processes"), "off by default");
    let (status, head, _) = get("/").await;
    assert!(status == 307 && head.contains("location: /containers/"));
    let (status, _, body) = get("/containers/").await;
    assert!(status == 200 && body.contains("<table>"));
    let (status, _, body) = get("/api/v1.3/machine").await;
    assert!(status == 200 && body.contains("\"num_cores\":"), "{body}");
    assert_eq!(get("/api/v1.3/docker/").await.0, 404);
    running.stop().await;
}

#[tokio::test]
async fn cloudos_exporter_asks_its_peers() {
    // One peer that answers (itself under another name), one that refuses connections.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = closed.local_addr().unwrap();
    drop(closed);
    let host = Host::detached();
    let first =
        flags(cloudos_exporter::FLAGS, &["--web.listen-address=127.0.0.1:0", "--docker=", "--podman="]);
    let peer = cloudos_exporter::start(cloudos_exporter::Settings::from_flags(&first).unwrap(), &host)
        .await
        .unwrap();
    let peers = format!("--cluster.peers={}/-/healthy,{refused}/", peer.addresses[0]);
    let second = flags(
        cloudos_exporter::FLAGS,
        &[
            "--web.listen-address=127.0.0.1:0",
            "--docker=",
            "--podman=",
            "--cluster.poll-interval=100ms",
            &peers,
        ],
    );
    let host = Host::detached();
    let running = cloudos_exporter::start(cloudos_exporter::Settings::from_flags(&second).unwrap(), &host)
        .await
        .unwrap();
    let at = running.addresses[0];
    let mut last = String::new();
    for _ in 0..600 {
        last = request(at, "GET", "/metrics", "*/*").await.2;
        if last.contains("cloudos_cluster_nodes_total{state=\"healthy\"} 1\n")
            && last.contains("cloudos_cluster_nodes_total{state=\"unhealthy\"} 1\n")
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(last.contains("cloudos_cluster_nodes_total{state=\"unhealthy\"} 1\n"), "{last}");
    assert!(last.contains("cloudos_cluster_nodes_total{state=\"unknown\"} 0\n"), "{last}");
    let (_, _, alone) = request(peer.addresses[0], "GET", "/metrics", "*/*").await;
    assert!(!alone.contains("cloudos_cluster_nodes_total"), "no peers, no metric");

    let (status, head, body) =
        request(at, "GET", "/metrics", "application/openmetrics-text;version=1.0.0").await;
    assert!(status == 200 && head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert_eq!(expfmt::strict::validate(body.as_bytes()), Ok(()));
    for path in ["/health", "/-/healthy", "/-/ready", "/"] {
        assert_eq!(request(at, "GET", path, "*/*").await.0, 200, "{path}");
    }
    running.stop().await;
    peer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scrapes_beyond_the_limit_are_refused_with_its_text() {
    let host = Host::detached();
    let scrapes = std::sync::Arc::new(Scrapes::new(&host, 1, true, Formats::TextOnly));
    let (release, wait) = channel::<()>();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let busy = scrapes.clone();
    let first = tokio::spawn(async move {
        let collect = move || {
            let _ = entered.send(());
            let _ = wait.recv();
            Vec::new()
        };
        busy.answer(&HeaderMap::new(), collect).await.status()
    });
    inside.await.unwrap();
    let refused = scrapes.answer(&HeaderMap::new(), Vec::new).await;
    assert_eq!(refused.status(), 503);
    let body = axum::body::to_bytes(refused.into_body(), 1000).await.unwrap();
    assert_eq!(&body[..], b"Limit of concurrent requests reached (1), try again later.\n");
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(scrapes.answer(&HeaderMap::new(), Vec::new).await.status(), 200);
    let failed = scrapes.answer(&HeaderMap::new(), || panic!("as intended")).await;
    assert_eq!(failed.status(), 500);
}
