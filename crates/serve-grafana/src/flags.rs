//! Flags of the Grafana service.

use std::path::PathBuf;

use flags::{Flag, FlagError, Flags};

pub const FLAGS: &[Flag] = &[
    Flag::value("config.dir", ".", "Directory that holds grafana/provisioning and grafana/dashboards."),
    Flag::value("data.path", "data/grafana_data", "Where users, saved dashboards and annotations are kept."),
    Flag::value("web.listen-address", "127.0.0.1:3000", "Address to listen on."),
    Flag::value("admin.user", "admin", "Name of the administrator made at the first start."),
    Flag::value(
        "admin.password-file",
        "",
        "File with the administrator's first password. Default: $GF_SECURITY_ADMIN_PASSWORD, else cloudos123.",
    ),
];

/// The password everybody knows; refused as soon as the port can be reached from elsewhere.
pub const DEFAULT_PASSWORD: &str = "cloudos123";

#[derive(Debug, Clone)]
pub struct Settings {
    pub config_dir: PathBuf,
    pub data_path: PathBuf,
    pub listen_address: String,
    pub admin_user: String,
    pub admin_password: config::Secret,
}

impl Settings {
    pub fn from_flags(flags: &Flags) -> Result<Settings, FlagError> {
        let admin_password = match flags.get("admin.password-file") {
            "" => std::env::var("GF_SECURITY_ADMIN_PASSWORD").unwrap_or_else(|_| DEFAULT_PASSWORD.into()),
            file => std::fs::read_to_string(file)
                .map_err(|e| FlagError::Bad(format!("--admin.password-file={file}: {e}")))?
                .trim()
                .to_owned(),
        };
        if admin_password.is_empty() {
            return Err(FlagError::Bad("the administrator's password is empty".into()));
        }
        Ok(Settings {
            config_dir: flags.get("config.dir").into(),
            data_path: flags.get("data.path").into(),
            listen_address: flags.get("web.listen-address").to_owned(),
            admin_user: flags.get("admin.user").to_owned(),
            admin_password: config::Secret::new(admin_password),
        })
    }
}
