//! Asking the name servers of `/etc/resolv.conf`, first over UDP and, when the reply does not fit, over TCP.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{self, Data, NAME_ERROR, RecordType, Reply, SUCCESS};
use crate::reply::host_port;

pub const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where name servers listen.
pub const PORT: u16 = 53;

/// How long one server has for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Resolver {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
}

impl Resolver {
    pub fn read(path: &Path, port: u16) -> Result<Resolver, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| format!("could not load resolv.conf: {}: {e}", path.display()))?;
        let mut resolver = Resolver { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|a| a.parse::<IpAddr>().ok());
                    resolver.servers.extend(address.map(|ip| SocketAddr::new(ip, port)));
                }
                Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let ndots = words.find_map(|w| w.strip_prefix("ndots:")?.parse().ok());
                    resolver.ndots = ndots.unwrap_or(resolver.ndots);
                }
                _ => {}
            }
        }
        match resolver.servers.is_empty() {
            true => Err(format!("{} names no server", path.display())),
            false => Ok(resolver),
        }
    }

    /// The full names to try, in order: with enough dots the name itself comes first.
    fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let absolute = format!("{name}.");
        let within = |domain: &String| format!("{name}.{}.", domain.trim_matches('.'));
        let searched = self.search.iter().map(within);
        if name.matches('.').count() >= self.ndots {
            std::iter::once(absolute).chain(searched).collect()
        } else {
            searched.chain(std::iter::once(absolute)).collect()
        }
    }

    /// The records of the first candidate that exists. A name that nobody knows has none, which is no error;
    /// servers that do not answer are one.
    pub async fn lookup(&self, name: &str, kind: RecordType) -> Result<Vec<Data>, String> {
        let mut all_answered = true;
        for candidate in self.candidates(name) {
            match self.ask_any(&candidate, kind).await {
                Some(reply) if reply.code == SUCCESS => return Ok(reply.answers),
                Some(_) => {}
                None => all_answered = false,
            }
        }
        if all_answered {
            return Ok(Vec::new());
        }
        let what = "all servers responded with errors to at least one search domain";
        Err(format!("could not resolve {name:?}: {what}"))
    }

    async fn ask_any(&self, name: &str, kind: RecordType) -> Option<Reply> {
        for server in &self.servers {
            match ask(*server, name, kind).await {
                Ok(reply) if matches!(reply.code, SUCCESS | NAME_ERROR) => return Some(reply),
                Ok(reply) => tracing::warn!("DNS resolution of {name} at {server}: code {}", reply.code),
                Err(e) => {
                    let server = host_port(&server.ip().to_string(), server.port());
                    tracing::warn!("DNS resolution of {name} at {server}: {e}");
                }
            }
        }
        None
    }
}

/// Asks one server.
async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Result<Reply, String> {
    // Questions come from a fresh port each, so the number only has to tell replies apart.
    let id = (std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.subsec_nanos()) >> 4) as u16;
    let question = message::question(id, name, kind).ok_or("that is no name")?;
    let late = |_| "no answer in time".to_owned();
    let reply = tokio::time::timeout(PATIENCE, over_udp(server, id, &question)).await.map_err(late)??;
    if !reply.truncated {
        return Ok(reply);
    }
    tokio::time::timeout(PATIENCE, over_tcp(server, id, &question)).await.map_err(late)?
}

async fn over_udp(server: SocketAddr, id: u16, question: &[u8]) -> Result<Reply, String> {
    let own: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(own).await.map_err(|e| e.to_string())?;
    socket.connect(server).await.map_err(|e| e.to_string())?;
    socket.send(question).await.map_err(|e| e.to_string())?;
    let mut buffer = vec![0; usize::from(message::UDP_BYTES_MAX)];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(|e| e.to_string())?;
        // A late reply to an earlier question is not ours; the next one may be.
        match message::reply(id, &buffer[..length]) {
            Ok(reply) => return Ok(reply),
            Err(e) => tracing::debug!("a reply of {server} is passed over: {e}"),
        }
    }
}

async fn over_tcp(server: SocketAddr, id: u16, question: &[u8]) -> Result<Reply, String> {
    let mut stream = TcpStream::connect(server).await.map_err(|e| e.to_string())?;
    let mut framed = (question.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(question);
    stream.write_all(&framed).await.map_err(|e| e.to_string())?;
    let length = stream.read_u16().await.map_err(|e| e.to_string())?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await.map_err(|e| e.to_string())?;
    message::reply(id, &reply).map_err(str::to_owned)
}
