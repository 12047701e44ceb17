//! `email_configs`: one mail to the smarthost.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, FailureReason, Notification, NotifyError};
use client::{TlsConfig, client_config};
use config::{Secret, SecretSource};
use serde::Deserialize;
use template::time::Time;

use super::{ReceiverSettings, integration, named};
use crate::http::said_at;
use crate::mail::headers::addresses;
use crate::mail::message::{compose, random};
use crate::mail::smtp::{Smtp, SmtpError, connect, wrap_tls};
use crate::rendering::Rendering;
use crate::secrets::{exclusive, read};
use crate::templates::Templates;
use crate::text::group_id;

/// The port on which TLS starts with the first byte.
const IMPLICIT_TLS_PORT: u16 = 465;

/// How much of a group's id is in the id of its thread.
const THREAD_ID_CHARS: usize = 16;

/// One entry of `email_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct EmailSettings {
    pub send_resolved: bool,
    pub to: String,
    pub from: String,
    pub hello: String,
    pub smarthost: String,
    pub auth_username: String,
    pub auth_password: Option<Secret>,
    pub auth_password_file: Option<PathBuf>,
    pub auth_secret: Option<Secret>,
    pub auth_secret_file: Option<PathBuf>,
    pub auth_identity: String,
    pub headers: BTreeMap<String, String>,
    pub html: String,
    pub text: String,
    pub require_tls: Option<bool>,
    pub tls_config: Option<TlsConfig>,
    /// Without it the port decides.
    pub force_implicit_tls: Option<bool>,
    pub threading: Threading,
}

/// Whether mails of one group refer to a common one, which was never sent, so that programs show them together.
#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Threading {
    pub enabled: bool,
    /// `none` or `daily`.
    pub thread_by_date: String,
}

impl Default for EmailSettings {
    fn default() -> EmailSettings {
        EmailSettings {
            send_resolved: false,
            to: String::new(),
            from: String::new(),
            hello: String::new(),
            smarthost: String::new(),
            auth_username: String::new(),
            auth_password: None,
            auth_password_file: None,
            auth_secret: None,
            auth_secret_file: None,
            auth_identity: String::new(),
            headers: BTreeMap::new(),
            html: named("email.default.html"),
            text: String::new(),
            require_tls: None,
            tls_config: None,
            force_implicit_tls: None,
            threading: Threading::default(),
        }
    }
}

impl ReceiverSettings for EmailSettings {
    const KIND: &'static str = "email";

    fn validate(&mut self) -> Result<(), String> {
        if self.to.is_empty() {
            return Err("missing to address in email config".into());
        }
        exclusive(&self.auth_password, &self.auth_password_file, "auth_password")?;
        exclusive(&self.auth_secret, &self.auth_secret_file, "auth_secret")?;
        if !self.smarthost.is_empty() {
            host_and_port(&self.smarthost)?;
        }
        // Names differ by more than capitals.
        let mut headers = BTreeMap::new();
        for (name, value) in std::mem::take(&mut self.headers) {
            let name = canonical(&name);
            if headers.contains_key(&name) {
                return Err(format!("duplicate header {name:?} in email config"));
            }
            headers.insert(name, value);
        }
        self.headers = headers;
        if self.threading.enabled {
            for name in ["References", "In-Reply-To"] {
                if self.headers.contains_key(name) {
                    return Err(format!(
                        "conflicting configuration: threading.enabled conflicts with custom {name} header"
                    ));
                }
            }
            if !["none", "daily"].contains(&self.threading.thread_by_date.as_str()) {
                return Err("threading.thread_by_date must be either 'none' or 'daily'".into());
            }
        }
        Ok(())
    }
}

pub struct EmailIntegration {
    settings: EmailSettings,
    host: String,
    port: u16,
    templates: Arc<Templates>,
}

impl EmailIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: EmailSettings, templates: Arc<Templates>) -> Result<EmailIntegration, String> {
        settings.validate()?;
        let (host, port) = host_and_port(&settings.smarthost)?;
        let mut default = |name: &str, value: String| {
            settings.headers.entry(name.to_owned()).or_insert(value);
        };
        default("Subject", named("email.default.subject"));
        default("To", settings.to.clone());
        default("From", settings.from.clone());
        Ok(EmailIntegration { settings, host, port, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let from = self.sender(&rendering)?;
        let to = rendering.text(&self.settings.to).map_err(said_at("execute 'to' template"))?;
        let to = addresses(&to).map_err(|e| NotifyError::permanent(format!("parse 'to' addresses: {e}")))?;
        let message = self.message(notification, &rendering, attempt)?;
        let mut smtp = self.open().await?;
        self.authenticate(&mut smtp).await?;
        attempt.answer = smtp.send(&from, &to, &message).await.map_err(failed)?;
        Ok(())
    }

    fn sender(&self, rendering: &Rendering<'_>) -> Result<String, NotifyError> {
        let text = rendering.text(&self.settings.from).map_err(said_at("execute 'from' template"))?;
        let mut all =
            addresses(&text).map_err(|e| NotifyError::permanent(format!("parse 'from' addresses: {e}")))?;
        match (all.pop(), all.len()) {
            (Some(address), 0) => Ok(address),
            (_, others) => Err(NotifyError::permanent(format!(
                "must be exactly one 'from' address (got: {})",
                others + 1
            ))),
        }
    }

    /// The whole mail; the attempt keeps it as people read it.
    fn message(
        &self,
        notification: &Notification,
        rendering: &Rendering<'_>,
        attempt: &mut Attempt,
    ) -> Result<String, NotifyError> {
        let s = &self.settings;
        let mut headers = Vec::new();
        for (name, template) in &s.headers {
            let at = said_at(format!("execute {name:?} header template"));
            headers.push((name.clone(), rendering.text(template).map_err(at)?));
        }
        let now = Time::from_ns(notification.now);
        if !s.headers.contains_key("Message-Id") {
            headers.push(("Message-Id".into(), format!("<{}@{}>", random(16), hostname())));
        }
        if s.threading.enabled {
            let day = match s.threading.thread_by_date.as_str() {
                "none" => String::new(),
                _ => now.format("2006-01-02"),
            };
            let id = group_id(&notification.group_key);
            let id = id.get(..THREAD_ID_CHARS).unwrap_or_default();
            let root = format!("<alert-{id}-{day}@alertmanager>");
            headers.push(("References".into(), root.clone()));
            headers.push(("In-Reply-To".into(), root));
        }
        headers.push(("Date".into(), now.format("Mon, 02 Jan 2006 15:04:05 -0700")));
        let text = rendering.text(&s.text).map_err(said_at("execute text template"))?;
        let html = rendering.html(&s.html).map_err(said_at("execute html template"))?;
        for (name, value) in &headers {
            attempt.rendered.push_str(&format!("{name}: {value}\n"));
        }
        attempt.rendered.push_str(&format!("\n{}", if s.text.is_empty() { &html } else { &text }));
        // A part is there when it is configured, even if it comes out empty.
        let part = |template: &str, body| (!template.is_empty()).then_some(body);
        Ok(compose(&headers, part(&s.text, text.as_str()), part(&s.html, html.as_str())))
    }

    async fn open(&self) -> Result<Smtp, NotifyError> {
        let s = &self.settings;
        let hello = if s.hello.is_empty() { "localhost" } else { &s.hello };
        let tls = s.tls_config.clone().unwrap_or_default();
        let name = tls.server_name.clone().unwrap_or_else(|| self.host.clone());
        let config = || {
            let fail = |e: String| NotifyError::permanent(format!("parse TLS configuration: {e}"));
            client_config(&tls).map(Arc::new).map_err(fail)
        };
        let stream = connect(&self.host, self.port)
            .await
            .map_err(|e| failed_at("establish connection to server", &e))?;
        let greeted = |e: SmtpError| failed_at("create SMTP client", &e);
        if s.force_implicit_tls.unwrap_or(self.port == IMPLICIT_TLS_PORT) {
            let stream = wrap_tls(stream, config()?, &name)
                .await
                .map_err(|e| failed_at("establish TLS connection to server", &e))?;
            return Smtp::start(stream, true, hello).await.map_err(greeted);
        }
        let smtp = Smtp::start(stream, false, hello).await.map_err(greeted)?;
        if !s.require_tls.unwrap_or(true) {
            return Ok(smtp);
        }
        if !smtp.offers("STARTTLS") {
            return Err(NotifyError::transient(format!(
                "'require_tls' is true (default) but {:?} does not advertise the STARTTLS extension",
                s.smarthost
            )));
        }
        smtp.start_tls(config()?, &name, hello).await.map_err(|e| failed_at("send STARTTLS command", &e))
    }

    /// With the first mechanism of the server's list for which there is a secret.
    async fn authenticate(&self, smtp: &mut Smtp) -> Result<(), NotifyError> {
        let s = &self.settings;
        if s.auth_username.is_empty() || !smtp.offers("AUTH") {
            return Ok(());
        }
        let secret = |inline: &Option<Secret>, file: &Option<PathBuf>, what: &str, mechanism: &str| {
            let given = SecretSource::from_pair(inline.clone(), file.clone());
            match given.map(|source| read(&source, &format!("could not read {what} file"))) {
                Some(Ok(secret)) if !secret.is_empty() => Ok(secret),
                Some(Err(e)) => Err(e.message),
                _ => Err(format!("missing {what} for {mechanism} auth mechanism")),
            }
        };
        let mut problems = Vec::new();
        for mechanism in smtp.mechanisms() {
            let found = match mechanism.as_str() {
                "CRAM-MD5" => secret(&s.auth_secret, &s.auth_secret_file, "secret", &mechanism),
                "PLAIN" | "LOGIN" => secret(&s.auth_password, &s.auth_password_file, "password", &mechanism),
                _ => Err(format!("unknown auth mechanism: {mechanism}")),
            };
            let secret = match found {
                Ok(secret) => secret,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let user = &s.auth_username;
            let result = match mechanism.as_str() {
                "CRAM-MD5" => smtp.auth_cram_md5(user, secret.reveal()).await,
                // A password is not told where everybody can listen.
                "PLAIN" if !smtp.is_encrypted() && !self.is_local() => {
                    return Err(NotifyError::transient("PLAIN auth: unencrypted connection"));
                }
                "PLAIN" => smtp.auth_plain(&s.auth_identity, user, secret.reveal()).await,
                _ => smtp.auth_login(user, secret.reveal()).await,
            };
            return result.map_err(|e| NotifyError {
                retry: true,
                reason: FailureReason::AuthError,
                message: format!("{mechanism} auth: {e}"),
            });
        }
        Err(NotifyError::transient(format!("find auth mechanism: {}", problems.join("\n"))))
    }

    fn is_local(&self) -> bool {
        ["localhost", "127.0.0.1", "::1"].contains(&self.host.as_str())
    }
}

/// Whatever a server says against a message, it may say otherwise later; the original tries again, too.
fn failed(error: SmtpError) -> NotifyError {
    let what = match &error {
        SmtpError::Refused { step: "DATA", .. } => "delivery failure",
        SmtpError::Refused { step: "MAIL", .. } => "send MAIL command",
        SmtpError::Refused { step: "RCPT", .. } => "send RCPT command",
        _ => "send mail",
    };
    failed_at(what, &error)
}

fn failed_at(what: &str, error: &SmtpError) -> NotifyError {
    NotifyError::transient(format!("{what}: {error}"))
}

fn host_and_port(address: &str) -> Result<(String, u16), String> {
    let missing = || format!("address {address}: missing port in address");
    let (host, port) = address.rsplit_once(':').ok_or_else(missing)?;
    if host.contains(':') && !host.ends_with(']') {
        return Err(format!("address {address}: too many colons in address"));
    }
    if port.is_empty() {
        return Err(format!("address {address:?}: port cannot be empty"));
    }
    let port = port.parse().map_err(|_| format!("address {address}: invalid port"))?;
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost.localdomain".into(),
        name => name.into(),
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

integration!(EmailIntegration, EmailSettings);
