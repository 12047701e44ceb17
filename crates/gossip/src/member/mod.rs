//! A member at work: the protocol core with sockets, time and tasks around it.

mod gauges;
mod streams;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use expfmt::Registry;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::address;
use crate::core::{Core, Effect, Event, Options, Peer, Time};
use crate::crypt::KeyRing;
use crate::metrics::{Metrics, UPDATE};
use crate::packet::{Envelope, LABEL_BYTES_MAX, PACKET_BYTES_MAX};
use crate::peers::LostPeers;
use crate::random::Random;
use crate::stream::Connection;
use crate::tls::{Tls, TlsTransport};
use crate::transport::{Inbound, Transport};
use crate::ulid::ulid;

/// Messages waiting to be merged; what comes beyond is dropped, and comes again with an exchange.
const INBOX_MAX: usize = 1_024;

/// Large messages waiting to be sent, per state.
const LARGE_QUEUE_MAX: usize = 200;

/// Messages larger than this do not go into packets: half a packet, as in the original.
const LARGE_BYTES: usize = PACKET_BYTES_MAX / 2;

/// Connections served at a time.
const CONNECTIONS_MAX: usize = 128;

/// The largest datagram.
const DATAGRAM_BYTES_MAX: usize = 65_536;

pub struct Settings {
    /// Empty for a name of our own making.
    pub name: String,
    pub listen: SocketAddr,
    /// Where others reach us; `None` to find out.
    pub advertise: Option<SocketAddr>,
    pub allow_public_advertise: bool,
    /// `host:port` of peers to join.
    pub peers: Vec<String>,
    pub peers_resolve_timeout: Duration,
    pub gossip_interval: Duration,
    pub push_pull_interval: Duration,
    pub tcp_timeout: Duration,
    pub probe_timeout: Duration,
    pub probe_interval: Duration,
    pub settle_timeout: Duration,
    /// Zero for never.
    pub reconnect_interval: Duration,
    pub reconnect_timeout: Duration,
    pub label: String,
    pub keys: Option<KeyRing>,
    pub tls: Option<Tls>,
}

/// What members share. All of it may block.
pub trait State: Send + Sync + 'static {
    /// Takes in a change that a member told.
    fn update(&self, message: &[u8]);

    /// Everything, for another member.
    fn full(&self) -> Vec<u8>;

    /// Takes in everything another member knows.
    fn merge(&self, full: &[u8]);
}

pub struct Member {
    core: Mutex<Core>,
    lost: Mutex<LostPeers>,
    settings: Settings,
    name: String,
    address: SocketAddr,
    envelope: Envelope,
    transport: Transport,
    state: Arc<dyn State>,
    origin: Instant,
    metrics: Metrics,
    /// Peers that have series of their own.
    measured: Mutex<BTreeSet<String>>,
    inbox: mpsc::Sender<Vec<u8>>,
    inbox_queue: AsyncMutex<mpsc::Receiver<Vec<u8>>>,
    large: BTreeMap<&'static str, Large>,
    connections: Arc<Semaphore>,
    wake: Notify,
    settled: watch::Sender<bool>,
    stop: CancellationToken,
}

struct Large {
    sender: mpsc::Sender<Vec<u8>>,
    queue: AsyncMutex<mpsc::Receiver<Vec<u8>>>,
}

impl Member {
    /// Binds the port. Nothing is sent before [`Member::run`]. `keys` name the states, for metrics.
    pub async fn bind(
        mut settings: Settings,
        state: Arc<dyn State>,
        keys: &[&'static str],
        registry: &Registry,
        stop: CancellationToken,
    ) -> Result<Arc<Member>, String> {
        if settings.label.len() > LABEL_BYTES_MAX {
            return Err(format!("create memberlist: label {:?} is too long", settings.label));
        }
        for peer in &settings.peers {
            address::split(peer)
                .map_err(|e| format!("resolve peers: split host/port for peer {peer}: {e}"))?;
        }
        let listen = settings.listen;
        let transport = match settings.tls.take() {
            Some(tls) => TlsTransport::bind(listen, tls, registry).await.map(Transport::Tls),
            None => Transport::plain(listen).await,
        };
        let transport =
            transport.map_err(|e| format!("create memberlist: cannot listen on {listen}: {e}"))?;
        let bound = transport.local_addr().map_err(|e| e.to_string())?;
        let address = match settings.advertise {
            Some(given) if given.port() == 0 => SocketAddr::new(given.ip(), bound.port()),
            Some(given) => given,
            None => address::advertised(bound, settings.allow_public_advertise)
                .map_err(|e| format!("create memberlist: failed to get final advertise address: {e}"))?,
        };
        let address = address::canonical(address);
        let now_ms = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
        let name = match settings.name.as_str() {
            "" => ulid(u64::try_from(now_ms).unwrap_or(0)),
            given => given.to_owned(),
        };
        let envelope = Envelope { label: settings.label.clone(), keys: settings.keys.take() };
        let options = Options {
            name: name.clone(),
            address,
            gossip_interval: settings.gossip_interval,
            probe_interval: settings.probe_interval,
            probe_timeout: settings.probe_timeout,
            push_pull_interval: settings.push_pull_interval,
            fanout: (settings.peers.len() / 2).max(3),
            room: envelope.room(),
        };
        let (inbox, inbox_queue) = mpsc::channel(INBOX_MAX);
        let large = keys.iter().map(|key| {
            let (sender, queue) = mpsc::channel(LARGE_QUEUE_MAX);
            (*key, Large { sender, queue: AsyncMutex::new(queue) })
        });
        let metrics = Metrics::new(registry, &name, keys);
        metrics.joined.inc();
        let member = Arc::new(Member {
            core: Mutex::new(Core::new(options, Random::from_entropy(), Duration::ZERO)),
            lost: Mutex::default(),
            name,
            address,
            envelope,
            transport,
            state,
            origin: Instant::now(),
            metrics,
            measured: Mutex::default(),
            inbox,
            inbox_queue: AsyncMutex::new(inbox_queue),
            large: large.collect(),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            wake: Notify::new(),
            settled: watch::Sender::new(false),
            stop,
            settings,
        });
        member.register(registry);
        Ok(member)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The living members, ourselves included, by name.
    pub fn peers(&self) -> Vec<Peer> {
        self.core().living()
    }

    /// Our index by name among the living.
    pub fn position(&self) -> usize {
        self.core().position()
    }

    pub fn is_settled(&self) -> bool {
        *self.settled.borrow()
    }

    /// Resolves when the number of members has been steady for a while, or after the settle timeout.
    pub async fn settled(&self) {
        // The sender lives as long as this member.
        let _ = self.settled.subscribe().wait_for(|is_settled| *is_settled).await;
    }

    /// Tells the other members a change of the state `key`; does not wait.
    pub fn broadcast(&self, key: &str, message: Vec<u8>) {
        if message.len() <= LARGE_BYTES {
            self.core().broadcast(&message);
            return;
        }
        let Some(large) = self.large.get(key) else { return };
        if large.sender.try_send(message).is_err() {
            self.metrics.large(key).dropped.inc();
            tracing::debug!(key, "too many large messages are waiting; one is dropped");
        }
    }

    /// Works until stopped, and says goodbye. May be called again after a panic.
    pub async fn run(self: Arc<Self>) {
        let working = async {
            tokio::join!(
                self.tick(),
                self.receive(),
                self.accept(),
                self.deliver(),
                self.send_large(),
                self.keep_peers(),
                self.settle(),
            )
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = working => {}
        }
        self.leave().await;
    }

    fn now(&self) -> Time {
        self.origin.elapsed()
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the core do something, and carries out what follows from it.
    fn step(self: &Arc<Self>, work: impl FnOnce(&mut Core, Time, &mut Vec<Effect>)) -> usize {
        let mut effects = Vec::new();
        let (before, after) = {
            let mut core = self.core();
            let before = core.counters;
            work(&mut core, self.now(), &mut effects);
            (before, core.counters)
        };
        let metrics = &self.metrics;
        if after.user_messages > before.user_messages {
            metrics.sent.with(&[UPDATE]).add(after.user_messages - before.user_messages);
            metrics.sent_bytes.with(&[UPDATE]).add(after.user_bytes - before.user_bytes);
        }
        if after.refused > before.refused {
            metrics.refused.with(&["member"]).add(after.refused - before.refused);
        }
        let count = effects.len();
        self.perform(effects);
        count
    }

    fn lost(&self) -> MutexGuard<'_, LostPeers> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tick(self: &Arc<Self>) {
        loop {
            let due = self.origin + self.core().next_tick();
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = self.wake.notified() => {}
            }
            self.step(Core::tick);
        }
    }

    fn perform(self: &Arc<Self>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, body, checksum } => {
                    self.transport.send(to, self.envelope.close(&body, checksum));
                }
                Effect::User(message) => {
                    self.metrics.count(false, UPDATE, message.len());
                    if self.inbox.try_send(message).is_err() {
                        self.metrics.refused.with(&["queue"]).inc();
                    }
                }
                Effect::PushPull { to } => {
                    let member = self.clone();
                    tokio::spawn(async move {
                        if let Err(e) = member.exchange(&to, false).await {
                            tracing::debug!(peer = to.name, "exchange of full states failed: {e}");
                        }
                    });
                }
                Effect::StreamPing { to, seq, until } => {
                    let member = self.clone();
                    tokio::spawn(async move { member.stream_ping(to, seq, until).await });
                }
                Effect::Event(event) => self.on_event(event),
            }
        }
    }

    fn on_event(&self, event: Event) {
        let measured = || self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Joined(peer) => {
                self.metrics.joined.inc();
                self.lost().joined(peer.address);
                tracing::info!(peer = peer.name, address = %peer.address, "peer joined the cluster");
            }
            Event::Left(peer) => {
                self.metrics.left.inc();
                if peer.name != self.name {
                    self.lost().left(peer.address, self.now());
                    tracing::info!(peer = peer.name, address = %peer.address, "peer left the cluster");
                }
            }
            Event::Updated(_) => self.metrics.updated.inc(),
            Event::Announced(name) => {
                self.metrics.alive.with(&[&name]).inc();
                measured().insert(name);
            }
            Event::Conflict(peer) => {
                self.metrics.conflicts.inc();
                tracing::warn!(peer = peer.name, address = %peer.address, "two peers have the same name");
            }
            Event::Pong(name, took) => {
                self.metrics.pings.with(&[&name]).observe(took.as_secs_f64());
                measured().insert(name);
            }
        }
    }

    async fn receive(self: &Arc<Self>) {
        let Transport::Plain { udp, .. } = &self.transport else { return };
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            match udp.recv_from(&mut buffer).await {
                Ok((len, from)) => {
                    self.packet(address::canonical(from), buffer.get(..len).unwrap_or_default())
                }
                // A peer's port that was closed is reported here: nothing of ours is wrong.
                Err(e) => {
                    tracing::debug!("receiving packets: {e}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    async fn accept(self: &Arc<Self>) {
        loop {
            let (tcp, from) = match self.transport.listener().accept().await {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!("accepting gossip connections: {e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(permit) = self.connections.clone().try_acquire_owned() else {
                self.metrics.refused.with(&["connection"]).inc();
                tracing::debug!(%from, "too many gossip connections");
                continue;
            };
            let member = self.clone();
            tokio::spawn(async move {
                let serving = async {
                    match &member.transport {
                        Transport::Plain { .. } => member.clone().stream(Box::new(tcp)).await,
                        Transport::Tls(tls) => tls.serve(tcp, from, member.clone()).await,
                    }
                };
                tokio::select! {
                    () = member.stop.cancelled() => {}
                    () = serving => {}
                }
                drop(permit);
            });
        }
    }

    /// Runs work on the shared state where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn State) -> T + Send + 'static,
    ) -> Option<T> {
        let state = self.state.clone();
        tokio::task::spawn_blocking(move || work(state.as_ref())).await.ok()
    }

    /// Hands changes to whoever merges them, a few at a time.
    async fn deliver(self: &Arc<Self>) {
        let mut queue = self.inbox_queue.lock().await;
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, 64).await > 0 {
            let messages = std::mem::take(&mut batch);
            self.blocking(move |state| messages.iter().for_each(|message| state.update(message))).await;
        }
    }
}

impl Inbound for Member {
    fn packet(self: &Arc<Self>, from: SocketAddr, packet: &[u8]) {
        let (messages, malformed) = match self.envelope.open(packet) {
            Ok(opened) => opened,
            Err(e) => {
                self.metrics.refused.with(&["packet"]).inc();
                tracing::debug!(%from, "packet refused: {e}");
                return;
            }
        };
        if malformed > 0 {
            self.metrics.refused.with(&["packet"]).add(malformed as u64);
        }
        self.step(|core, now, out| messages.into_iter().for_each(|m| core.handle(now, from, m, out)));
        // What was heard may have to be looked at earlier than planned.
        self.wake.notify_one();
    }

    async fn stream(self: Arc<Self>, mut stream: Box<dyn Connection>) {
        let served = timeout(self.settings.tcp_timeout, self.serve(stream.as_mut())).await;
        match served {
            Ok(Ok(())) => {}
            Ok(Err(e)) => {
                self.metrics.refused.with(&["connection"]).inc();
                tracing::debug!("gossip connection: {e}");
            }
            Err(_) => tracing::debug!("gossip connection: no whole message in time"),
        }
    }
}
