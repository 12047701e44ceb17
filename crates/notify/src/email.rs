//! `email_configs`: one mail to the smarthost.

use std::sync::Arc;

use alerting::{Attempt, FailureReason, Integration, Notification, NotifyError, Sending};
use client::client_config;
use config::SecretSource;
use template::Value;
use template::time::Time;

use crate::headers::addresses;
use crate::message::{compose, unique};
use crate::settings::EmailSettings;
use crate::smtp::{Smtp, SmtpError, connect, wrap_tls};
use crate::templates::Templates;

/// The port on which TLS starts with the first byte.
const IMPLICIT_TLS_PORT: u16 = 465;

pub struct EmailIntegration {
    settings: EmailSettings,
    host: String,
    port: u16,
    templates: Arc<Templates>,
}

impl EmailIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: EmailSettings, templates: Arc<Templates>) -> Result<EmailIntegration, String> {
        if settings.to.is_empty() {
            return Err("missing to address in email config".into());
        }
        if settings.threading.is_some() {
            return Err("email threading is not supported yet".into());
        }
        let bad = || format!("address {}: missing port in address", settings.smarthost);
        let (host, port) = settings.smarthost.rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().map_err(|_| format!("address {}: invalid port", settings.smarthost))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut headers = std::collections::BTreeMap::new();
        for (name, value) in std::mem::take(&mut settings.headers) {
            let canonical = canonical(&name);
            if headers.insert(canonical.clone(), value).is_some() {
                return Err(format!("duplicate header {canonical:?} in email config"));
            }
        }
        let default = |name: &str, value: String, headers: &mut std::collections::BTreeMap<_, _>| {
            headers.entry(name.to_owned()).or_insert(value);
        };
        let subject = "{{ template \"email.default.subject\" . }}".to_owned();
        default("Subject", subject, &mut headers);
        default("To", settings.to.clone(), &mut headers);
        default("From", settings.from.clone(), &mut headers);
        settings.headers = headers;
        Ok(EmailIntegration { settings, host, port, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let data = self.templates.data(notification);
        let from = self.one_address("from", &self.settings.from, &data)?;
        let to = self.templates.text(&self.settings.to, &data)?;
        let to = addresses(&to).map_err(|e| NotifyError::permanent(format!("parse 'to' addresses: {e}")))?;
        let message = self.message(notification, &data)?;
        attempt.rendered.clone_from(&message);
        let mut smtp = self.open().await?;
        self.authenticate(&mut smtp).await?;
        smtp.send(&from, &to, &message).await.map_err(failed)
    }

    fn one_address(&self, what: &str, template: &str, data: &Value) -> Result<String, NotifyError> {
        let text = self.templates.text(template, data)?;
        let fail = |e: String| NotifyError::permanent(format!("parse '{what}' addresses: {e}"));
        let mut all = addresses(&text).map_err(fail)?;
        match (all.pop(), all.is_empty()) {
            (Some(address), true) => Ok(address),
            _ => Err(fail(format!("must be exactly one '{what}' address"))),
        }
    }

    fn message(&self, notification: &Notification, data: &Value) -> Result<String, NotifyError> {
        let mut headers = Vec::new();
        for (name, template) in &self.settings.headers {
            headers.push((name.clone(), self.templates.text(template, data)?));
        }
        let has = |name: &str| self.settings.headers.contains_key(name);
        if !has("Message-Id") {
            let host = if self.settings.hello.is_empty() { "localhost" } else { &self.settings.hello };
            headers.push(("Message-Id".into(), format!("<{}@{host}>", unique())));
        }
        if !has("Date") {
            let date = Time::from_ns(notification.now).format("Mon, 02 Jan 2006 15:04:05 -0700");
            headers.push(("Date".into(), date));
        }
        let text = self.templates.text(&self.settings.text, data)?;
        let html = self.templates.html(&self.settings.html, data)?;
        Ok(compose(&headers, &text, &html))
    }

    async fn open(&self) -> Result<Smtp, NotifyError> {
        let s = &self.settings;
        let hello = if s.hello.is_empty() { "localhost" } else { &s.hello };
        let tls_settings = s.tls_config.clone().unwrap_or_default();
        let name = tls_settings.server_name.clone().unwrap_or_else(|| self.host.clone());
        let config = || client_config(&tls_settings).map(Arc::new).map_err(NotifyError::permanent);
        let establish = |e: SmtpError| failed_at("establish connection to server", e);
        let stream = connect(&self.host, self.port).await.map_err(establish)?;
        if s.force_implicit_tls.unwrap_or(self.port == IMPLICIT_TLS_PORT) {
            let stream = wrap_tls(stream, config()?, &name).await.map_err(establish)?;
            return Smtp::start(stream, hello).await.map_err(failed);
        }
        let smtp = Smtp::start(stream, hello).await.map_err(failed)?;
        if !s.require_tls.unwrap_or(true) {
            return Ok(smtp);
        }
        if !smtp.offers("STARTTLS") {
            return Err(NotifyError::transient(format!(
                "'require_tls' is true (default) but {:?} does not advertise the STARTTLS extension",
                s.smarthost
            )));
        }
        smtp.start_tls(config()?, &name, hello).await.map_err(|e| failed_at("send STARTTLS command", e))
    }

    async fn authenticate(&self, smtp: &mut Smtp) -> Result<(), NotifyError> {
        let s = &self.settings;
        if s.auth_username.is_empty() || !smtp.offers("AUTH") {
            return Ok(());
        }
        let source = SecretSource::from_pair(s.auth_password.clone(), s.auth_password_file.clone());
        let password = match source.map(|source| source.read()).transpose() {
            Ok(password) => password.unwrap_or_default(),
            Err(e) => return Err(NotifyError::permanent(format!("find auth mechanism: {e}"))),
        };
        let mechanisms = smtp.mechanisms();
        let offers = |name: &str| mechanisms.iter().any(|m| m == name);
        let result = if offers("PLAIN") && !password.is_empty() {
            smtp.auth_plain(&s.auth_identity, &s.auth_username, password.reveal()).await
        } else if offers("LOGIN") && !password.is_empty() {
            smtp.auth_login(&s.auth_username, password.reveal()).await
        } else {
            let offered = mechanisms.join(" ");
            return Err(NotifyError::permanent(format!(
                "find auth mechanism: missing password for PLAIN or LOGIN auth mechanism, or unknown auth \
                 mechanism: {offered}"
            )));
        };
        result.map_err(|e| {
            let retry = e.is_transient();
            NotifyError { retry, reason: FailureReason::AuthError, message: format!("auth: {e}") }
        })
    }
}

fn failed(error: SmtpError) -> NotifyError {
    failed_at("send mail", error)
}

fn failed_at(what: &str, error: SmtpError) -> NotifyError {
    NotifyError {
        retry: error.is_transient(),
        reason: FailureReason::Other,
        message: format!("{what}: {error}"),
    }
}

/// `Message-Id`: the first letter of each part in capitals.
fn canonical(name: &str) -> String {
    let part = |part: &str| {
        let mut chars = part.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(chars.map(|c| c.to_ascii_lowercase())).collect::<String>()
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

impl Integration for EmailIntegration {
    fn kind(&self) -> &'static str {
        "email"
    }

    fn sends_resolved(&self) -> bool {
        self.settings.send_resolved
    }

    fn notify<'a>(&'a self, notification: &'a Notification, attempt: &'a mut Attempt) -> Sending<'a> {
        Box::pin(self.attempt(notification, attempt))
    }
}
