//! `pushover_configs`: push messages to phones; everything is in the query of the address.

use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use serde::Deserialize;

use super::{ReceiverSettings, integration, named};
use crate::address::form;
use crate::duration::GoDuration;
use crate::http::{Call, HttpClient, check_status};
use crate::rendering::Rendering;
use crate::secrets::{HIDDEN, exactly_one, read};
use crate::templates::Templates;
use crate::text::cut_chars;

const API: &str = "https://api.pushover.net/1/messages.json";

// https://pushover.net/api#limits
const TITLE_CHARS_MAX: usize = 250;
const MESSAGE_CHARS_MAX: usize = 1024;
const URL_CHARS_MAX: usize = 512;

/// One entry of `pushover_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PushoverSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub user_key: Option<Secret>,
    pub user_key_file: Option<PathBuf>,
    pub token: Option<Secret>,
    pub token_file: Option<PathBuf>,
    pub title: String,
    pub message: String,
    pub url: String,
    pub url_title: String,
    pub device: String,
    pub sound: String,
    pub priority: String,
    pub retry: GoDuration,
    pub expire: GoDuration,
    pub ttl: GoDuration,
    pub html: bool,
    pub monospace: bool,
}

impl Default for PushoverSettings {
    fn default() -> PushoverSettings {
        PushoverSettings {
            send_resolved: true,
            http_config: None,
            user_key: None,
            user_key_file: None,
            token: None,
            token_file: None,
            title: named("pushover.default.title"),
            message: named("pushover.default.message"),
            url: named("pushover.default.url"),
            url_title: String::new(),
            device: String::new(),
            sound: String::new(),
            // Until acknowledged while it fires, plain when it is over.
            priority: "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}".into(),
            retry: GoDuration::from_secs(60),
            expire: GoDuration::from_secs(3600),
            ttl: GoDuration::default(),
            html: false,
            monospace: false,
        }
    }
}

impl ReceiverSettings for PushoverSettings {
    const KIND: &'static str = "pushover";

    fn validate(&mut self) -> Result<(), String> {
        exactly_one(&self.user_key, &self.user_key_file, "user_key")?;
        exactly_one(&self.token, &self.token_file, "token")?;
        if self.html && self.monospace {
            return Err("at most one of monospace & html must be configured".into());
        }
        Ok(())
    }
}

pub struct PushoverIntegration {
    settings: PushoverSettings,
    user_key: SecretSource,
    token: SecretSource,
    api: String,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl PushoverIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(settings: PushoverSettings, templates: Arc<Templates>) -> Result<Self, String> {
        PushoverIntegration::speaking_to(API.into(), settings, templates)
    }

    /// With another address than the service's.
    pub(crate) fn speaking_to(
        api: String,
        mut settings: PushoverSettings,
        templates: Arc<Templates>,
    ) -> Result<Self, String> {
        settings.validate()?;
        let source = |secret: &Option<Secret>, file: &Option<PathBuf>, name: &str| {
            SecretSource::from_pair(secret.clone(), file.clone())
                .ok_or_else(|| format!("one of {name} or {name}_file must be configured"))
        };
        let user_key = source(&settings.user_key, &settings.user_key_file, "user_key")?;
        let token = source(&settings.token, &settings.token_file, "token")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(PushoverIntegration { settings, user_key, token, api, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let token = read(&self.token, "read token_file")?;
        let user_key = read(&self.user_key, "read user_key_file")?;
        let (token, user_key) = (rendering.text(token.reveal())?, rendering.text(user_key.reveal())?);
        let parameters = self.parameters(&rendering)?;
        let with_keys = |token: &str, user: &str| {
            let mut fields: Vec<(&str, &str)> =
                parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            fields.extend([("token", token), ("user", user)]);
            form(&fields)
        };
        let call = Call {
            content_type: "text/plain",
            shown: Some(with_keys(HIDDEN, HIDDEN)),
            ..Call::post_json(format!("{}?{}", self.api, with_keys(&token, &user_key)), String::new())
        };
        let answer = self.client.send(call, PushoverSettings::KIND, attempt).await?;
        check_status(&answer, &[])
    }

    /// All but the keys.
    fn parameters(&self, rendering: &Rendering<'_>) -> Result<Vec<(&'static str, String)>, NotifyError> {
        let s = &self.settings;
        let text = |template: &str| rendering.text(template);
        let message = if s.html { rendering.html(&s.message)? } else { text(&s.message)? };
        let mut message = cut_chars(message, MESSAGE_CHARS_MAX).trim().to_owned();
        if message.is_empty() {
            // Empty messages are refused.
            message = "(no details)".into();
        }
        let mut parameters = vec![
            ("title", cut_chars(text(&s.title)?, TITLE_CHARS_MAX)),
            ("message", message),
            ("url", cut_chars(text(&s.url)?, URL_CHARS_MAX)),
            ("url_title", text(&s.url_title)?),
            ("priority", text(&s.priority)?),
            ("retry", s.retry.whole_seconds().to_string()),
            ("expire", s.expire.whole_seconds().to_string()),
            ("device", text(&s.device)?),
            ("sound", text(&s.sound)?),
        ];
        for (name, wanted) in [("html", s.html), ("monospace", s.monospace)] {
            if wanted {
                parameters.push((name, "1".into()));
            }
        }
        if s.ttl.whole_seconds() > 0 {
            parameters.push(("ttl", s.ttl.whole_seconds().to_string()));
        }
        Ok(parameters)
    }
}

integration!(PushoverIntegration, PushoverSettings);
