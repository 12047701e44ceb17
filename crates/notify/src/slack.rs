//! `slack_configs`: one message with one attachment, through an incoming webhook or the app API.

use std::sync::Arc;

use alerting::{Attempt, FailureReason, Integration, Notification, NotifyError, Sending};
use config::SecretSource;
use serde_json::{Map, Value as Json, json};
use template::Value;

use crate::http::{Answer, HttpClient, check_status};
use crate::json::go_text;
use crate::settings::{SlackAction, SlackField, SlackSettings};
use crate::templates::Templates;

/// Slack cuts longer titles itself, without saying so.
const TITLE_RUNES_MAX: usize = 1024;

pub struct SlackIntegration {
    settings: SlackSettings,
    address: Address,
    client: HttpClient,
    templates: Arc<Templates>,
}

enum Address {
    Webhook(SecretSource),
    /// Its token is among the client's credentials.
    App {
        url: String,
    },
}

impl SlackIntegration {
    pub fn new(settings: SlackSettings, templates: Arc<Templates>) -> Result<SlackIntegration, String> {
        if settings.update_message {
            return Err("slack update_message is not supported yet".into());
        }
        let token = SecretSource::from_pair(settings.app_token.clone(), settings.app_token_file.clone());
        let webhook = SecretSource::from_pair(settings.api_url.clone(), settings.api_url_file.clone());
        let mut http = settings.http_config.clone().unwrap_or_default();
        let address = match (webhook, token) {
            (Some(url), None) => Address::Webhook(url),
            (None, Some(token)) => {
                http.client.set_bearer(token);
                let url = settings.app_url.clone().ok_or("no Slack app URL set")?;
                Address::App { url }
            }
            (Some(_), Some(_)) => return Err("at most one of api_url and app_token may be set".into()),
            (None, None) => {
                return Err("no Slack API URL nor App token set either inline or in a file".into());
            }
        };
        let client = HttpClient::new(&http)?;
        Ok(SlackIntegration { settings, address, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let body = self.message(notification)?;
        let timeout = self.settings.timeout.to_std();
        let answer = match &self.address {
            Address::Webhook(url) => {
                let url = url.read().map_err(NotifyError::permanent)?;
                self.client.post_json(url.reveal(), body, timeout, attempt).await?
            }
            Address::App { url } => self.client.post_json(url, body, timeout, attempt).await?,
        };
        // 429 is Slack's way to say "later".
        check_status(&answer, &[429])?;
        check_answer(&answer)
    }

    fn message(&self, notification: &Notification) -> Result<String, NotifyError> {
        let s = &self.settings;
        let data = self.templates.data(notification);
        let text = |template: &str| self.templates.text(template, &data);
        let mut attachment = Map::new();
        let mut set = |key: &str, value: String, always: bool| {
            if always || !value.is_empty() {
                attachment.insert(key.to_owned(), value.into());
            }
        };
        set("title", truncate(text(&s.title)?, TITLE_RUNES_MAX), false);
        set("title_link", text(&s.title_link)?, false);
        set("pretext", text(&s.pretext)?, false);
        set("text", text(&s.text)?, true);
        set("fallback", text(&s.fallback)?, true);
        set("callback_id", text(&s.callback_id)?, true);
        if !s.fields.is_empty() {
            let fields: Result<Vec<Json>, NotifyError> =
                s.fields.iter().map(|field| self.field(field, &data)).collect();
            attachment.insert("fields".into(), fields?.into());
        }
        if !s.actions.is_empty() {
            let actions: Result<Vec<Json>, NotifyError> =
                s.actions.iter().map(|action| self.action(action, &data)).collect();
            attachment.insert("actions".into(), actions?.into());
        }
        let mut set = |key: &str, value: String, always: bool| {
            if always || !value.is_empty() {
                attachment.insert(key.to_owned(), value.into());
            }
        };
        set("image_url", text(&s.image_url)?, false);
        set("thumb_url", text(&s.thumb_url)?, false);
        set("footer", text(&s.footer)?, true);
        set("color", text(&s.color)?, false);
        let markdown = s
            .mrkdwn_in
            .clone()
            .unwrap_or_else(|| ["fallback", "pretext", "text"].iter().map(|&s| s.to_owned()).collect());
        if !markdown.is_empty() {
            attachment.insert("mrkdwn_in".into(), markdown.into());
        }

        let mut message = Map::new();
        for (key, template) in [
            ("channel", &s.channel),
            ("username", &s.username),
            ("icon_emoji", &s.icon_emoji),
            ("icon_url", &s.icon_url),
        ] {
            let value = text(template)?;
            if !value.is_empty() {
                message.insert(key.into(), value.into());
            }
        }
        if s.link_names {
            message.insert("link_names".into(), true.into());
        }
        let plain = text(&s.message_text)?;
        if !plain.is_empty() {
            message.insert("text".into(), plain.into());
        }
        message.insert("attachments".into(), vec![Json::Object(attachment)].into());
        Ok(go_text(&Json::Object(message)) + "\n")
    }

    fn field(&self, field: &SlackField, data: &Value) -> Result<Json, NotifyError> {
        Ok(json!({
            "title": self.templates.text(&field.title, data)?,
            "value": self.templates.text(&field.value, data)?,
            "short": field.short.unwrap_or(self.settings.short_fields),
        }))
    }

    fn action(&self, action: &SlackAction, data: &Value) -> Result<Json, NotifyError> {
        let text = |template: &str| self.templates.text(template, data);
        let mut out = Map::new();
        out.insert("type".into(), text(&action.kind)?.into());
        out.insert("text".into(), text(&action.text)?.into());
        for (key, template) in
            [("url", &action.url), ("style", &action.style), ("name", &action.name), ("value", &action.value)]
        {
            let value = text(template)?;
            if !value.is_empty() {
                out.insert(key.into(), value.into());
            }
        }
        if let Some(confirm) = &action.confirm {
            let mut inner = Map::new();
            for (key, template, always) in [
                ("text", &confirm.text, true),
                ("title", &confirm.title, false),
                ("ok_text", &confirm.ok_text, false),
                ("dismiss_text", &confirm.dismiss_text, false),
            ] {
                let value = text(template)?;
                if always || !value.is_empty() {
                    inner.insert(key.into(), value.into());
                }
            }
            out.insert("confirm".into(), Json::Object(inner));
        }
        Ok(Json::Object(out))
    }
}

/// Slack answers 200 to some mistakes and says so in the body.
fn check_answer(answer: &Answer) -> Result<(), NotifyError> {
    let refused =
        |message: String| Err(NotifyError { retry: false, reason: FailureReason::ClientError, message });
    if !answer.is_json {
        return match answer.body.as_str() {
            "ok" => Ok(()),
            body => refused(format!("received an error response from Slack: {body}")),
        };
    }
    let Ok(json) = serde_json::from_str::<Json>(&answer.body) else {
        return refused(format!("could not unmarshal JSON response {:?}", answer.body));
    };
    if json.get("ok").and_then(Json::as_bool) == Some(true) {
        return Ok(());
    }
    let error = json.get("error").and_then(Json::as_str).unwrap_or("");
    refused(format!("error response from Slack: {error}"))
}

/// Cuts after `max` characters, the last of which becomes an ellipsis.
fn truncate(text: String, max: usize) -> String {
    if text.chars().count() <= max {
        return text;
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

impl Integration for SlackIntegration {
    fn kind(&self) -> &'static str {
        "slack"
    }

    fn sends_resolved(&self) -> bool {
        self.settings.send_resolved
    }

    fn notify<'a>(&'a self, notification: &'a Notification, attempt: &'a mut Attempt) -> Sending<'a> {
        Box::pin(self.attempt(notification, attempt))
    }
}
