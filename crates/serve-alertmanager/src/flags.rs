//! The flag table.

use flags::Flag;

pub const FLAGS: &[Flag] = &[
    Flag::value("config.file", "alertmanager.yml", "Alertmanager configuration file name."),
    Flag::value("storage.path", "data/", "Base path for data storage."),
    Flag::value("data.retention", "120h", "How long to keep data for."),
    Flag::value(
        "data.maintenance-interval",
        "15m",
        "Interval between garbage collection and snapshotting to disk of the silences and the notification logs.",
    ),
    Flag::value(
        "silences.max-silences",
        "0",
        "Maximum number of silences, including expired silences. If 0, no limit.",
    ),
    Flag::value("silences.max-silence-size-bytes", "0", "Maximum silence size in bytes. If 0, no limit."),
    Flag::switch("log.silences", false, "Write silences to the log when they change."),
    Flag::value("alerts.gc-interval", "30m", "Interval between alert GC."),
    Flag::value("alerts.max-alerts", "1000000", "Maximum number of alerts held at once. If 0, no limit."),
    Flag::value("alerts.per-alertname-limit", "0", "Maximum number of alerts per alertname. If 0, no limit."),
    Flag::value(
        "dispatch.maintenance-interval",
        "30s",
        "Interval between maintenance of aggregation groups.",
    ),
    Flag::value("dispatch.start-delay", "0s", "Minimum amount of time to wait before dispatching alerts."),
    Flag::list(
        "web.listen-address",
        "Addresses on which to expose metrics and web interface. Default :9093.",
    ),
    Flag::value("web.config.file", "", "Path to configuration file that can enable TLS or authentication."),
    Flag::switch(
        "web.systemd-socket",
        false,
        "Use systemd socket activation listeners instead of port listeners.",
    ),
    Flag::value("web.external-url", "", "The URL under which Alertmanager is externally reachable."),
    Flag::value(
        "web.route-prefix",
        "",
        "Prefix for the internal routes of web endpoints. Defaults to the path of --web.external-url.",
    ),
    Flag::value(
        "web.get-concurrency",
        "0",
        "Maximum number of GET requests processed concurrently. If 0, a limit is chosen from the number of CPUs.",
    ),
    Flag::value("web.timeout", "0", "Timeout for HTTP requests. If negative or zero, no timeout is set."),
    Flag::value(
        "auto-gomemlimit.ratio",
        "0.9",
        "Accepted for compatibility; there is no garbage collector to tune.",
    ),
    Flag::value(
        "cluster.listen-address",
        "0.0.0.0:9094",
        "Listen address for cluster. Set to empty string to disable HA mode.",
    ),
    Flag::value("cluster.advertise-address", "", "Explicit address to advertise in cluster."),
    Flag::value("cluster.peer-name", "", "Explicit name of the peer, rather than generating a random one."),
    Flag::list("cluster.peer", "Initial peers (may be repeated)."),
    Flag::value("cluster.peer-timeout", "15s", "Time to wait between peers to send notifications."),
    Flag::value("cluster.peers-resolve-timeout", "15s", "Time to resolve peers."),
    Flag::value("cluster.gossip-interval", "200ms", "Interval between sending gossip messages."),
    Flag::value("cluster.pushpull-interval", "1m", "Interval for gossip state syncs."),
    Flag::value(
        "cluster.tcp-timeout",
        "10s",
        "Timeout for establishing a stream connection with a remote node.",
    ),
    Flag::value("cluster.probe-timeout", "500ms", "Timeout to wait for an ack from a probed node."),
    Flag::value("cluster.probe-interval", "1s", "Interval between random node probes."),
    Flag::value(
        "cluster.settle-timeout",
        "1m",
        "Maximum time to wait for cluster connections to settle before evaluating notifications.",
    ),
    Flag::value(
        "cluster.reconnect-interval",
        "10s",
        "Interval between attempting to reconnect to lost peers.",
    ),
    Flag::value("cluster.reconnect-timeout", "6h", "Length of time to attempt to reconnect to a lost peer."),
    Flag::value(
        "cluster.tls-config",
        "",
        "Path to config yaml file that can enable mutual TLS within the gossip protocol.",
    ),
    Flag::value(
        "cluster.encryption-keys-file",
        "",
        "File with base64 keys of 16 or 32 bytes, one per line, that encrypt gossip: the first encrypts, all \
         decrypt. All members must be given them; the original Alertmanager cannot be.",
    ),
    Flag::switch(
        "cluster.allow-insecure-public-advertise-address-discovery",
        false,
        "Allow alertmanager to discover and listen on a public IP address.",
    ),
    Flag::value(
        "cluster.label",
        "",
        "The cluster label is an optional string to include on each packet and stream.",
    ),
    Flag::value(
        "enable-feature",
        "",
        "Comma-separated experimental features to enable: alert-names-in-metrics, receiver-name-in-metrics, classic-mode, utf8-strict-mode.",
    ),
    Flag::value(
        "log.level",
        "info",
        "Only log messages with the given severity or above. One of: [debug, info, warn, error]",
    ),
    Flag::value("log.format", "logfmt", "Output format of log messages. One of: [logfmt, json]"),
];
