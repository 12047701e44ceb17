//! `email_configs`: most of it is usually global.

use std::path::Path;

use notify::EmailSettings;

use super::http::resolve;
use crate::config::Global;

pub(super) fn complete(mut s: EmailSettings, global: &Global, dir: &Path) -> Result<EmailSettings, String> {
    let or = |own: String, global: &str| if own.is_empty() { global.to_owned() } else { own };
    s.smarthost = or(s.smarthost, &global.smtp_smarthost);
    if s.smarthost.is_empty() {
        return Err("no global SMTP smarthost set".into());
    }
    s.from = or(s.from, &global.smtp_from);
    if s.from.is_empty() {
        return Err("no global SMTP from set".into());
    }
    s.hello = or(s.hello, &global.smtp_hello);
    s.auth_username = or(s.auth_username, &global.smtp_auth_username);
    s.auth_identity = or(s.auth_identity, &global.smtp_auth_identity);
    if s.auth_password.is_none() && s.auth_password_file.is_none() {
        s.auth_password = global.smtp_auth_password.clone();
        s.auth_password_file = global.smtp_auth_password_file.clone();
    }
    if s.auth_secret.is_none() && s.auth_secret_file.is_none() {
        s.auth_secret = global.smtp_auth_secret.clone();
        s.auth_secret_file = global.smtp_auth_secret_file.clone();
    }
    s.require_tls = s.require_tls.or(Some(global.smtp_require_tls));
    s.force_implicit_tls = s.force_implicit_tls.or(global.smtp_force_implicit_tls);
    s.tls_config = s.tls_config.or_else(|| global.smtp_tls_config.clone());
    if let Some(tls) = &mut s.tls_config {
        tls.set_directory(dir);
    }
    s.auth_password_file = resolve(s.auth_password_file, dir);
    s.auth_secret_file = resolve(s.auth_secret_file, dir);
    Ok(s)
}
