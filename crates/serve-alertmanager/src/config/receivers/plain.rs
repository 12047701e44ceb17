//! Webhooks, email and Amazon's SNS.

use std::path::Path;

use notify::{EmailSettings, SnsSettings, WebhookSettings};

use super::global::{Complete, http, place, secret};
use crate::config::Global;

impl Complete for WebhookSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        place(&mut self.url_file, dir);
        Ok(())
    }
}

impl Complete for SnsSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        Ok(())
    }
}

impl Complete for EmailSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        let or = |own: &mut String, global: &str| {
            if own.is_empty() {
                *own = global.to_owned();
            }
        };
        or(&mut self.smarthost, &global.smtp_smarthost);
        if self.smarthost.is_empty() {
            return Err("no global SMTP smarthost set".into());
        }
        or(&mut self.from, &global.smtp_from);
        if self.from.is_empty() {
            return Err("no global SMTP from set".into());
        }
        or(&mut self.hello, &global.smtp_hello);
        or(&mut self.auth_username, &global.smtp_auth_username);
        or(&mut self.auth_identity, &global.smtp_auth_identity);
        let own = (&mut self.auth_password, &mut self.auth_password_file);
        secret(own, (&global.smtp_auth_password, &global.smtp_auth_password_file), dir);
        let own = (&mut self.auth_secret, &mut self.auth_secret_file);
        secret(own, (&global.smtp_auth_secret, &global.smtp_auth_secret_file), dir);
        self.require_tls = self.require_tls.or(Some(global.smtp_require_tls));
        self.force_implicit_tls = self.force_implicit_tls.or(global.smtp_force_implicit_tls);
        self.tls_config = self.tls_config.take().or_else(|| global.smtp_tls_config.clone());
        if let Some(tls) = &mut self.tls_config {
            tls.set_directory(dir);
        }
        Ok(())
    }
}
