use std::io::Write;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::message::{Data, RecordType, question, reply};
use super::*;

/// The records a name server of the test knows: name, type, data.
type Zone = &'static [(&'static str, RecordType, &'static [u8])];

const ZONE: Zone = &[
    ("web.test.", RecordType::A, &[10, 0, 0, 1]),
    ("web.test.", RecordType::A, &[10, 0, 0, 2]),
    ("six.test.", RecordType::Aaaa, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ("_m._tcp.test.", RecordType::Srv, b"\x00\x0a\x00\x05\x23\x82\x04node\x04test\x00"),
    ("mail.test.", RecordType::Mx, b"\x00\x0a\x02mx\x04test\x00"),
    ("ns.test.", RecordType::Ns, b"\x01a\x04test\x00"),
];

fn encoded(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.trim_end_matches('.').split('.') {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

/// The answer to `message`; over UDP a name that begins with `big` does not fit.
fn answer(message: &[u8], tcp: bool) -> Vec<u8> {
    let end = 12 + message[12..].iter().position(|b| *b == 0).expect("a name") + 1;
    let kind = u16::from_be_bytes([message[end], message[end + 1]]);
    let asked = &message[12..end];
    let big = asked.starts_with(b"\x03big");
    let name = if big { encoded("web.test.") } else { asked.to_vec() };
    let found: Vec<&[u8]> = ZONE
        .iter()
        .filter(|(known, k, _)| encoded(known) == name && *k as u16 == kind)
        .map(|(_, _, data)| *data)
        .collect();
    let known = ZONE.iter().any(|(known, _, _)| encoded(known) == name);
    let cut = big && !tcp;
    let code = if asked.starts_with(b"\x06broken") {
        2
    } else if known {
        0
    } else {
        3
    };
    let mut out = message[..2].to_vec();
    out.extend_from_slice(&[0x80 | if cut { 0x02 } else { 0 }, code, 0, 1]);
    out.extend_from_slice(&(if cut { 0 } else { found.len() as u16 }).to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0]);
    out.extend_from_slice(&message[12..end + 4]);
    for data in found.iter().filter(|_| !cut) {
        // The name as a pointer to the question.
        out.extend_from_slice(&[0xc0, 12]);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(data);
    }
    out
}

/// A name server on loopback, on UDP and TCP alike.
async fn server() -> SocketAddr {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a TCP port");
        let address = tcp.local_addr().expect("its address");
        if let Ok(udp) = UdpSocket::bind(address).await {
            break (tcp, udp);
        }
    };
    let address = udp.local_addr().expect("its address");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let _ = udp.send_to(&answer(&buffer[..length], false), from).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let Ok(length) = stream.read_u16().await else { continue };
            let mut message = vec![0; usize::from(length)];
            if stream.read_exact(&mut message).await.is_ok() {
                let reply = answer(&message, true);
                let _ = stream.write_u16(reply.len() as u16).await;
                let _ = stream.write_all(&reply).await;
            }
        }
    });
    address
}

async fn found(names: &[&str], kind: &str, extra: &str) -> Result<Vec<TargetGroup>, String> {
    let address = server().await;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "# of the test\nnameserver {}\n{extra}", address.ip()).expect("its text");
    let names = names.iter().map(|n| n.to_string()).collect();
    let config = DnsSdConfig { names, r#type: kind.into(), port: 9100, ..DnsSdConfig::default() };
    config.fetch_from(file.path(), address.port()).await
}

fn addresses(groups: &[TargetGroup]) -> Vec<String> {
    groups.iter().flat_map(|g| &g.targets).map(|t| t.get(ADDRESS_LABEL).to_owned()).collect()
}

#[tokio::test]
async fn every_record_type_makes_addresses() {
    for (name, kind, extra, expected) in [
        ("web.test", "A", "", &["10.0.0.1:9100", "10.0.0.2:9100"][..]),
        ("six.test", "aaaa", "", &["[::1]:9100"]),
        ("_m._tcp.test", "SRV", "", &["node.test:9090"]),
        ("mail.test", "MX", "", &["mx.test:9100"]),
        ("ns.test", "NS", "", &["a.test:9100"]),
        ("web", "A", "search other test", &["10.0.0.1:9100", "10.0.0.2:9100"]),
        ("nobody.test", "A", "", &[]),
        // Cut over UDP, whole over TCP.
        ("big.test", "A", "", &["10.0.0.1:9100", "10.0.0.2:9100"]),
    ] {
        let groups = found(&[name], kind, extra).await.expect(name);
        assert_eq!(addresses(&groups), expected, "{name} {kind}");
        assert_eq!(groups[0].source, name);
    }
}

#[tokio::test]
async fn srv_records_say_where_they_point() {
    let groups = found(&["_m._tcp.test"], "SRV", "").await.expect("an answer");
    let target = &groups[0].targets[0];
    assert_eq!(target.get("__meta_dns_name"), "_m._tcp.test");
    assert_eq!(target.get("__meta_dns_srv_record_target"), "node.test.");
    assert_eq!(target.get("__meta_dns_srv_record_port"), "9090");
}

#[tokio::test]
async fn a_server_that_fails_is_an_error_unless_another_name_answers() {
    let error = found(&["broken.test"], "A", "").await.expect_err("nothing answers");
    assert!(error.starts_with("could not resolve \"broken.test\""), "{error}");
    let groups = found(&["broken.test", "web.test"], "A", "").await.expect("one name answers");
    assert_eq!(addresses(&groups).len(), 2);
}

#[test]
fn configurations_are_checked_with_the_originals_words() {
    let check = |yaml: &str| config::parse_unchecked::<DnsSdConfig>("x", yaml).expect("reads").validate();
    assert_eq!(check("names: [a]\n"), Ok(()));
    assert_eq!(check("names: [a]\ntype: A\nport: 80\n"), Ok(()));
    for (yaml, error) in [
        ("type: A\n", "DNS-SD config must contain at least one SRV record name"),
        ("names: [a]\ntype: A\n", "a port is required in DNS-SD configs for all record types except SRV"),
        ("names: [a]\ntype: TXT\n", "invalid DNS-SD records type TXT"),
    ] {
        assert_eq!(check(yaml), Err(error.to_owned()));
    }
}

#[test]
fn broken_replies_are_errors() {
    let asked = question(7, "web.test", RecordType::A).expect("a name");
    let good = answer(&asked, true);
    assert_eq!(reply(7, &good).expect("good").answers.len(), 2);
    assert!(reply(8, &good).is_err(), "another question's");
    for cut in 0..good.len() {
        assert!(reply(7, &good[..cut]).is_err(), "cut at {cut}");
    }
    // A name that points to itself.
    let mut looping = good.clone();
    let at = good.len() - 16;
    looping[at] = 0xc0;
    looping[at + 1] = at as u8;
    assert!(reply(7, &looping).is_err());
    assert!(matches!(reply(7, &good).expect("good").answers[0], Data::Address(_)));
    for name in ["", "a..b", &"x".repeat(64), &"abc.".repeat(70)] {
        assert!(question(1, name, RecordType::A).is_none(), "{name:?}");
    }
}
