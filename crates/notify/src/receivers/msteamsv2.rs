//! `msteamsv2_configs`: an adaptive card, through a workflow of Microsoft Teams.

use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use serde::{Deserialize, Serialize};

use super::{ReceiverSettings, by_state, integration, named};
use crate::http::{Call, HttpClient, check_status};
use crate::json::{go_line, is_empty};
use crate::rendering::Rendering;
use crate::secrets::{exactly_one, read, secret_url};
use crate::templates::Templates;

/// One entry of `msteamsv2_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MsTeamsV2Settings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub webhook_url: Option<Secret>,
    pub webhook_url_file: Option<PathBuf>,
    pub title: String,
    pub text: String,
}

impl Default for MsTeamsV2Settings {
    fn default() -> MsTeamsV2Settings {
        MsTeamsV2Settings {
            send_resolved: true,
            http_config: None,
            webhook_url: None,
            webhook_url_file: None,
            title: named("msteamsv2.default.title"),
            text: named("msteamsv2.default.text"),
        }
    }
}

impl ReceiverSettings for MsTeamsV2Settings {
    const KIND: &'static str = "msteamsv2";

    fn validate(&mut self) -> Result<(), String> {
        exactly_one(&self.webhook_url, &self.webhook_url_file, "webhook_url")?;
        secret_url(&self.webhook_url)
    }
}

/// https://learn.microsoft.com/en-us/connectors/teams/#adaptivecarditemschema
#[derive(Serialize)]
struct Message {
    #[serde(rename = "type")]
    kind: &'static str,
    attachments: [Attachment; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    content_type: &'static str,
    content_url: Option<&'static str>,
    content: Card,
}

#[derive(Serialize)]
struct Card {
    #[serde(rename = "$schema")]
    schema: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    body: [Block; 2],
    msteams: Teams,
}

#[derive(Serialize, Default)]
struct Block {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
    #[serde(skip_serializing_if = "is_empty")]
    weight: &'static str,
    #[serde(skip_serializing_if = "is_empty")]
    size: &'static str,
    wrap: bool,
    #[serde(skip_serializing_if = "is_empty")]
    style: &'static str,
    #[serde(skip_serializing_if = "is_empty")]
    color: &'static str,
}

#[derive(Serialize)]
struct Teams {
    width: &'static str,
}

pub struct MsTeamsV2Integration {
    settings: MsTeamsV2Settings,
    url: SecretSource,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl MsTeamsV2Integration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: MsTeamsV2Settings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let url = SecretSource::from_pair(settings.webhook_url.clone(), settings.webhook_url_file.clone())
            .ok_or("no msteamsv2 webhook URL or URLFile provided")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(MsTeamsV2Integration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let heading = Block {
            kind: "TextBlock",
            text: rendering.text(&self.settings.title)?,
            weight: "Bolder",
            size: "Medium",
            wrap: true,
            style: "heading",
            color: by_state(notification.is_firing(), "Attention", "Good"),
        };
        let text = rendering.text(&self.settings.text)?;
        let content = Card {
            schema: "http://adaptivecards.io/schemas/adaptive-card.json",
            kind: "AdaptiveCard",
            version: "1.2",
            body: [heading, Block { kind: "TextBlock", text, wrap: true, ..Block::default() }],
            msteams: Teams { width: "full" },
        };
        let attachment = Attachment {
            content_type: "application/vnd.microsoft.card.adaptive",
            content_url: None,
            content,
        };
        let message = Message { kind: "message", attachments: [attachment] };
        let url = read(&self.url, "read webhook_url_file")?;
        let call = Call::post_json(url.reveal(), go_line(&message));
        let answer = self.client.send(call, MsTeamsV2Settings::KIND, attempt).await?;
        check_status(&answer, &[])
    }
}

integration!(MsTeamsV2Integration, MsTeamsV2Settings);
