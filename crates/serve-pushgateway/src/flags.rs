//! The flag table.

use flags::Flag;

pub const FLAGS: &[Flag] = &[
    Flag::value("web.listen-address", ":9091", "Address to listen on."),
    Flag::value("web.telemetry-path", "/metrics", "Path under which to expose metrics."),
    Flag::value("web.external-url", "", "The URL under which this service is reachable from outside."),
    Flag::value("web.route-prefix", "", "Prefix of all paths. Defaults to the path of --web.external-url."),
    Flag::switch("web.enable-lifecycle", false, "Allow shutdown by an HTTP request."),
    Flag::switch("web.enable-admin-api", false, "Allow wiping all groups by an HTTP request."),
    Flag::value("persistence.file", "", "File that keeps the groups over restarts. Empty: memory only."),
    Flag::value("persistence.interval", "5m", "The least time between two writes of the file."),
    Flag::switch(
        "push.disable-consistency-check",
        false,
        "Take pushes unchecked. Dangerous: one bad push can break every scrape.",
    ),
    Flag::value("log.level", "info", "Least level that is logged: debug, info, warn, error."),
    Flag::value("log.format", "logfmt", "Form of the log lines: logfmt or json."),
];
