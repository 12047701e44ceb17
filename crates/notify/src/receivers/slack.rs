//! `slack_configs`: one message with one attachment, through an incoming webhook or the app API.
//!
//! With `update_message` the first message of a group is edited instead of followed by others: its timestamp and
//! channel, as Slack told them, are kept with the group in the notification log.

use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Datum, FailureReason, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Duration, Secret, SecretSource};
use serde::{Deserialize, Serialize};

use super::{Field, ReceiverSettings, integration, named};
use crate::address::Address;
use crate::http::{Answer, Call, HttpClient, check_status, said_at, shown_part};
use crate::json::{go_line, is_empty};
use crate::rendering::Rendering;
use crate::secrets::{HIDDEN, exclusive, has_path, is_set, read, secret_url};
use crate::templates::Templates;
use crate::text::cut_chars;

/// Slack cuts longer titles itself, without saying so.
const TITLE_CHARS_MAX: usize = 1024;

/// The only method that tells what it posted.
const POST_MESSAGE: &str = "https://slack.com/api/chat.postMessage";

/// Under these names the message to edit is remembered, as in the original's notification log.
const TIMESTAMP: &str = "threadTs";
const CHANNEL: &str = "channelId";

/// One entry of `slack_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SlackSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub api_url: Option<Secret>,
    pub api_url_file: Option<PathBuf>,
    pub app_token: Option<Secret>,
    pub app_token_file: Option<PathBuf>,
    pub app_url: Option<Address>,
    pub channel: String,
    pub username: String,
    pub color: String,
    pub title: String,
    pub title_link: String,
    pub pretext: String,
    pub text: String,
    pub message_text: String,
    pub fields: Vec<SlackField>,
    pub short_fields: bool,
    pub footer: String,
    pub fallback: String,
    pub callback_id: String,
    pub icon_emoji: String,
    pub icon_url: String,
    pub image_url: String,
    pub thumb_url: String,
    pub link_names: bool,
    pub mrkdwn_in: Vec<String>,
    pub actions: Vec<SlackAction>,
    pub update_message: bool,
    pub timeout: Duration,
}

impl Default for SlackSettings {
    fn default() -> SlackSettings {
        let template = |name: &str| named(&format!("slack.default.{name}"));
        SlackSettings {
            send_resolved: false,
            http_config: None,
            api_url: None,
            api_url_file: None,
            app_token: None,
            app_token_file: None,
            app_url: None,
            channel: String::new(),
            username: template("username"),
            color: template("color"),
            title: template("title"),
            title_link: template("titlelink"),
            pretext: template("pretext"),
            text: template("text"),
            message_text: String::new(),
            fields: Vec::new(),
            short_fields: false,
            footer: template("footer"),
            fallback: template("fallback"),
            callback_id: template("callbackid"),
            icon_emoji: template("iconemoji"),
            icon_url: template("iconurl"),
            image_url: String::new(),
            thumb_url: String::new(),
            link_names: false,
            mrkdwn_in: Vec::new(),
            actions: Vec::new(),
            update_message: false,
            timeout: Duration::default(),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SlackField {
    pub title: String,
    pub value: String,
    pub short: Option<bool>,
}

/// A button, as configured and as sent.
#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SlackAction {
    #[serde(rename = "type", skip_serializing_if = "is_empty")]
    pub kind: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub text: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub url: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub style: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub value: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub confirm: Option<SlackConfirm>,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SlackConfirm {
    #[serde(skip_serializing_if = "is_empty")]
    pub text: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub title: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub ok_text: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub dismiss_text: String,
}

impl SlackSettings {
    fn has_url(&self) -> bool {
        is_set(&self.api_url) || has_path(&self.api_url_file)
    }

    fn has_token(&self) -> bool {
        is_set(&self.app_token) || has_path(&self.app_token_file)
    }
}

impl ReceiverSettings for SlackSettings {
    const KIND: &'static str = "slack";

    fn validate(&mut self) -> Result<(), String> {
        exclusive(&self.api_url, &self.api_url_file, "api_url")?;
        exclusive(&self.app_token, &self.app_token_file, "app_token")?;
        if self.has_url() && self.has_token() {
            return Err(
                "at most one of api_url/api_url_file & app_token/app_token_file must be configured".into()
            );
        }
        secret_url(&self.api_url)?;
        // Whether an app's token comes from the global section is not known yet where there is no address.
        if self.update_message
            && self.has_url()
            && self.api_url.as_ref().is_none_or(|url| ![POST_MESSAGE, HIDDEN].contains(&url.reveal()))
        {
            return Err(format!(
                "update_message can only be used with bot tokens. api_url must be set to {POST_MESSAGE}"
            ));
        }
        for field in &self.fields {
            if field.title.is_empty() {
                return Err("missing title in Slack field configuration".into());
            }
            if field.value.is_empty() {
                return Err("missing value in Slack field configuration".into());
            }
        }
        self.actions.iter_mut().try_for_each(SlackAction::validate)
    }
}

impl SlackAction {
    /// A link needs no name and asks for no confirmation.
    fn validate(&mut self) -> Result<(), String> {
        if self.kind.is_empty() {
            return Err("missing type in Slack action configuration".into());
        }
        if self.text.is_empty() {
            return Err("missing text in Slack action configuration".into());
        }
        if self.confirm.as_ref().is_some_and(|confirm| confirm.text.is_empty()) {
            return Err("missing text in Slack confirmation configuration".into());
        }
        if !self.url.is_empty() {
            (self.name, self.value, self.confirm) = (String::new(), String::new(), None);
        } else if self.name.is_empty() {
            return Err("missing name or url in Slack action configuration".into());
        }
        Ok(())
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<SlackAction, NotifyError> {
        let confirm = self.confirm.as_ref().map(|confirm| {
            Ok::<_, NotifyError>(SlackConfirm {
                text: rendering.text(&confirm.text)?,
                title: rendering.text(&confirm.title)?,
                ok_text: rendering.text(&confirm.ok_text)?,
                dismiss_text: rendering.text(&confirm.dismiss_text)?,
            })
        });
        Ok(SlackAction {
            kind: rendering.text(&self.kind)?,
            text: rendering.text(&self.text)?,
            url: rendering.text(&self.url)?,
            style: rendering.text(&self.style)?,
            name: rendering.text(&self.name)?,
            value: rendering.text(&self.value)?,
            confirm: confirm.transpose()?,
        })
    }
}

#[derive(Serialize)]
struct Message {
    #[serde(skip_serializing_if = "is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "is_empty")]
    ts: String,
    #[serde(skip_serializing_if = "is_empty")]
    username: String,
    #[serde(skip_serializing_if = "is_empty")]
    icon_emoji: String,
    #[serde(skip_serializing_if = "is_empty")]
    icon_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    link_names: bool,
    #[serde(skip_serializing_if = "is_empty")]
    text: String,
    attachments: [Attachment; 1],
}

#[derive(Serialize)]
struct Attachment {
    #[serde(skip_serializing_if = "is_empty")]
    title: String,
    #[serde(skip_serializing_if = "is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "is_empty")]
    pretext: String,
    text: String,
    fallback: String,
    callback_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<SlackAction>,
    #[serde(skip_serializing_if = "is_empty")]
    image_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    thumb_url: String,
    footer: String,
    #[serde(skip_serializing_if = "is_empty")]
    color: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mrkdwn_in: Vec<String>,
}

/// What the app API answers.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    ok: bool,
    error: String,
    channel: String,
    ts: String,
}

pub struct SlackIntegration {
    settings: SlackSettings,
    url: SecretSource,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl SlackIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: SlackSettings, templates: Arc<Templates>) -> Result<SlackIntegration, String> {
        settings.validate()?;
        let mut http = settings.http_config.clone().unwrap_or_default();
        let token = SecretSource::from_pair(settings.app_token.clone(), settings.app_token_file.clone());
        let url = match token {
            Some(token) => {
                if http.authorization.is_some() {
                    return Err("http authorization can't be set when using Slack App tokens".into());
                }
                http.set_bearer(token);
                let url = settings.app_url.as_ref().ok_or("no global Slack App URL set")?;
                SecretSource::Inline(Secret::new(url.as_str()))
            }
            None => SecretSource::from_pair(settings.api_url.clone(), settings.api_url_file.clone())
                .ok_or("no Slack API URL nor App token set either inline or in a file")?,
        };
        let client = HttpClient::new(&http)?;
        Ok(SlackIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let mut message = self.message(&rendering)?;
        let mut url = read(&self.url, "read api_url_file")?.reveal().to_owned();
        if self.settings.update_message
            && let (Some(Datum::Text(ts)), Some(Datum::Text(channel))) =
                (attempt.memory.get(TIMESTAMP), attempt.memory.get(CHANNEL))
            && !ts.is_empty()
            && !channel.is_empty()
        {
            url = url.replace("chat.postMessage", "chat.update");
            (message.ts, message.channel) = (ts.clone(), channel.clone());
        }
        let call =
            Call { timeout: self.settings.timeout.to_std(), ..Call::post_json(url, go_line(&message)) };
        let answer = self.client.send(call, SlackSettings::KIND, attempt).await?;
        let at_channel = || said_at(format!("channel {:?}", message.channel));
        // 429 is Slack's way to say "later".
        check_status(&answer, &[429]).map_err(at_channel())?;
        let said = check_answer(&answer).map_err(at_channel())?;
        if self.settings.update_message && !said.ts.is_empty() && !said.channel.is_empty() {
            attempt.memory.insert(TIMESTAMP.into(), Datum::Text(said.ts));
            attempt.memory.insert(CHANNEL.into(), Datum::Text(said.channel));
        }
        Ok(())
    }

    fn message(&self, rendering: &Rendering<'_>) -> Result<Message, NotifyError> {
        let s = &self.settings;
        let text = |template: &str| rendering.text(template);
        let mut fields = Vec::new();
        for field in &s.fields {
            fields.push(Field {
                title: text(&field.title)?,
                value: text(&field.value)?,
                short: Some(field.short.unwrap_or(s.short_fields)),
            });
        }
        let markdown = ["fallback", "pretext", "text"].map(str::to_owned).to_vec();
        let attachment = Attachment {
            title: cut_chars(text(&s.title)?, TITLE_CHARS_MAX),
            title_link: text(&s.title_link)?,
            pretext: text(&s.pretext)?,
            text: text(&s.text)?,
            fallback: text(&s.fallback)?,
            callback_id: text(&s.callback_id)?,
            fields,
            actions: s.actions.iter().map(|action| action.render(rendering)).collect::<Result<_, _>>()?,
            image_url: text(&s.image_url)?,
            thumb_url: text(&s.thumb_url)?,
            footer: text(&s.footer)?,
            color: text(&s.color)?,
            mrkdwn_in: if s.mrkdwn_in.is_empty() { markdown } else { s.mrkdwn_in.clone() },
        };
        Ok(Message {
            channel: text(&s.channel)?,
            ts: String::new(),
            username: text(&s.username)?,
            icon_emoji: text(&s.icon_emoji)?,
            icon_url: text(&s.icon_url)?,
            link_names: s.link_names,
            text: text(&s.message_text)?,
            attachments: [attachment],
        })
    }
}

/// Slack answers 200 to some mistakes and says so in the body.
fn check_answer(answer: &Answer) -> Result<Said, NotifyError> {
    let refused =
        |retry, message: String| Err(NotifyError { retry, reason: FailureReason::ClientError, message });
    if !answer.is_json {
        return match answer.body.as_str() {
            "ok" => Ok(Said::default()),
            body => refused(false, format!("received an error response from Slack: {}", shown_part(body))),
        };
    }
    match serde_json::from_str::<Said>(&answer.body) {
        Ok(said) if said.ok => Ok(said),
        Ok(said) => refused(false, format!("error response from Slack: {}", said.error)),
        Err(e) => {
            refused(true, format!("could not unmarshal JSON response {:?}: {e}", shown_part(&answer.body)))
        }
    }
}

integration!(SlackIntegration, SlackSettings);
