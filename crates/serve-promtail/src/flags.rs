//! Flags of the Promtail service, in Promtail's names.

use std::path::PathBuf;

use flags::{Flag, FlagError, Flags};
use tail::Config;

pub const FLAGS: &[Flag] = &[
    Flag::value(
        "config.file",
        "",
        "Configuration file, or several separated by commas: the first that exists is read.",
    ),
    Flag::switch("config.expand-env", false, "Expand ${VAR} in the configuration file from the environment."),
    Flag::value(
        "config.data-dir",
        "",
        "What ${CLOUDOS_DATA_DIR} means in the file where the environment does not say.",
    ),
    Flag::value(
        "server.http-listen-address",
        "",
        "Address to listen on. Default: the file's, else localhost.",
    ),
    Flag::value("server.http-listen-port", "", "Port to listen on. Default: the file's, else 9080."),
    Flag::switch("server.enable-runtime-reload", false, "Reload the configuration on POST /reload."),
    Flag::value("client.url", "", "URL to push to. Default: the file's."),
    Flag::value("positions.file", "", "File with the positions. Default: the file's."),
    Flag::value("log.level", "", "Level of log lines: debug, info, warn, error."),
    Flag::switch("check-syntax", false, "Check the configuration file and exit."),
    Flag::switch("print-config-stderr", false, "Print the configuration to standard error at start."),
];

/// What the flags and the file mean.
#[derive(Debug, Clone)]
pub struct Settings {
    pub config: Config,
    pub config_file: Option<PathBuf>,
    /// Check the configuration and exit.
    pub check_only: bool,
    /// The file without its secrets.
    pub(crate) shown: String,
    /// For reading the file again.
    flags: Flags,
}

impl Settings {
    /// Reads the flags and the file they name.
    pub fn from_flags(flags: &Flags) -> Result<Settings, FlagError> {
        let bad = |e: &dyn std::fmt::Display| FlagError::Bad(e.to_string());
        let files: Vec<PathBuf> =
            flags.get("config.file").split(',').filter(|f| !f.is_empty()).map(PathBuf::from).collect();
        let config_file = files.iter().find(|f| f.exists()).or(files.last()).cloned();
        let (mut config, mut shown) = (Config::default(), String::new());
        if let Some(file) = &config_file {
            let text = config::read(file).map_err(|e| bad(&e))?;
            let text = if flags.is_on("config.expand-env") { expand(&text, flags) } else { text };
            let name = file.display().to_string();
            config = Config::parse(&name, &text).map_err(|e| bad(&e))?;
            shown = crate::redact::redact(&name, &text).map_err(|e| bad(&e))?;
        }
        // Flags win over the file, as in the original.
        if !flags.get("server.http-listen-address").is_empty() {
            config.server.http_listen_address = flags.get("server.http-listen-address").to_owned();
        }
        if !flags.get("server.http-listen-port").is_empty() {
            config.server.http_listen_port = flags.number("server.http-listen-port")?;
        }
        if flags.is_on("server.enable-runtime-reload") {
            config.server.enable_runtime_reload = true;
        }
        if !flags.get("positions.file").is_empty() {
            config.positions.filename = PathBuf::from(flags.get("positions.file"));
        }
        let url = flags.get("client.url");
        if !url.is_empty() {
            // One client means this one; with several, or none, it is one more.
            match (&mut config.client, config.clients.as_mut_slice()) {
                (None, [only]) => only.url = url.to_owned(),
                (Some(client), []) => client.url = url.to_owned(),
                _ => {
                    config.clients.push(tail::config::ClientConfig { url: url.into(), ..Default::default() })
                }
            }
        }
        if config.all_clients().next().is_none() {
            return Err(FlagError::Bad("at least one client config must be provided".into()));
        }
        if flags.is_on("print-config-stderr") {
            eprintln!("{shown}");
        }
        let check_only = flags.is_on("check-syntax");
        Ok(Settings { config, config_file, check_only, shown, flags: flags.clone() })
    }

    /// The same flags over the file as it is now.
    pub(crate) fn again(&self) -> Result<Settings, String> {
        Settings::from_flags(&self.flags).map_err(|e| e.to_string())
    }

    pub fn listen_address(&self) -> String {
        let server = &self.config.server;
        let host = match server.http_listen_address.as_str() {
            // The name may mean the version 6 address first, and then nobody finds the other one.
            "" | "localhost" => "127.0.0.1",
            host => host,
        };
        format!("{host}:{}", server.http_listen_port)
    }
}

fn expand(text: &str, flags: &Flags) -> String {
    config::expand_env(text, |name| {
        let given = std::env::var(name).ok().filter(|value| !value.is_empty());
        given.or_else(|| (name == "CLOUDOS_DATA_DIR").then(|| flags.get("config.data-dir").to_owned()))
    })
}
