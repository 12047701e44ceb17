//! `webhook_configs`: the notification as JSON, for programs.

use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Duration, Secret, SecretSource};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{ReceiverSettings, integration};
use crate::address::check_url;
use crate::http::{Call, HttpClient, check_status, said_at};
use crate::json::{data_object, go_line};
use crate::payload;
use crate::rendering::Rendering;
use crate::secrets::{HIDDEN, exactly_one, read};
use crate::templates::Templates;

/// The version of the message format.
const VERSION: &str = "4";

/// One entry of `webhook_configs`.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    /// May be a template.
    pub url: Option<Secret>,
    pub url_file: Option<PathBuf>,
    /// Alerts per message; zero means all.
    pub max_alerts: u64,
    pub timeout: Duration,
    /// Sent instead of the usual message; its texts are templates.
    pub payload: Option<Json>,
}

impl Default for WebhookSettings {
    fn default() -> WebhookSettings {
        WebhookSettings {
            send_resolved: true,
            http_config: None,
            url: None,
            url_file: None,
            max_alerts: 0,
            timeout: Duration::default(),
            payload: None,
        }
    }
}

impl ReceiverSettings for WebhookSettings {
    const KIND: &'static str = "webhook";

    fn validate(&mut self) -> Result<(), String> {
        exactly_one(&self.url, &self.url_file, "url")?;
        match self.url.as_ref().map(Secret::reveal) {
            Some("" | HIDDEN) | None => Ok(()),
            // Checked with the language's own functions only, as in the original.
            Some(url) if url.contains("{{") => template::Set::new(template::Functions::new())
                .parse("", url)
                .map_err(|e| format!("invalid template syntax: {e}")),
            Some(url) => check_url(url).map_err(|e| format!("invalid URL: {e}")),
        }
    }
}

pub struct WebhookIntegration {
    settings: WebhookSettings,
    url: SecretSource,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl WebhookIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(
        mut settings: WebhookSettings,
        templates: Arc<Templates>,
    ) -> Result<WebhookIntegration, String> {
        settings.validate()?;
        let url = SecretSource::from_pair(settings.url.clone(), settings.url_file.clone())
            .ok_or("one of url or url_file must be configured")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(WebhookIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let (shown, cut) = first_alerts(notification, self.settings.max_alerts);
        let rendering = Rendering::new(&self.templates, &shown);
        let body = match &self.settings.payload {
            Some(payload) => payload::expand(payload, &rendering)
                .map(|json| go_line(&json))
                .map_err(said_at("failed to render custom payload"))?,
            None => message(data_object(rendering.data()), VERSION, notification, cut),
        };
        let url = read(&self.url, "read url_file")?;
        let url = rendering.text(url.reveal()).map_err(said_at("failed to template webhook URL"))?;
        if url.is_empty() {
            return Err(NotifyError::permanent("webhook URL is empty after templating"));
        }
        let call = Call { timeout: self.settings.timeout.to_std(), ..Call::post_json(url, body) };
        let answer = self.client.send(call, WebhookSettings::KIND, attempt).await?;
        check_status(&answer, &[])
    }
}

/// The notification with at most `max` alerts (zero for all), and how many were left out. What is common to
/// the alerts is then common to those that are left.
pub(crate) fn first_alerts(notification: &Notification, max: u64) -> (Notification, usize) {
    let mut shown = notification.clone();
    let all = shown.alerts.len();
    if max > 0 {
        shown.alerts.truncate(usize::try_from(max).unwrap_or(usize::MAX));
    }
    let cut = all - shown.alerts.len();
    (shown, cut)
}

/// The data templates see, the version, the group's key, and the number of alerts left out.
pub(crate) fn message(
    data: Map<String, Json>,
    version: &str,
    notification: &Notification,
    cut: usize,
) -> String {
    let mut message = data;
    message.insert("version".into(), version.into());
    message.insert("groupKey".into(), notification.group_key.as_str().into());
    message.insert("truncatedAlerts".into(), cut.into());
    go_line(&message)
}

integration!(WebhookIntegration, WebhookSettings);
