//! `mattermost_configs`: a message with attachments, through an incoming webhook.

use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use serde::{Deserialize, Serialize};

use super::{Field, ReceiverSettings, integration, named};
use crate::http::{Call, HttpClient, check_status, said_at};
use crate::json::{go_line, is_empty};
use crate::rendering::Rendering;
use crate::secrets::{exclusive, read, secret_url};
use crate::templates::Templates;
use crate::text::cut_chars;

/// https://developers.mattermost.com/integrate/webhooks/incoming/#tips-and-best-practices
const TEXT_CHARS_MAX: usize = 16_383;

/// One entry of `mattermost_configs`. Texts are templates. Without `attachments` its own keys make one.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MattermostSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub webhook_url: Option<Secret>,
    pub webhook_url_file: Option<PathBuf>,
    pub channel: String,
    pub username: String,
    pub text: String,
    pub fallback: String,
    pub color: String,
    pub pretext: String,
    pub author_name: String,
    pub author_link: String,
    pub author_icon: String,
    pub title: String,
    pub title_link: String,
    pub fields: Vec<MattermostField>,
    pub thumb_url: String,
    pub footer: String,
    pub footer_icon: String,
    pub image_url: String,
    pub icon_url: String,
    pub icon_emoji: String,
    pub attachments: Vec<MattermostAttachment>,
    #[serde(rename = "type")]
    pub kind: String,
    pub props: Option<MattermostProps>,
    pub priority: Option<MattermostPriority>,
}

impl Default for MattermostSettings {
    fn default() -> MattermostSettings {
        let template = |name: &str| named(&format!("mattermost.default.{name}"));
        MattermostSettings {
            send_resolved: true,
            http_config: None,
            webhook_url: None,
            webhook_url_file: None,
            channel: String::new(),
            username: template("username"),
            text: template("text"),
            fallback: template("fallback"),
            color: template("color"),
            pretext: String::new(),
            author_name: String::new(),
            author_link: String::new(),
            author_icon: String::new(),
            title: template("title"),
            title_link: template("titlelink"),
            fields: Vec::new(),
            thumb_url: String::new(),
            footer: String::new(),
            footer_icon: String::new(),
            image_url: String::new(),
            icon_url: String::new(),
            icon_emoji: String::new(),
            attachments: Vec::new(),
            kind: String::new(),
            props: None,
            priority: None,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MattermostField {
    pub title: String,
    pub value: String,
    pub short: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MattermostAttachment {
    pub fallback: String,
    pub color: String,
    pub pretext: String,
    pub text: String,
    pub author_name: String,
    pub author_link: String,
    pub author_icon: String,
    pub title: String,
    pub title_link: String,
    pub fields: Vec<MattermostField>,
    pub thumb_url: String,
    pub footer: String,
    pub footer_icon: String,
    pub image_url: String,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MattermostProps {
    #[serde(skip_serializing_if = "is_empty")]
    pub card: String,
}

/// How loud the message is, as configured and as sent.
#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MattermostPriority {
    #[serde(skip_serializing_if = "is_empty")]
    pub priority: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub requested_ack: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub persistent_notifications: bool,
}

impl ReceiverSettings for MattermostSettings {
    const KIND: &'static str = "mattermost";

    fn validate(&mut self) -> Result<(), String> {
        exclusive(&self.webhook_url, &self.webhook_url_file, "webhook_url")?;
        secret_url(&self.webhook_url)?;
        let attached = self.attachments.iter().flat_map(|attachment| &attachment.fields);
        for field in self.fields.iter().chain(attached) {
            if field.title.is_empty() {
                return Err("missing title in Mattermost field configuration".into());
            }
            if field.value.is_empty() {
                return Err("missing value in Mattermost field configuration".into());
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Message {
    #[serde(skip_serializing_if = "is_empty")]
    text: String,
    #[serde(skip_serializing_if = "is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "is_empty")]
    username: String,
    #[serde(skip_serializing_if = "is_empty")]
    icon_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    icon_emoji: String,
    attachments: Vec<Attachment>,
    #[serde(rename = "type", skip_serializing_if = "is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "is_empty")]
    props: Option<MattermostProps>,
    #[serde(skip_serializing_if = "is_empty")]
    priority: Option<MattermostPriority>,
}

#[derive(Serialize)]
struct Attachment {
    #[serde(skip_serializing_if = "is_empty")]
    fallback: String,
    #[serde(skip_serializing_if = "is_empty")]
    color: String,
    #[serde(skip_serializing_if = "is_empty")]
    pretext: String,
    #[serde(skip_serializing_if = "is_empty")]
    text: String,
    #[serde(skip_serializing_if = "is_empty")]
    author_name: String,
    #[serde(skip_serializing_if = "is_empty")]
    author_link: String,
    #[serde(skip_serializing_if = "is_empty")]
    author_icon: String,
    #[serde(skip_serializing_if = "is_empty")]
    title: String,
    #[serde(skip_serializing_if = "is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "is_empty")]
    thumb_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    footer: String,
    #[serde(skip_serializing_if = "is_empty")]
    footer_icon: String,
    #[serde(skip_serializing_if = "is_empty")]
    image_url: String,
}

pub struct MattermostIntegration {
    settings: MattermostSettings,
    url: SecretSource,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl MattermostIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: MattermostSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let url = SecretSource::from_pair(settings.webhook_url.clone(), settings.webhook_url_file.clone())
            .ok_or("missing webhook_url or webhook_url_file on mattermost_config")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(MattermostIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let url = read(&self.url, "read webhook_url_file")?;
        if url.is_empty() {
            return Err(NotifyError::permanent("webhook url missing"));
        }
        let message = self.message(&Rendering::new(&self.templates, notification))?;
        let call = Call::post_json(url.reveal(), go_line(&message));
        let answer = self.client.send(call, MattermostSettings::KIND, attempt).await?;
        check_status(&answer, &[]).map_err(said_at(format!("channel {:?}", message.channel)))
    }

    fn message(&self, rendering: &Rendering<'_>) -> Result<Message, NotifyError> {
        let s = &self.settings;
        let text = |template: &str| rendering.text(template);
        let priority = s.priority.as_ref().filter(|p| !p.priority.is_empty());
        let priority =
            priority.map(|p| Ok::<_, NotifyError>(possible(p, &text(&p.priority)?))).transpose()?;
        let props = s.props.as_ref().filter(|props| !props.card.is_empty());
        let props =
            props.map(|p| Ok::<_, NotifyError>(MattermostProps { card: text(&p.card)? })).transpose()?;
        // The text stands above configured attachments, and in the one that is made of the other keys.
        let (above, attachments) = match s.attachments.as_slice() {
            [] => (String::new(), vec![attachment(&self.own_attachment(), rendering)?]),
            configured => {
                let attachments = configured.iter().map(|a| attachment(a, rendering));
                (text(&s.text)?, attachments.collect::<Result<_, _>>()?)
            }
        };
        Ok(Message {
            text: cut_chars(above, TEXT_CHARS_MAX),
            channel: text(&s.channel)?,
            username: text(&s.username)?,
            icon_url: text(&s.icon_url)?,
            icon_emoji: text(&s.icon_emoji)?,
            attachments,
            kind: text(&s.kind)?,
            props,
            priority,
        })
    }

    fn own_attachment(&self) -> MattermostAttachment {
        let s = self.settings.clone();
        MattermostAttachment {
            fallback: s.fallback,
            color: s.color,
            pretext: s.pretext,
            text: s.text,
            author_name: s.author_name,
            author_link: s.author_link,
            author_icon: s.author_icon,
            title: s.title,
            title_link: s.title_link,
            fields: s.fields,
            thumb_url: s.thumb_url,
            footer: s.footer,
            footer_icon: s.footer_icon,
            image_url: s.image_url,
        }
    }
}

fn attachment(a: &MattermostAttachment, rendering: &Rendering<'_>) -> Result<Attachment, NotifyError> {
    let text = |template: &str| rendering.text(template);
    let mut fields = Vec::new();
    for field in &a.fields {
        fields.push(Field { title: text(&field.title)?, value: text(&field.value)?, short: field.short });
    }
    Ok(Attachment {
        fallback: text(&a.fallback)?,
        color: text(&a.color)?,
        pretext: text(&a.pretext)?,
        text: text(&a.text)?,
        author_name: text(&a.author_name)?,
        author_link: text(&a.author_link)?,
        author_icon: text(&a.author_icon)?,
        title: text(&a.title)?,
        title_link: text(&a.title_link)?,
        fields,
        thumb_url: text(&a.thumb_url)?,
        footer: text(&a.footer)?,
        footer_icon: text(&a.footer_icon)?,
        image_url: text(&a.image_url)?,
    })
}

/// A priority the service knows, and with it only what it allows.
fn possible(configured: &MattermostPriority, rendered: &str) -> MattermostPriority {
    let priority = match rendered.to_lowercase() {
        known if ["urgent", "important", "standard"].contains(&known.as_str()) => known,
        _ => "standard".to_owned(),
    };
    MattermostPriority {
        requested_ack: configured.requested_ack && priority != "standard",
        persistent_notifications: configured.persistent_notifications && priority == "urgent",
        priority,
    }
}

integration!(MattermostIntegration, MattermostSettings);
