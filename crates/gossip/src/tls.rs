//! Packets and streams over mutual TLS, in the original's framing.
//!
//! ```text
//! frame      = length (u32 little endian), MemberlistMessage { version, kind, from_addr, msg }
//! connection = frame of kind PACKET, again and again        packets, over one connection per peer
//!            | frame of kind STREAM, then anything          a stream
//! ```

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use expfmt::{Counter, CounterVec, Registry};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use wire::alertmanager::{MemberlistKind, MemberlistMessage};
use wire::prost::Message as _;

use crate::stream::Connection;
use crate::transport::Inbound;

/// The only version there is.
const VERSION: &str = "v1.0.0";

/// A frame holds a packet and its sender.
const FRAME_BYTES_MAX: usize = 128 << 10;

/// Packets waiting for a connection to be made or to take more. Beyond, packets are lost.
const SEND_QUEUE_MAX: usize = 256;

/// Connections for packets that are kept at a time.
const SENDERS_MAX: usize = 1_024;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection without packets for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// What TLS needs to know.
#[derive(Clone)]
pub struct Tls {
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
    /// The name that peers' certificates must have; their addresses when empty.
    pub server_name: String,
}

pub struct TlsTransport {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    dialer: Arc<Dialer>,
    senders: Mutex<HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>>,
}

struct Dialer {
    connector: TlsConnector,
    server_name: String,
    /// As peers see it in frames.
    from: String,
    metrics: TlsMetrics,
}

#[derive(Clone)]
struct TlsMetrics {
    packet_bytes_sent: Counter,
    packet_bytes_received: Counter,
    streams_sent: Counter,
    streams_received: Counter,
    read_errors: Counter,
    write_errors: CounterVec,
}

impl TlsMetrics {
    fn new(registry: &Registry) -> TlsMetrics {
        let counter =
            |name: &str, help: &str| registry.counter(&format!("alertmanager_tls_transport_{name}"), help);
        TlsMetrics {
            packet_bytes_sent: counter(
                "packet_bytes_sent_total",
                "The number of packet bytes sent to outgoing connections (excluding internal metadata).",
            ),
            packet_bytes_received: counter(
                "packet_bytes_received_total",
                "The number of packet bytes received from incoming connections (excluding internal metadata).",
            ),
            streams_sent: counter("stream_connections_sent_total", "The number of stream connections sent."),
            streams_received: counter(
                "stream_connections_received_total",
                "The number of stream connections received.",
            ),
            read_errors: counter(
                "read_errors_total",
                "The number of errors encountered while reading from incoming connections.",
            ),
            write_errors: registry.counter_vec(
                "alertmanager_tls_transport_write_errors_total",
                "The number of errors encountered while writing to outgoing connections.",
                &["connection_type"],
            ),
        }
    }
}

impl TlsTransport {
    pub async fn bind(listen: SocketAddr, tls: Tls, registry: &Registry) -> io::Result<TlsTransport> {
        let tcp = TcpListener::bind(listen).await?;
        let from = tcp.local_addr()?.to_string();
        let dialer = Dialer {
            connector: TlsConnector::from(tls.client),
            server_name: tls.server_name,
            from,
            metrics: TlsMetrics::new(registry),
        };
        Ok(TlsTransport {
            tcp,
            acceptor: TlsAcceptor::from(tls.server),
            dialer: Arc::new(dialer),
            senders: Mutex::default(),
        })
    }

    pub fn listener(&self) -> &TcpListener {
        &self.tcp
    }

    /// Queues a packet for the connection to `to`, which is made if there is none.
    pub fn send(&self, to: SocketAddr, packet: Vec<u8>) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.retain(|_, sender| !sender.is_closed());
        if senders.len() >= SENDERS_MAX && !senders.contains_key(&to) {
            self.dialer.metrics.write_errors.with(&["packet"]).inc();
            return;
        }
        let sender = senders.entry(to).or_insert_with(|| {
            let (sender, queue) = mpsc::channel(SEND_QUEUE_MAX);
            tokio::spawn(self.dialer.clone().send_all(to, queue));
            sender
        });
        if sender.try_send(packet).is_err() {
            self.dialer.metrics.write_errors.with(&["packet"]).inc();
        }
    }

    pub async fn open_stream(&self, to: SocketAddr) -> io::Result<Box<dyn Connection>> {
        let opened = async {
            let mut stream = self.dialer.dial(to).await?;
            let start = frame(MemberlistKind::Stream, String::new(), Vec::new());
            stream.write_all(&start).await?;
            stream.flush().await?;
            Ok(stream)
        };
        match opened.await {
            Ok(stream) => {
                self.dialer.metrics.streams_sent.inc();
                Ok(Box::new(stream))
            }
            Err(e) => {
                self.dialer.metrics.write_errors.with(&["stream"]).inc();
                Err(e)
            }
        }
    }

    /// Serves one accepted connection to its end.
    pub async fn serve<I: Inbound>(&self, tcp: TcpStream, from: SocketAddr, inbound: Arc<I>) {
        let metrics = &self.dialer.metrics;
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(tcp));
        let mut stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            failed => {
                metrics.read_errors.inc();
                tracing::debug!("gossip over TLS: no handshake: {:?}", failed.err());
                return;
            }
        };
        loop {
            let message = match tokio::time::timeout(IDLE_TIMEOUT, read_frame(&mut stream)).await {
                Ok(Ok(message)) => message,
                Ok(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => return,
                Ok(Err(e)) => {
                    metrics.read_errors.inc();
                    tracing::debug!("gossip over TLS: {e}");
                    return;
                }
                Err(_) => return,
            };
            if message.kind == i32::from(MemberlistKind::Stream) {
                metrics.streams_received.inc();
                return inbound.stream(Box::new(stream)).await;
            }
            let Ok(claimed) = message.from_addr.parse::<SocketAddr>() else {
                metrics.read_errors.inc();
                return;
            };
            metrics.packet_bytes_received.add(message.msg.len() as u64);
            // Members say where they listen, but nobody makes us call on somebody else's machine.
            inbound.packet(SocketAddr::new(from.ip().to_canonical(), claimed.port()), &message.msg);
        }
    }
}

impl Dialer {
    async fn dial(&self, to: SocketAddr) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let name = if self.server_name.is_empty() {
            ServerName::IpAddress(to.ip().into())
        } else {
            ServerName::try_from(self.server_name.clone()).map_err(io::Error::other)?
        };
        let dialing = async { self.connector.connect(name, TcpStream::connect(to).await?).await };
        tokio::time::timeout(HANDSHAKE_TIMEOUT, dialing)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Writes what is queued until nothing is for long, or the connection fails.
    async fn send_all(self: Arc<Self>, to: SocketAddr, mut queue: mpsc::Receiver<Vec<u8>>) {
        let failed = |e: io::Error| {
            self.metrics.write_errors.with(&["packet"]).inc();
            tracing::debug!(%to, "gossip over TLS: packet not sent: {e}");
        };
        let mut stream = match self.dial(to).await {
            Ok(stream) => stream,
            Err(e) => return failed(e),
        };
        while let Ok(Some(packet)) = tokio::time::timeout(IDLE_TIMEOUT / 2, queue.recv()).await {
            let len = packet.len();
            let frame = frame(MemberlistKind::Packet, self.from.clone(), packet);
            let written = async {
                stream.write_all(&frame).await?;
                stream.flush().await
            };
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, written).await {
                Ok(Ok(())) => self.metrics.packet_bytes_sent.add(len as u64),
                Ok(Err(e)) => return failed(e),
                Err(_) => return failed(io::ErrorKind::TimedOut.into()),
            }
        }
    }
}

fn frame(kind: MemberlistKind, from_addr: String, msg: Vec<u8>) -> Vec<u8> {
    let message = MemberlistMessage { version: VERSION.into(), kind: kind.into(), from_addr, msg };
    let body = message.encode_to_vec();
    let mut out = Vec::with_capacity(body.len() + 4);
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out
}

async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<MemberlistMessage> {
    let len = stream.read_u32_le().await? as usize;
    if len > FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame is too large"));
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body).await?;
    MemberlistMessage::decode(&body[..]).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}
