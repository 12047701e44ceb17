//! A member at work: the protocol core with sockets, time and tasks around it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use expfmt::Registry;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc, watch};
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::address;
use crate::core::{Core, Effect, Event, Options, Peer, Time};
use crate::crypt::KeyRing;
use crate::message::{Ping, Source};
use crate::metrics::{FULL_STATE, Metrics, UPDATE};
use crate::packet::{Envelope, LABEL_BYTES_MAX, PACKET_BYTES_MAX};
use crate::peers::LostPeers;
use crate::random::Random;
use crate::stream::{self, Connection, StreamMessage};
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

/// User messages queued for gossip, above which the most told are forgotten, and how often that is looked at.
const QUEUE_KEEP: usize = 4_096;
const PRUNE_INTERVAL: Duration = Duration::from_secs(15 * 60);

const REFRESH_INTERVAL: Duration = Duration::from_secs(15);
const FORGET_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// So many equal counts of members in a row make a settled cluster.
const SETTLED_COUNTS: u32 = 3;

/// How often and how quickly goodbye is said before the process ends.
const GOODBYES_MAX: usize = 10;
const GOODBYE_PAUSE: Duration = Duration::from_millis(50);

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
                        Transport::Tls(tls) => tls.serve(tcp, member.clone()).await,
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

    /// Answers what one connection asks.
    async fn serve(self: &Arc<Self>, stream: &mut dyn Connection) -> io::Result<()> {
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

    async fn everything(self: &Arc<Self>, join: bool) -> StreamMessage {
        let user = self.blocking(|state| state.full()).await.unwrap_or_default();
        self.metrics.count(true, FULL_STATE, user.len());
        StreamMessage::PushPull { join, nodes: self.core().nodes(), user }
    }

    async fn take_in(self: &Arc<Self>, nodes: Vec<crate::message::Node>, user: Vec<u8>) -> io::Result<()> {
        let mut merged = Ok(());
        self.step(|core, now, out| merged = core.merge(now, nodes, out));
        merged.map_err(io::Error::other)?;
        self.metrics.count(false, FULL_STATE, user.len());
        self.blocking(move |state| state.merge(&user)).await;
        Ok(())
    }

    /// Runs work on the shared state where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn State) -> T + Send + 'static,
    ) -> Option<T> {
        let state = self.state.clone();
        tokio::task::spawn_blocking(move || work(state.as_ref())).await.ok()
    }

    /// Exchanges everything with a member.
    async fn exchange(self: &Arc<Self>, to: &Peer, join: bool) -> io::Result<()> {
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

    async fn connect(&self, to: &Peer, limit: Duration) -> io::Result<Box<dyn Connection>> {
        use tokio::io::AsyncWriteExt;
        let mut stream = self.transport.connect(to, limit).await?;
        stream.write_all(&self.envelope.header()).await?;
        Ok(stream)
    }

    async fn stream_ping(self: Arc<Self>, to: Peer, seq: u32, until: Time) {
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

    /// Hands changes to whoever merges them, a few at a time.
    async fn deliver(self: &Arc<Self>) {
        let mut queue = self.inbox_queue.lock().await;
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, 64).await > 0 {
            let messages = std::mem::take(&mut batch);
            self.blocking(move |state| messages.iter().for_each(|message| state.update(message))).await;
        }
    }

    async fn send_large(self: &Arc<Self>) {
        let sending = self.large.iter().map(|(key, large)| async move {
            let mut queue = large.queue.lock().await;
            while let Some(message) = queue.recv().await {
                self.send_to_all(key, message).await;
            }
        });
        futures_util::future::join_all(sending).await;
    }

    /// Sends a large message to every other member, to all at the same time.
    async fn send_to_all(self: &Arc<Self>, key: &str, message: Vec<u8>) {
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
                use tokio::io::AsyncWriteExt;
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

    /// Joins whom it should know, now and again.
    async fn keep_peers(self: &Arc<Self>) {
        let settings = &self.settings;
        let named = self.resolve().await;
        *self.lost() = LostPeers::new(&named, self.now());
        let joined = self.join(&named).await;
        if joined == 0 && !named.is_empty() {
            tracing::warn!(
                "no peer could be joined; trying again every {:?}",
                settings.reconnect_interval.max(REFRESH_INTERVAL)
            );
        }
        let never = Duration::from_secs(u64::from(u32::MAX));
        let or_never = |d: Duration| if d.is_zero() { never } else { d };
        let start = |period| tokio::time::interval_at(Instant::now() + period, period);
        let mut reconnect = start(or_never(settings.reconnect_interval));
        let mut refresh = start(REFRESH_INTERVAL);
        let mut forget = start(FORGET_INTERVAL);
        let mut prune = start(PRUNE_INTERVAL);
        loop {
            tokio::select! {
                _ = reconnect.tick() => self.reconnect().await,
                _ = refresh.tick() => self.refresh().await,
                _ = forget.tick() => {
                    if !settings.reconnect_timeout.is_zero() {
                        self.lost().forget(self.now(), settings.reconnect_timeout);
                    }
                    let names = self.core().names();
                    let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
                    self.metrics.retain_peers(&mut measured, &names);
                }
                _ = prune.tick() => {
                    let pruned = self.core().prune(QUEUE_KEEP);
                    self.metrics.pruned.add(pruned as u64);
                }
            }
        }
    }

    async fn resolve(&self) -> Vec<SocketAddr> {
        address::resolve(&self.settings.peers, self.address, self.settings.peers_resolve_timeout).await
    }

    /// Joins the cluster at each of these addresses; how many answered.
    async fn join(self: &Arc<Self>, addresses: &[SocketAddr]) -> usize {
        let joins = addresses.iter().map(|&address| async move {
            let peer = Peer { name: String::new(), address };
            let joined = self.exchange(&peer, true).await;
            joined.inspect_err(|e| tracing::debug!(%address, "cannot join: {e}")).is_ok()
        });
        futures_util::future::join_all(joins).await.into_iter().filter(|joined| *joined).count()
    }

    async fn reconnect(self: &Arc<Self>) {
        let lost = self.lost().addresses();
        let joined = self.join(&lost).await;
        self.metrics.reconnections.add(joined as u64);
        self.metrics.reconnections_failed.add((lost.len() - joined) as u64);
    }

    /// Joins peers that names have come to stand for.
    async fn refresh(self: &Arc<Self>) {
        let named = self.resolve().await;
        let members: BTreeSet<SocketAddr> = self.peers().into_iter().map(|peer| peer.address).collect();
        let missing: Vec<SocketAddr> =
            named.into_iter().filter(|address| !members.contains(address)).collect();
        let joined = self.join(&missing).await;
        self.metrics.refreshed.add(joined as u64);
        self.metrics.refresh_failed.add((missing.len() - joined) as u64);
    }

    async fn settle(self: &Arc<Self>) {
        if self.is_settled() {
            return;
        }
        let period = self.settings.gossip_interval * 10;
        tracing::info!("waiting for gossip to settle, looking every {period:?}");
        let counting = async {
            let (mut last, mut equal) = (0, 0);
            let mut polls = interval(period.max(Duration::from_millis(1)));
            polls.tick().await;
            loop {
                polls.tick().await;
                if equal >= SETTLED_COUNTS {
                    return;
                }
                let count = self.core().living_count();
                equal = if count == last { equal + 1 } else { 0 };
                last = count;
            }
        };
        let is_steady = timeout(self.settings.settle_timeout, counting).await.is_ok();
        let members = self.core().living_count();
        if is_steady {
            tracing::info!(members, "gossip settled");
        } else {
            tracing::info!(members, "gossip not settled but continuing anyway");
        }
        self.settled.send_replace(true);
    }

    /// Says goodbye, as long as somebody listens.
    async fn leave(self: &Arc<Self>) {
        self.step(Core::leave);
        for _ in 0..GOODBYES_MAX {
            if self.step(Core::say_goodbye) == 0 {
                return;
            }
            tokio::time::sleep(self.settings.gossip_interval.min(GOODBYE_PAUSE)).await;
        }
    }

    fn register(self: &Arc<Self>, registry: &Registry) {
        let gauge = |name: &str, help: &str, read: fn(&Member) -> f64| {
            // The registry must not keep the port open.
            let weak = Arc::downgrade(self);
            registry.gauge_fn(name, help, move || weak.upgrade().map_or(0.0, |member| read(&member)));
        };
        gauge(
            "alertmanager_cluster_members",
            "Number indicating current number of members in cluster.",
            |member| member.core().living_count() as f64,
        );
        gauge(
            "alertmanager_cluster_failed_peers",
            "Number indicating the current number of failed peers in the cluster.",
            |member| member.lost().len() as f64,
        );
        gauge(
            "alertmanager_cluster_health_score",
            "Health score of the cluster. Lower values are better and zero means 'totally healthy'.",
            |member| f64::from(member.core().health_score()),
        );
        gauge(
            "alertmanager_cluster_messages_queued",
            "Number of cluster messages which are queued.",
            |member| member.core().queued() as f64,
        );
        gauge(
            "alertmanager_peer_position",
            "Position the Alertmanager instance believes it's in. The position determines a peer's behavior \
             in the cluster.",
            |member| member.position() as f64,
        );
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
