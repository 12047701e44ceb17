//! How packets and streams travel: UDP and TCP on one port, or both over TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::core::Peer;
use crate::stream::Connection;
use crate::tls::TlsTransport;

/// How often a port chosen by the system is tried again when it is free for one protocol only.
const BIND_ATTEMPTS: usize = 16;

pub enum Transport {
    Plain { udp: UdpSocket, tcp: TcpListener },
    Tls(TlsTransport),
}

impl Transport {
    /// Listens for packets and connections on the same port.
    pub async fn plain(listen: SocketAddr) -> io::Result<Transport> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let tcp = TcpListener::bind(listen).await?;
            match UdpSocket::bind(tcp.local_addr()?).await {
                Ok(udp) => return Ok(Transport::Plain { udp, tcp }),
                Err(e) if listen.port() != 0 || attempts == BIND_ATTEMPTS => return Err(e),
                Err(_) => {}
            }
        }
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener().local_addr()
    }

    pub fn listener(&self) -> &TcpListener {
        match self {
            Transport::Plain { tcp, .. } => tcp,
            Transport::Tls(tls) => tls.listener(),
        }
    }

    /// Sends a packet without waiting. What the network cannot take now is lost, as it may be later.
    pub fn send(&self, to: SocketAddr, packet: Vec<u8>) {
        match self {
            Transport::Plain { udp, .. } => {
                if let Err(e) = udp.try_send_to(&packet, to) {
                    tracing::debug!(%to, "packet not sent: {e}");
                }
            }
            Transport::Tls(tls) => tls.send(to, packet),
        }
    }

    /// Opens a stream to a member.
    pub async fn connect(&self, to: &Peer, timeout: Duration) -> io::Result<Box<dyn Connection>> {
        let connecting = async {
            match self {
                Transport::Plain { .. } => {
                    let stream = TcpStream::connect(to.address).await?;
                    Ok(Box::new(stream) as Box<dyn Connection>)
                }
                Transport::Tls(tls) => tls.open_stream(to.address).await,
            }
        };
        tokio::time::timeout(timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// What came in, to be handled by the member.
pub trait Inbound: Send + Sync + 'static {
    fn packet(self: &Arc<Self>, from: SocketAddr, packet: &[u8]);

    fn stream(self: Arc<Self>, stream: Box<dyn Connection>) -> impl Future<Output = ()> + Send;
}
