//! Flags of the Loki service, in Loki's names.

use std::path::PathBuf;

use flags::{Flag, FlagError, Flags};

use crate::config::Config;

pub const FLAGS: &[Flag] = &[
    Flag::value(
        "config.file",
        "",
        "Configuration file, or several separated by commas: the first that exists is read.",
    ),
    Flag::switch("config.expand-env", false, "Expand ${VAR} in the configuration file from the environment."),
    Flag::value(
        "server.http-listen-address",
        "",
        "Address to listen on. Default: the file's, else localhost.",
    ),
    Flag::value("server.http-listen-port", "", "Port to listen on. Default: the file's, else 3100."),
    Flag::value("common.path-prefix", "", "Directory for data. Default: the file's."),
    Flag::value("log.level", "", "Level of log lines: debug, info, warn, error."),
    Flag::value("target", "all", "Components to run. Only all of them together are supported."),
    Flag::switch("verify-config", false, "Check the configuration file and exit."),
    Flag::switch("print-config-stderr", false, "Print the configuration to standard error at start."),
];

#[derive(Debug, Clone)]
pub struct Settings {
    pub config: Config,
    /// The file that was read, if any.
    pub config_file: Option<PathBuf>,
    /// Check the configuration and exit.
    pub verify_only: bool,
    /// What was given, for reading the file again.
    pub(crate) flags: Flags,
}

impl Settings {
    /// Reads the flags and the file they name.
    pub fn from_flags(flags: &Flags) -> Result<Settings, FlagError> {
        let bad = |e: &dyn std::fmt::Display| FlagError::Bad(e.to_string());
        if !matches!(flags.get("target"), "all" | "") {
            let target = flags.get("target");
            return Err(FlagError::Bad(format!(
                "-target={target} is not supported: all components run together"
            )));
        }
        let files: Vec<PathBuf> =
            flags.get("config.file").split(',').filter(|f| !f.is_empty()).map(PathBuf::from).collect();
        let config_file = files.iter().find(|f| f.exists()).or(files.last()).cloned();
        let mut config = match &config_file {
            Some(file) => {
                let text = config::read(file).map_err(|e| bad(&e))?;
                let text = if flags.is_on("config.expand-env") {
                    config::expand_env(&text, |name| std::env::var(name).ok())
                } else {
                    text
                };
                config::parse(&file.display().to_string(), &text).map_err(|e| bad(&e))?
            }
            None => Config::default(),
        };
        // Flags win over the file, as in the original.
        let overrides = [
            ("server.http-listen-address", &mut config.server.http_listen_address),
            ("common.path-prefix", &mut config.common.path_prefix),
            ("log.level", &mut config.server.log_level),
        ];
        for (flag, value) in overrides {
            if !flags.get(flag).is_empty() {
                *value = flags.get(flag).to_owned();
            }
        }
        if !flags.get("server.http-listen-port").is_empty() {
            config.server.http_listen_port = flags.number("server.http-listen-port")?;
        }
        if flags.is_on("print-config-stderr") {
            eprintln!("{}", config.to_yaml());
        }
        let verify_only = flags.is_on("verify-config");
        Ok(Settings { config, config_file, verify_only, flags: flags.clone() })
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
