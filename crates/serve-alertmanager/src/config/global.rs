//! The `global` section.

use std::path::PathBuf;

use ::config::{Duration, Secret};
use client::TlsConfig;
use notify::HttpSettings;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Global {
    pub resolve_timeout: Duration,
    pub http_config: Option<HttpSettings>,
    pub smtp_from: String,
    pub smtp_hello: String,
    pub smtp_smarthost: String,
    pub smtp_auth_username: String,
    pub smtp_auth_password: Option<Secret>,
    pub smtp_auth_password_file: Option<PathBuf>,
    pub smtp_auth_secret: Option<Secret>,
    pub smtp_auth_secret_file: Option<PathBuf>,
    pub smtp_auth_identity: String,
    pub smtp_require_tls: bool,
    pub smtp_tls_config: Option<TlsConfig>,
    pub smtp_force_implicit_tls: Option<bool>,
    pub slack_api_url: Option<Secret>,
    pub slack_api_url_file: Option<PathBuf>,
    pub slack_app_token: Option<Secret>,
    pub slack_app_token_file: Option<PathBuf>,
    pub slack_app_url: Option<String>,
    // Known to the original's receivers that do not exist here yet: accepted, so that a shared global
    // section loads, and without effect.
    pub pagerduty_url: Option<String>,
    pub opsgenie_api_url: Option<String>,
    pub opsgenie_api_key: Option<Secret>,
    pub opsgenie_api_key_file: Option<PathBuf>,
    pub wechat_api_url: Option<String>,
    pub wechat_api_secret: Option<Secret>,
    pub wechat_api_secret_file: Option<PathBuf>,
    pub wechat_api_corp_id: Option<String>,
    pub victorops_api_url: Option<String>,
    pub victorops_api_key: Option<Secret>,
    pub victorops_api_key_file: Option<PathBuf>,
    pub telegram_api_url: Option<String>,
    pub telegram_bot_token: Option<Secret>,
    pub telegram_bot_token_file: Option<PathBuf>,
    pub webex_api_url: Option<String>,
    pub jira_api_url: Option<String>,
    pub rocketchat_api_url: Option<String>,
    pub rocketchat_token: Option<Secret>,
    pub rocketchat_token_file: Option<PathBuf>,
    pub rocketchat_token_id: Option<Secret>,
    pub rocketchat_token_id_file: Option<PathBuf>,
    pub mattermost_webhook_url: Option<Secret>,
    pub mattermost_webhook_url_file: Option<PathBuf>,
}

impl Default for Global {
    fn default() -> Global {
        Global {
            resolve_timeout: Duration::from_secs(300),
            http_config: None,
            smtp_from: String::new(),
            smtp_hello: "localhost".into(),
            smtp_smarthost: String::new(),
            smtp_auth_username: String::new(),
            smtp_auth_password: None,
            smtp_auth_password_file: None,
            smtp_auth_secret: None,
            smtp_auth_secret_file: None,
            smtp_auth_identity: String::new(),
            smtp_require_tls: true,
            smtp_tls_config: None,
            smtp_force_implicit_tls: None,
            slack_api_url: None,
            slack_api_url_file: None,
            slack_app_token: None,
            slack_app_token_file: None,
            slack_app_url: Some("https://slack.com/api/chat.postMessage".into()),
            pagerduty_url: None,
            opsgenie_api_url: None,
            opsgenie_api_key: None,
            opsgenie_api_key_file: None,
            wechat_api_url: None,
            wechat_api_secret: None,
            wechat_api_secret_file: None,
            wechat_api_corp_id: None,
            victorops_api_url: None,
            victorops_api_key: None,
            victorops_api_key_file: None,
            telegram_api_url: None,
            telegram_bot_token: None,
            telegram_bot_token_file: None,
            webex_api_url: None,
            jira_api_url: None,
            rocketchat_api_url: None,
            rocketchat_token: None,
            rocketchat_token_file: None,
            rocketchat_token_id: None,
            rocketchat_token_id_file: None,
            mattermost_webhook_url: None,
            mattermost_webhook_url_file: None,
        }
    }
}

impl Global {
    pub(crate) fn validate(&self) -> Result<(), String> {
        let exclusive = |a: bool, b: bool, name: &str| -> Result<(), String> {
            if a && b {
                return Err(format!("at most one of {name} & {name}_file must be configured"));
            }
            Ok(())
        };
        for (inline, file, name) in [
            (&self.smtp_auth_password, &self.smtp_auth_password_file, "smtp_auth_password"),
            (&self.smtp_auth_secret, &self.smtp_auth_secret_file, "smtp_auth_secret"),
            (&self.slack_api_url, &self.slack_api_url_file, "slack_api_url"),
            (&self.slack_app_token, &self.slack_app_token_file, "slack_app_token"),
            (&self.opsgenie_api_key, &self.opsgenie_api_key_file, "opsgenie_api_key"),
            (&self.victorops_api_key, &self.victorops_api_key_file, "victorops_api_key"),
            (&self.wechat_api_secret, &self.wechat_api_secret_file, "wechat_api_secret"),
            (&self.telegram_bot_token, &self.telegram_bot_token_file, "telegram_bot_token"),
            (&self.rocketchat_token, &self.rocketchat_token_file, "rocketchat_token"),
            (&self.rocketchat_token_id, &self.rocketchat_token_id_file, "rocketchat_token_id"),
            (&self.mattermost_webhook_url, &self.mattermost_webhook_url_file, "mattermost_webhook_url"),
        ] {
            exclusive(inline.as_ref().is_some_and(|s| !s.is_empty()), file.is_some(), name)?;
        }
        Ok(())
    }
}
