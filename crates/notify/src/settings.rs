//! Receiver settings as the configuration file writes them.
//!
//! `None` means "as the global section says" until the front door has filled it in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use client::{HttpClientConfig, TlsConfig};
use config::{Duration, Secret};
use serde::Deserialize;

fn yes() -> bool {
    true
}

/// How an HTTP receiver is reached: the client's keys, and one that is read to be refused by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HttpSettings {
    pub oauth2: Option<serde_json::Value>,
    pub client: HttpClientConfig,
}

config::section!(HttpSettings { oauth2 } inline { client });

/// One entry of `webhook_configs`.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    #[serde(default = "yes")]
    pub send_resolved: bool,
    #[serde(default)]
    pub http_config: Option<HttpSettings>,
    #[serde(default)]
    pub url: Option<Secret>,
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// Alerts per message; zero means all.
    #[serde(default)]
    pub max_alerts: u64,
    #[serde(default)]
    pub timeout: Duration,
    #[serde(default)]
    pub payload: Option<serde_json::Value>,
}

/// One entry of `slack_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SlackSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpSettings>,
    pub api_url: Option<Secret>,
    pub api_url_file: Option<PathBuf>,
    pub app_token: Option<Secret>,
    pub app_token_file: Option<PathBuf>,
    pub app_url: Option<String>,
    pub channel: String,
    pub username: String,
    pub color: String,
    pub title: String,
    pub title_link: String,
    pub pretext: String,
    pub text: String,
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
    pub mrkdwn_in: Option<Vec<String>>,
    pub actions: Vec<SlackAction>,
    pub message_text: String,
    pub update_message: bool,
    pub timeout: Duration,
}

impl Default for SlackSettings {
    fn default() -> SlackSettings {
        let template = |name: &str| format!("{{{{ template \"slack.default.{name}\" . }}}}");
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
            mrkdwn_in: None,
            actions: Vec::new(),
            message_text: String::new(),
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

#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SlackAction {
    #[serde(rename = "type")]
    pub kind: String,
    pub text: String,
    pub url: String,
    pub style: String,
    pub name: String,
    pub value: String,
    pub confirm: Option<SlackConfirm>,
}

#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SlackConfirm {
    pub text: String,
    pub title: String,
    pub ok_text: String,
    pub dismiss_text: String,
}

/// One entry of `email_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct EmailSettings {
    pub send_resolved: bool,
    pub to: String,
    pub from: String,
    pub hello: String,
    pub smarthost: String,
    pub auth_username: String,
    pub auth_password: Option<Secret>,
    pub auth_password_file: Option<PathBuf>,
    pub auth_secret: Option<Secret>,
    pub auth_secret_file: Option<PathBuf>,
    pub auth_identity: String,
    pub require_tls: Option<bool>,
    pub force_implicit_tls: Option<bool>,
    pub tls_config: Option<TlsConfig>,
    pub headers: BTreeMap<String, String>,
    pub html: String,
    pub text: String,
    pub threading: Option<serde_json::Value>,
}

impl Default for EmailSettings {
    fn default() -> EmailSettings {
        EmailSettings {
            send_resolved: false,
            to: String::new(),
            from: String::new(),
            hello: String::new(),
            smarthost: String::new(),
            auth_username: String::new(),
            auth_password: None,
            auth_password_file: None,
            auth_secret: None,
            auth_secret_file: None,
            auth_identity: String::new(),
            require_tls: None,
            force_implicit_tls: None,
            tls_config: None,
            headers: BTreeMap::new(),
            html: "{{ template \"email.default.html\" . }}".into(),
            text: String::new(),
            threading: None,
        }
    }
}
