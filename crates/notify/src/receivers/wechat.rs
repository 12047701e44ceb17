//! `wechat_configs`: a message of an application in WeChat Work.
//!
//! The service wants a token of its own for each message, and wants to be asked for it rarely: it is kept until
//! two hours have passed or the service says that it has expired.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alerting::{Attempt, FailureReason, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::{ReceiverSettings, integration, named};
use crate::address::Address;
use crate::http::{Call, HttpClient, said_at};
use crate::json::{go_line, is_empty};
use crate::rendering::Rendering;
use crate::secrets::{exclusive, read};
use crate::templates::Templates;

const TOKEN_AGE_MAX: Duration = Duration::from_secs(2 * 3600);

/// The service's code for an expired token.
const TOKEN_EXPIRED: i64 = 42_001;

/// One entry of `wechat_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct WeChatSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub api_secret: Option<Secret>,
    pub api_secret_file: Option<PathBuf>,
    pub corp_id: String,
    pub message: String,
    pub api_url: Option<Address>,
    pub to_user: String,
    pub to_party: String,
    pub to_tag: String,
    pub agent_id: String,
    /// `text` or `markdown`.
    pub message_type: String,
}

impl Default for WeChatSettings {
    fn default() -> WeChatSettings {
        let template = |name: &str| named(&format!("wechat.default.{name}"));
        WeChatSettings {
            send_resolved: false,
            http_config: None,
            api_secret: None,
            api_secret_file: None,
            corp_id: String::new(),
            message: template("message"),
            api_url: None,
            to_user: template("to_user"),
            to_party: template("to_party"),
            to_tag: template("to_tag"),
            agent_id: template("agent_id"),
            message_type: String::new(),
        }
    }
}

impl ReceiverSettings for WeChatSettings {
    const KIND: &'static str = "wechat";

    fn validate(&mut self) -> Result<(), String> {
        if self.message_type.is_empty() {
            self.message_type = "text".into();
        }
        if !["text", "markdown"].contains(&self.message_type.as_str()) {
            return Err(format!(
                "weChat message type {:?} does not match valid options ^(text|markdown)$",
                self.message_type
            ));
        }
        exclusive(&self.api_secret, &self.api_secret_file, "api_secret")
    }
}

#[derive(Serialize)]
struct Message {
    text: Content,
    #[serde(skip_serializing_if = "is_empty")]
    touser: String,
    #[serde(skip_serializing_if = "is_empty")]
    toparty: String,
    #[serde(skip_serializing_if = "is_empty")]
    totag: String,
    #[serde(skip_serializing_if = "is_empty")]
    agentid: String,
    safe: &'static str,
    msgtype: String,
    markdown: Content,
}

#[derive(Serialize, Default)]
struct Content {
    content: String,
}

pub struct WeChatIntegration {
    settings: WeChatSettings,
    secret: SecretSource,
    url: Address,
    client: HttpClient,
    templates: Arc<Templates>,
    token: Mutex<Option<(Secret, Instant)>>,
}

impl WeChatIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: WeChatSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let secret = SecretSource::from_pair(settings.api_secret.clone(), settings.api_secret_file.clone())
            .ok_or("no global Wechat Api Secret set either inline or in a file")?;
        let mut url = settings.api_url.clone().ok_or("no global Wechat URL set")?;
        url.end_with_slash();
        if settings.corp_id.is_empty() {
            return Err("no global Wechat CorpID set".into());
        }
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(WeChatIntegration { settings, secret, url, client, templates, token: Mutex::default() })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let s = &self.settings;
        let rendering = Rendering::new(&self.templates, notification);
        let text = |template: &str| rendering.text(template).map_err(said_at("templating error"));
        let content = Content { content: text(&s.message)? };
        let (plain, markdown) = match s.message_type.as_str() {
            "markdown" => (Content::default(), content),
            _ => (content, Content::default()),
        };
        let message = Message {
            text: plain,
            touser: text(&s.to_user)?,
            toparty: text(&s.to_party)?,
            totag: text(&s.to_tag)?,
            agentid: text(&s.agent_id)?,
            safe: "0",
            msgtype: s.message_type.clone(),
            markdown,
        };
        let token = self.token(&rendering, attempt).await?;
        let url = self.url.append("message/send", &[("access_token", token.reveal())]);
        let call = Call::post_json(url, go_line(&message));
        let answer = self.client.send(call, WeChatSettings::KIND, attempt).await?;
        if answer.status != 200 {
            let message = format!("unexpected status code {}", answer.status);
            return Err(NotifyError {
                retry: true,
                reason: FailureReason::of_status(answer.status),
                message,
            });
        }
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Said {
            errcode: i64,
            errmsg: String,
        }
        match serde_json::from_str::<Said>(&answer.body) {
            Ok(said) if said.errcode == 0 => Ok(()),
            Ok(said) if said.errcode == TOKEN_EXPIRED => {
                *self.kept() = None;
                Err(NotifyError::transient(said.errmsg))
            }
            Ok(said) => Err(NotifyError::permanent(said.errmsg)),
            Err(e) => Err(NotifyError::transient(e.to_string())),
        }
    }

    /// The kept token, or a new one.
    async fn token(&self, rendering: &Rendering<'_>, attempt: &mut Attempt) -> Result<Secret, NotifyError> {
        if let Some((token, since)) = &*self.kept()
            && since.elapsed() <= TOKEN_AGE_MAX
        {
            return Ok(token.clone());
        }
        let secret = read(&self.secret, "read api_secret_file")?;
        let text = |template: &str| rendering.text(template).map_err(said_at("templating error"));
        let (secret, corp_id) = (text(secret.reveal())?, text(&self.settings.corp_id)?);
        let url = self.url.append("gettoken", &[("corpsecret", &secret), ("corpid", &corp_id)]);
        let call = Call { method: Method::GET, content_type: "", ..Call::post_json(url, String::new()) };
        let answer = self.client.send(call, WeChatSettings::KIND, attempt).await;
        // What was answered is a secret, and not the answer to the message.
        attempt.answer.clear();
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Granted {
            access_token: String,
        }
        let granted: Granted = serde_json::from_str(&answer?.body)
            .map_err(|e| NotifyError::permanent(format!("the answer to a request for a token: {e}")))?;
        if granted.access_token.is_empty() {
            let message = format!("invalid APISecret for CorpID: {}", self.settings.corp_id);
            return Err(NotifyError::permanent(message));
        }
        let token = Secret::new(granted.access_token);
        *self.kept() = Some((token.clone(), Instant::now()));
        Ok(token)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(Secret, Instant)>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

integration!(WeChatIntegration, WeChatSettings);
