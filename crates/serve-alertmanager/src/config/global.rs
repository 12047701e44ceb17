//! The `global` section.

use std::path::PathBuf;

use ::config::{Duration, Fault, Secret};
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
            pagerduty_url: Some("https://events.pagerduty.com/v2/enqueue".into()),
            opsgenie_api_url: Some("https://api.opsgenie.com/".into()),
            opsgenie_api_key: None,
            opsgenie_api_key_file: None,
            wechat_api_url: Some("https://qyapi.weixin.qq.com/cgi-bin/".into()),
            wechat_api_secret: None,
            wechat_api_secret_file: None,
            wechat_api_corp_id: None,
            victorops_api_url: Some(
                "https://alert.victorops.com/integrations/generic/20131114/alert/".into(),
            ),
            victorops_api_key: None,
            victorops_api_key_file: None,
            telegram_api_url: Some("https://api.telegram.org".into()),
            telegram_bot_token: None,
            telegram_bot_token_file: None,
            webex_api_url: Some("https://webexapis.com/v1/messages".into()),
            jira_api_url: None,
            rocketchat_api_url: Some("https://open.rocket.chat/".into()),
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
    pub(super) fn validate(&self) -> Result<(), Fault> {
        if let Some(http) = &self.http_config {
            http.validate().map_err(|e| Fault::new(e).under("http_config"))?;
        }
        self.validate_addresses()?;
        self.validate_exclusive()
    }

    fn validate_addresses(&self) -> Result<(), Fault> {
        smarthost(&self.smtp_smarthost).map_err(|e| Fault::new(e).under("smtp_smarthost"))?;
        for (address, key) in [
            (&self.jira_api_url, "jira_api_url"),
            (&self.slack_app_url, "slack_app_url"),
            (&self.pagerduty_url, "pagerduty_url"),
            (&self.opsgenie_api_url, "opsgenie_api_url"),
            (&self.wechat_api_url, "wechat_api_url"),
            (&self.victorops_api_url, "victorops_api_url"),
            (&self.telegram_api_url, "telegram_api_url"),
            (&self.webex_api_url, "webex_api_url"),
            (&self.rocketchat_api_url, "rocketchat_api_url"),
        ] {
            if let Some(address) = address {
                super::address::check(address).map_err(|e| Fault::new(e).under(key))?;
            }
        }
        for (address, key) in
            [(&self.slack_api_url, "slack_api_url"), (&self.mattermost_webhook_url, "mattermost_webhook_url")]
        {
            if let Some(address) = address {
                super::address::check_secret(address).map_err(|e| Fault::new(e).under(key))?;
            }
        }
        Ok(())
    }

    fn validate_exclusive(&self) -> Result<(), Fault> {
        let given = |secret: &Option<Secret>| secret.as_ref().is_some_and(|s| !s.is_empty());
        let token = given(&self.slack_app_token) || self.slack_app_token_file.is_some();
        let address = self.slack_api_url.is_some() || self.slack_api_url_file.is_some();
        for (inline, file, name) in [
            (&self.slack_app_token, &self.slack_app_token_file, "slack_app_token"),
            (&self.slack_api_url, &self.slack_api_url_file, "slack_api_url"),
            (&self.opsgenie_api_key, &self.opsgenie_api_key_file, "opsgenie_api_key"),
            (&self.victorops_api_key, &self.victorops_api_key_file, "victorops_api_key"),
            (&self.telegram_bot_token, &self.telegram_bot_token_file, "telegram_bot_token"),
            (&self.smtp_auth_password, &self.smtp_auth_password_file, "smtp_auth_password"),
            (&self.rocketchat_token, &self.rocketchat_token_file, "rocketchat_token"),
            (&self.rocketchat_token_id, &self.rocketchat_token_id_file, "rocketchat_token_id"),
            (&self.smtp_auth_secret, &self.smtp_auth_secret_file, "smtp_auth_secret"),
            (&self.wechat_api_secret, &self.wechat_api_secret_file, "wechat_api_secret"),
            (&self.mattermost_webhook_url, &self.mattermost_webhook_url_file, "mattermost_webhook_url"),
        ] {
            if given(inline) && file.is_some() {
                let message = format!("at most one of {name} & {name}_file must be configured");
                return Err(Fault::new(message).under(&format!("{name}_file")));
            }
        }
        // Before there were app tokens, people set the address to the app's and gave each receiver its token.
        let is_app = self.slack_api_url.as_ref().map(Secret::reveal) == self.slack_app_url.as_deref();
        if token && address && !is_app {
            let message = "at most one of slack_app_token/slack_app_token_file & \
                           slack_api_url/slack_api_url_file must be configured";
            return Err(Fault::new(message).under("slack_api_url"));
        }
        Ok(())
    }
}

/// `host:port`, where the port must be there.
fn smarthost(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let colons = text.matches(':').count();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) =
                rest.split_once(']').ok_or(format!("address {text}: missing ']' in address"))?;
            let port = after.strip_prefix(':').ok_or(format!("address {text}: missing port in address"))?;
            (host, port)
        }
        None if colons == 0 => return Err(format!("address {text}: missing port in address")),
        None if colons > 1 => return Err(format!("address {text}: too many colons in address")),
        None => text.split_once(':').unwrap_or_default(),
    };
    if host.contains(['[', ']']) {
        return Err(format!("address {text}: unexpected '[' in address"));
    }
    if port.is_empty() {
        return Err(format!("address {text:?}: port cannot be empty"));
    }
    Ok(())
}
