//! `msteams_configs`: a message card, through the connectors Microsoft Teams had first.

use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use serde::{Deserialize, Serialize};

use super::{ReceiverSettings, by_state, integration, named};
use crate::http::{Call, HttpClient, check_status};
use crate::json::go_line;
use crate::rendering::Rendering;
use crate::secrets::{exactly_one, read, secret_url};
use crate::templates::Templates;

const RED: &str = "8C1A1A";
const GREEN: &str = "2DC72D";

/// One entry of `msteams_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MsTeamsSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub webhook_url: Option<Secret>,
    pub webhook_url_file: Option<PathBuf>,
    pub title: String,
    pub summary: String,
    pub text: String,
}

impl Default for MsTeamsSettings {
    fn default() -> MsTeamsSettings {
        MsTeamsSettings {
            send_resolved: true,
            http_config: None,
            webhook_url: None,
            webhook_url_file: None,
            title: named("msteams.default.title"),
            summary: named("msteams.default.summary"),
            text: named("msteams.default.text"),
        }
    }
}

impl ReceiverSettings for MsTeamsSettings {
    const KIND: &'static str = "msteams";

    fn validate(&mut self) -> Result<(), String> {
        exactly_one(&self.webhook_url, &self.webhook_url_file, "webhook_url")?;
        secret_url(&self.webhook_url)
    }
}

/// https://learn.microsoft.com/en-us/outlook/actionable-messages/message-card-reference
#[derive(Serialize)]
struct Card {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    summary: String,
    text: String,
    #[serde(rename = "themeColor")]
    theme_color: &'static str,
}

pub struct MsTeamsIntegration {
    settings: MsTeamsSettings,
    url: SecretSource,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl MsTeamsIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: MsTeamsSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let url = SecretSource::from_pair(settings.webhook_url.clone(), settings.webhook_url_file.clone())
            .ok_or("no msteams webhook URL or URLFile provided")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(MsTeamsIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let card = Card {
            context: "http://schema.org/extensions",
            kind: "MessageCard",
            title: rendering.text(&self.settings.title)?,
            summary: rendering.text(&self.settings.summary)?,
            text: rendering.text(&self.settings.text)?,
            theme_color: by_state(notification.is_firing(), RED, GREEN),
        };
        let url = read(&self.url, "read webhook_url_file")?;
        let call = Call::post_json(url.reveal(), go_line(&card));
        let answer = self.client.send(call, MsTeamsSettings::KIND, attempt).await?;
        check_status(&answer, &[])
    }
}

integration!(MsTeamsIntegration, MsTeamsSettings);
