//! `telegram_configs`: a message of a bot in a chat.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, FailureReason, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use serde::Deserialize;

use super::{ReceiverSettings, integration, named};
use crate::address::Address;
use crate::http::{Answer, Call, HttpClient};
use crate::json::go_line;
use crate::rendering::Rendering;
use crate::secrets::{exclusive, has_path, read, read_file};
use crate::templates::Templates;
use crate::text::cut_chars;

const MESSAGE_CHARS_MAX: usize = 4096;

/// Sent instead of HTML that is too long: cut somewhere, it would not be HTML any more.
const TOO_LONG: &str = "Alertmanager notification could not be sent: message length exceeds Telegram limits.\n\
    \t\t\tPlease check the template used for producing the message content.";

const PARSE_MODES: [&str; 4] = ["", "Markdown", "MarkdownV2", "HTML"];

/// One entry of `telegram_configs`. The message is a template.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TelegramSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub api_url: Option<Address>,
    pub bot_token: Option<Secret>,
    pub bot_token_file: Option<PathBuf>,
    /// Zero for none; groups have negative ones.
    pub chat_id: i64,
    pub chat_id_file: Option<PathBuf>,
    pub message_thread_id: i64,
    pub message: String,
    pub disable_notifications: bool,
    pub parse_mode: String,
}

impl Default for TelegramSettings {
    fn default() -> TelegramSettings {
        TelegramSettings {
            send_resolved: true,
            http_config: None,
            api_url: None,
            bot_token: None,
            bot_token_file: None,
            chat_id: 0,
            chat_id_file: None,
            message_thread_id: 0,
            message: named("telegram.default.message"),
            disable_notifications: false,
            parse_mode: "HTML".into(),
        }
    }
}

impl ReceiverSettings for TelegramSettings {
    const KIND: &'static str = "telegram";

    fn validate(&mut self) -> Result<(), String> {
        exclusive(&self.bot_token, &self.bot_token_file, "bot_token")?;
        match (self.chat_id, has_path(&self.chat_id_file)) {
            (0, false) => return Err("missing chat_id or chat_id_file on telegram_config".into()),
            (1.. | ..0, true) => {
                return Err("at most one of chat_id & chat_id_file must be configured".into());
            }
            _ => {}
        }
        if !PARSE_MODES.contains(&self.parse_mode.as_str()) {
            return Err(
                "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string"
                    .into(),
            );
        }
        Ok(())
    }
}

pub struct TelegramIntegration {
    settings: TelegramSettings,
    token: SecretSource,
    url: Address,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl TelegramIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: TelegramSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let token = SecretSource::from_pair(settings.bot_token.clone(), settings.bot_token_file.clone())
            .ok_or("missing bot_token or bot_token_file on telegram_config")?;
        let url = settings.api_url.clone().ok_or("no global Telegram URL set")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(TelegramIntegration { settings, token, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let s = &self.settings;
        let rendering = Rendering::new(&self.templates, notification);
        let text = match s.parse_mode.as_str() {
            "HTML" => match rendering.html(&s.message)? {
                text if text.chars().count() > MESSAGE_CHARS_MAX => TOO_LONG.to_owned(),
                text => text,
            },
            _ => cut_chars(rendering.text(&s.message)?, MESSAGE_CHARS_MAX),
        };
        let again = |mut error: NotifyError| {
            error.retry = true;
            error
        };
        let token = read(&self.token, "could not read bot_token_file").map_err(again)?;
        // The bot's API takes all parameters as texts.
        let mut parameters = BTreeMap::from([
            ("chat_id", self.chat_id()?.to_string()),
            ("disable_web_page_preview", "true".to_owned()),
            ("text", text),
        ]);
        if s.disable_notifications {
            parameters.insert("disable_notification", "true".into());
        }
        if s.message_thread_id != 0 {
            parameters.insert("message_thread_id", s.message_thread_id.to_string());
        }
        if !s.parse_mode.is_empty() {
            parameters.insert("parse_mode", s.parse_mode.clone());
        }
        let url = format!("{}/bot{}/sendMessage", self.url.as_str(), token.reveal());
        let call = Call::post_json(url, go_line(&parameters));
        let answer = self.client.send(call, TelegramSettings::KIND, attempt).await?;
        check_answer(&answer)
    }

    fn chat_id(&self) -> Result<i64, NotifyError> {
        let Some(path) = self.settings.chat_id_file.as_ref().filter(|_| self.settings.chat_id == 0) else {
            return Ok(self.settings.chat_id);
        };
        let text = read_file(path)
            .map_err(|e| NotifyError::transient(format!("could not read {}: {e}", path.display())))?;
        text.trim().parse().map_err(|e| {
            NotifyError::transient(format!("could not parse chat_id from {}: {e}", path.display()))
        })
    }
}

/// Telegram says in JSON how it went, whatever the status. Everything is worth another try, as in the original.
fn check_answer(answer: &Answer) -> Result<(), NotifyError> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Said {
        ok: bool,
        error_code: i64,
        description: String,
    }
    let reason = FailureReason::of_status(answer.status);
    let failed = |message: String| Err(NotifyError { retry: true, reason, message });
    match serde_json::from_str::<Said>(&answer.body) {
        Ok(said) if said.ok => Ok(()),
        Ok(said) => failed(format!("telegram: {} ({})", said.description, said.error_code)),
        Err(e) => failed(format!("telegram: unexpected answer with status code {}: {e}", answer.status)),
    }
}

integration!(TelegramIntegration, TelegramSettings);
