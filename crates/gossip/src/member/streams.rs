//! A member's connections: exchanges of everything, large messages, pings.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::Member;
use crate::core::{Peer, Time};
use crate::message::{Node, Ping, Source};
use crate::metrics::{FULL_STATE, UPDATE};
use crate::stream::{self, Connection, StreamMessage};

impl Member {
    /// Answers what one connection asks.
    pub(super) async fn serve(self: &Arc<Self>, stream: &mut dyn Connection) -> io::Result<()> {
        stream::read_label(stream, &self.envelope).await?;
        match stream::read(stream, &self.envelope).await? {
            StreamMessage::Ping(ping) if ping.node.is_empty() || ping.node == self.name => {
                stream::write(stream, &self.envelope, &StreamMessage::Ack { seq: ping.seq }).await
            }
            StreamMessage::Ping(_) => Ok(()),
            StreamMessage::PushPull { join, nodes, user } => {
                let ours = self.everything(join).await;
                stream::write(stream, &self.envelope, &ours).await?;
                self.take_in(nodes, user).await
            }
            StreamMessage::User(message) => {
                self.metrics.count(false, UPDATE, message.len());
                self.blocking(move |state| state.update(&message)).await;
                Ok(())
            }
            StreamMessage::Ack { .. } => Ok(()),
            StreamMessage::Refused(error) => Err(io::Error::other(error)),
        }
    }

    pub(super) async fn everything(self: &Arc<Self>, join: bool) -> StreamMessage {
        let user = self.blocking(|state| state.full()).await.unwrap_or_default();
        self.metrics.count(true, FULL_STATE, user.len());
        StreamMessage::PushPull { join, nodes: self.core().nodes(), user }
    }

    pub(super) async fn take_in(self: &Arc<Self>, nodes: Vec<Node>, user: Vec<u8>) -> io::Result<()> {
        let mut merged = Ok(());
        self.step(|core, now, out| merged = core.merge(now, nodes, out));
        merged.map_err(io::Error::other)?;
        self.metrics.count(false, FULL_STATE, user.len());
        self.blocking(move |state| state.merge(&user)).await;
        Ok(())
    }

    /// Exchanges everything with a member.
    pub(super) async fn exchange(self: &Arc<Self>, to: &Peer, join: bool) -> io::Result<()> {
        let limit = self.settings.tcp_timeout;
        let mut stream = self.connect(to, limit).await?;
        let ours = self.everything(join).await;
        let talking = async {
            stream::write(stream.as_mut(), &self.envelope, &ours).await?;
            stream::read(stream.as_mut(), &self.envelope).await
        };
        let answer = timeout(limit, talking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        match answer {
            StreamMessage::PushPull { nodes, user, .. } => self.take_in(nodes, user).await,
            StreamMessage::Refused(error) => Err(io::Error::other(format!("remote error: {error}"))),
            _ => Err(io::Error::other("the answer is no state")),
        }
    }

    pub(super) async fn connect(&self, to: &Peer, limit: Duration) -> io::Result<Box<dyn Connection>> {
        let mut stream = self.transport.connect(to, limit).await?;
        stream.write_all(&self.envelope.header()).await?;
        Ok(stream)
    }

    pub(super) async fn stream_ping(self: Arc<Self>, to: Peer, seq: u32, until: Time) {
        let left = until.saturating_sub(self.now());
        let source =
            Source { addr: Some(self.address.ip()), port: self.address.port(), node: self.name.clone() };
        let ping = StreamMessage::Ping(Ping { seq, node: to.name.clone(), source });
        let pinging = async {
            let mut stream = self.connect(&to, left).await?;
            stream::write(stream.as_mut(), &self.envelope, &ping).await?;
            stream::read(stream.as_mut(), &self.envelope).await
        };
        if let Ok(Ok(StreamMessage::Ack { seq: answered })) = timeout(left, pinging).await
            && answered == seq
        {
            self.core().stream_pong(seq);
            tracing::warn!(
                peer = to.name,
                "a peer answers on TCP but not on UDP: the network may be misconfigured"
            );
        }
    }

    pub(super) async fn send_large(self: &Arc<Self>) {
        let sending = self.large.iter().map(|(key, large)| async move {
            let mut queue = large.queue.lock().await;
            while let Some(message) = queue.recv().await {
                self.send_to_all(key, message).await;
            }
        });
        futures_util::future::join_all(sending).await;
    }

    /// Sends a large message to every other member, to all at the same time.
    pub(super) async fn send_to_all(self: &Arc<Self>, key: &str, message: Vec<u8>) {
        let metrics = self.metrics.large(key);
        let len = message.len();
        let message = StreamMessage::User(message);
        let peers = self.peers();
        let sends = peers.iter().filter(|peer| peer.name != self.name).map(|peer| async {
            metrics.sent.inc();
            self.metrics.count(true, UPDATE, len);
            let started = Instant::now();
            let limit = self.settings.tcp_timeout;
            let sending = async {
                let mut stream = self.connect(peer, limit).await?;
                stream::write(stream.as_mut(), &self.envelope, &message).await?;
                stream.shutdown().await
            };
            match timeout(limit, sending).await {
                Ok(Ok(())) => metrics.seconds.observe(started.elapsed().as_secs_f64()),
                failed => {
                    metrics.failed.inc();
                    tracing::debug!(key, peer = peer.name, "large message not sent: {failed:?}");
                }
            }
        });
        futures_util::future::join_all(sends).await;
    }
}
