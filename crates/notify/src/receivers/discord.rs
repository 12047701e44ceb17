//! `discord_configs`: a message with one embed, through a channel's webhook.

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
use crate::text::cut_chars;

// https://discord.com/developers/docs/resources/message#embed-object-embed-limits
const TITLE_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 4096;
const CONTENT_CHARS_MAX: usize = 2000;

const RED: u32 = 0x99_2d_22;
const GREEN: u32 = 0x2e_cc_71;

/// One entry of `discord_configs`. Texts are templates, but for `username` and `avatar_url`.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DiscordSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub webhook_url: Option<Secret>,
    pub webhook_url_file: Option<PathBuf>,
    pub content: String,
    pub title: String,
    pub message: String,
    pub username: String,
    pub avatar_url: String,
}

impl Default for DiscordSettings {
    fn default() -> DiscordSettings {
        DiscordSettings {
            send_resolved: true,
            http_config: None,
            webhook_url: None,
            webhook_url_file: None,
            content: String::new(),
            title: named("discord.default.title"),
            message: named("discord.default.message"),
            username: String::new(),
            avatar_url: String::new(),
        }
    }
}

impl ReceiverSettings for DiscordSettings {
    const KIND: &'static str = "discord";

    fn validate(&mut self) -> Result<(), String> {
        exactly_one(&self.webhook_url, &self.webhook_url_file, "webhook_url")?;
        secret_url(&self.webhook_url)
    }
}

#[derive(Serialize)]
struct Message<'a> {
    content: String,
    embeds: [Embed; 1],
    #[serde(skip_serializing_if = "is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "is_empty")]
    avatar_url: &'a str,
}

#[derive(Serialize)]
struct Embed {
    title: String,
    description: String,
    color: u32,
}

pub struct DiscordIntegration {
    settings: DiscordSettings,
    url: SecretSource,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl DiscordIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: DiscordSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let url = SecretSource::from_pair(settings.webhook_url.clone(), settings.webhook_url_file.clone())
            .ok_or("no discord webhook URL or URLFile provided")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(DiscordIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let s = &self.settings;
        let rendering = Rendering::new(&self.templates, notification);
        let cut = |template: &str, max| Ok(cut_chars(rendering.text(template)?, max));
        let message = Message {
            content: cut(&s.content, CONTENT_CHARS_MAX)?,
            embeds: [Embed {
                title: cut(&s.title, TITLE_CHARS_MAX)?,
                description: cut(&s.message, DESCRIPTION_CHARS_MAX)?,
                color: by_state(notification.is_firing(), RED, GREEN),
            }],
            username: &s.username,
            avatar_url: &s.avatar_url,
        };
        let url = read(&self.url, "read webhook_url_file")?;
        let call = Call::post_json(url.reveal(), go_line(&message));
        let answer = self.client.send(call, DiscordSettings::KIND, attempt).await?;
        check_status(&answer, &[])
    }
}

integration!(DiscordIntegration, DiscordSettings);
