//! `rocketchat_configs`: a message with one attachment, posted by a user with a token.

use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, FailureReason, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use serde::{Deserialize, Serialize};

use super::{ReceiverSettings, integration, named};
use crate::address::Address;
use crate::http::{Answer, Call, HttpClient, check_status, said_at, shown_part};
use crate::json::{go_line, is_empty};
use crate::rendering::Rendering;
use crate::secrets::{exclusive, read};
use crate::templates::Templates;
use crate::text::cut_chars;

const TITLE_CHARS_MAX: usize = 1024;

/// One entry of `rocketchat_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RocketChatSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub api_url: Option<Address>,
    pub token_id: Option<Secret>,
    pub token_id_file: Option<PathBuf>,
    pub token: Option<Secret>,
    pub token_file: Option<PathBuf>,
    pub channel: String,
    pub color: String,
    pub title: String,
    pub title_link: String,
    pub text: String,
    pub fields: Vec<RocketChatField>,
    pub short_fields: bool,
    pub emoji: String,
    pub icon_url: String,
    pub image_url: String,
    pub thumb_url: String,
    pub link_names: bool,
    pub actions: Vec<RocketChatAction>,
}

impl Default for RocketChatSettings {
    fn default() -> RocketChatSettings {
        let template = |name: &str| named(&format!("rocketchat.default.{name}"));
        RocketChatSettings {
            send_resolved: false,
            http_config: None,
            api_url: None,
            token_id: None,
            token_id_file: None,
            token: None,
            token_file: None,
            channel: String::new(),
            color: "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}".into(),
            title: template("title"),
            title_link: template("titlelink"),
            text: template("text"),
            fields: Vec::new(),
            short_fields: false,
            emoji: template("emoji"),
            icon_url: template("iconurl"),
            image_url: String::new(),
            thumb_url: String::new(),
            link_names: false,
            actions: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RocketChatField {
    pub short: Option<bool>,
    pub title: String,
    pub value: String,
}

/// A button. The original names these keys after its fields, in small letters, and sends only some of them.
#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RocketChatAction {
    #[serde(rename = "type")]
    pub kind: String,
    pub text: String,
    pub url: String,
    pub imageurl: String,
    pub iswebview: bool,
    pub webviewheightratio: String,
    pub msg: String,
    pub msginchatwindow: bool,
    pub msgprocessingtype: String,
}

impl ReceiverSettings for RocketChatSettings {
    const KIND: &'static str = "rocketchat";

    fn validate(&mut self) -> Result<(), String> {
        exclusive(&self.token, &self.token_file, "token")?;
        exclusive(&self.token_id, &self.token_id_file, "token_id")
    }
}

#[derive(Serialize)]
struct Message {
    #[serde(skip_serializing_if = "is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "is_empty")]
    emoji: String,
    #[serde(skip_serializing_if = "is_empty")]
    avatar: String,
    attachments: [Attachment; 1],
}

#[derive(Serialize)]
struct Attachment {
    #[serde(skip_serializing_if = "is_empty")]
    title: String,
    #[serde(skip_serializing_if = "is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "is_empty")]
    text: String,
    #[serde(skip_serializing_if = "is_empty")]
    image_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    thumb_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    color: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<ShortFirst>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Button>,
}

/// A field, its keys in the order of this service.
#[derive(Serialize)]
struct ShortFirst {
    short: bool,
    #[serde(skip_serializing_if = "is_empty")]
    title: String,
    #[serde(skip_serializing_if = "is_empty")]
    value: String,
}

#[derive(Serialize)]
struct Button {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "is_empty")]
    text: String,
    #[serde(skip_serializing_if = "is_empty")]
    url: String,
    is_webview: bool,
    #[serde(skip_serializing_if = "is_empty")]
    msg: String,
    msg_in_chat_window: bool,
}

pub struct RocketChatIntegration {
    settings: RocketChatSettings,
    token: SecretSource,
    token_id: SecretSource,
    url: Address,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl RocketChatIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: RocketChatSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let token_id = SecretSource::from_pair(settings.token_id.clone(), settings.token_id_file.clone())
            .ok_or("no global Rocketchat TokenID set either inline or in a file")?;
        let token = SecretSource::from_pair(settings.token.clone(), settings.token_file.clone())
            .ok_or("no global Rocketchat Token set either inline or in a file")?;
        let url = settings.api_url.clone().ok_or("no global Rocketchat URL set")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(RocketChatIntegration { settings, token, token_id, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let message = self.message(&Rendering::new(&self.templates, notification))?;
        let token = read(&self.token, "could not read token_file")?;
        let token_id = read(&self.token_id, "could not read token_id_file")?;
        let call = Call {
            headers: vec![
                ("X-Auth-Token", token.reveal().to_owned()),
                ("X-User-Id", token_id.reveal().to_owned()),
            ],
            ..Call::post_json(self.url.join("api/v1/chat.postMessage"), go_line(&message))
        };
        let answer = self.client.send(call, RocketChatSettings::KIND, attempt).await?;
        let at_channel = || said_at(format!("channel {:?}", message.channel));
        check_status(&answer, &[]).map_err(at_channel())?;
        check_answer(&answer).map_err(at_channel())
    }

    fn message(&self, rendering: &Rendering<'_>) -> Result<Message, NotifyError> {
        let s = &self.settings;
        let text = |template: &str| rendering.text(template);
        let mut fields = Vec::new();
        for field in &s.fields {
            fields.push(ShortFirst {
                short: field.short.unwrap_or(s.short_fields),
                title: text(&field.title)?,
                value: text(&field.value)?,
            });
        }
        let mut actions = Vec::new();
        for action in &s.actions {
            actions.push(Button {
                // There is no other type.
                kind: "button",
                text: text(&action.text)?,
                url: text(&action.url)?,
                is_webview: false,
                msg: text(&action.msg)?,
                msg_in_chat_window: false,
            });
        }
        let attachment = Attachment {
            title: cut_chars(text(&s.title)?, TITLE_CHARS_MAX),
            title_link: text(&s.title_link)?,
            text: text(&s.text)?,
            image_url: text(&s.image_url)?,
            thumb_url: text(&s.thumb_url)?,
            color: text(&s.color)?,
            fields,
            actions,
        };
        Ok(Message {
            channel: text(&s.channel)?,
            emoji: text(&s.emoji)?,
            avatar: text(&s.icon_url)?,
            attachments: [attachment],
        })
    }
}

/// Mistakes may come with status 200.
fn check_answer(answer: &Answer) -> Result<(), NotifyError> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Said {
        success: bool,
        error: String,
    }
    let refused =
        |retry, message: String| Err(NotifyError { retry, reason: FailureReason::ClientError, message });
    match serde_json::from_str::<Said>(&answer.body) {
        Ok(said) if said.success => Ok(()),
        Ok(said) => refused(false, format!("error response from Rocketchat: {}", said.error)),
        Err(e) => {
            refused(true, format!("could not unmarshal JSON response {:?}: {e}", shown_part(&answer.body)))
        }
    }
}

integration!(RocketChatIntegration, RocketChatSettings);
