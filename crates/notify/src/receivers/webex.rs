//! `webex_configs`: a Markdown message in a room. The bot's token is the `authorization` of the HTTP client.

use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use serde::{Deserialize, Serialize};

use super::{ReceiverSettings, integration, named};
use crate::address::Address;
use crate::http::{Call, HttpClient, check_status};
use crate::json::{go_line, is_empty};
use crate::rendering::Rendering;
use crate::templates::Templates;
use crate::text::cut_bytes;

const MESSAGE_BYTES_MAX: usize = 7439;

/// One entry of `webex_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct WebexSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub api_url: Option<Address>,
    pub message: String,
    pub room_id: String,
}

impl Default for WebexSettings {
    fn default() -> WebexSettings {
        WebexSettings {
            send_resolved: true,
            http_config: None,
            api_url: None,
            message: named("webex.default.message"),
            room_id: String::new(),
        }
    }
}

impl ReceiverSettings for WebexSettings {
    const KIND: &'static str = "webex";

    fn validate(&mut self) -> Result<(), String> {
        if self.room_id.is_empty() {
            return Err("missing room_id on webex_config".into());
        }
        if self.http_config.as_ref().is_none_or(|http| http.authorization.is_none()) {
            return Err("missing webex_configs.http_config.authorization".into());
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Message {
    markdown: String,
    #[serde(rename = "roomId", skip_serializing_if = "is_empty")]
    room_id: String,
}

pub struct WebexIntegration {
    settings: WebexSettings,
    url: Address,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl WebexIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: WebexSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let url = settings.api_url.clone().ok_or("no global Webex URL set")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(WebexIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let message = Message {
            markdown: cut_bytes(rendering.text(&self.settings.message)?, MESSAGE_BYTES_MAX),
            room_id: rendering.text(&self.settings.room_id)?,
        };
        let call = Call::post_json(self.url.as_str(), go_line(&message));
        let answer = self.client.send(call, WebexSettings::KIND, attempt).await?;
        check_status(&answer, &[])
    }
}

integration!(WebexIntegration, WebexSettings);
