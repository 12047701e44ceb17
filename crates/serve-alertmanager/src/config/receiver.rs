//! Receivers: whom to tell, with what the global section adds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alerting::Integration;
use notify::{
    EmailIntegration, EmailSettings, HttpSettings, SlackIntegration, SlackSettings, Templates,
    WebhookIntegration, WebhookSettings,
};
use serde::Deserialize;

use super::Global;

type Unsupported = Option<Vec<serde_json::Value>>;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Receiver {
    pub name: String,
    pub labels: Option<BTreeMap<String, String>>,
    pub webhook_configs: Option<Vec<WebhookSettings>>,
    pub slack_configs: Option<Vec<SlackSettings>>,
    pub email_configs: Option<Vec<EmailSettings>>,
    pub discord_configs: Unsupported,
    pub incidentio_configs: Unsupported,
    pub jira_configs: Unsupported,
    pub mattermost_configs: Unsupported,
    pub msteams_configs: Unsupported,
    pub msteamsv2_configs: Unsupported,
    pub opsgenie_configs: Unsupported,
    pub pagerduty_configs: Unsupported,
    pub pushover_configs: Unsupported,
    pub rocketchat_configs: Unsupported,
    pub sns_configs: Unsupported,
    pub telegram_configs: Unsupported,
    pub victorops_configs: Unsupported,
    pub webex_configs: Unsupported,
    pub wechat_configs: Unsupported,
}

impl Receiver {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("missing name in receiver".into());
        }
        if let Some(label) = self.labels.as_ref().and_then(|labels| labels.get("name"))
            && *label != self.name
        {
            return Err(format!(
                "receiver label \"name\" must be equal to the receiver name {:?}",
                self.name
            ));
        }
        for (kind, entries) in [
            ("discord_configs", &self.discord_configs),
            ("incidentio_configs", &self.incidentio_configs),
            ("jira_configs", &self.jira_configs),
            ("mattermost_configs", &self.mattermost_configs),
            ("msteams_configs", &self.msteams_configs),
            ("msteamsv2_configs", &self.msteamsv2_configs),
            ("opsgenie_configs", &self.opsgenie_configs),
            ("pagerduty_configs", &self.pagerduty_configs),
            ("pushover_configs", &self.pushover_configs),
            ("rocketchat_configs", &self.rocketchat_configs),
            ("sns_configs", &self.sns_configs),
            ("telegram_configs", &self.telegram_configs),
            ("victorops_configs", &self.victorops_configs),
            ("webex_configs", &self.webex_configs),
            ("wechat_configs", &self.wechat_configs),
        ] {
            if entries.as_ref().is_some_and(|entries| !entries.is_empty()) {
                return Err(format!(
                    "receiver {:?}: {kind} is not supported yet (supported: email_configs, slack_configs, \
                     webhook_configs)",
                    self.name
                ));
            }
        }
        Ok(())
    }

    /// The receiver's own labels and its name, as the API shows them.
    pub(crate) fn shown_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone().unwrap_or_default();
        labels.insert("name".into(), self.name.clone());
        labels
    }

    pub(crate) fn compile(
        &self,
        global: &Global,
        dir: &Path,
        templates: &Arc<Templates>,
    ) -> Result<Vec<Arc<dyn Integration>>, String> {
        let mut out: Vec<Arc<dyn Integration>> = Vec::new();
        for settings in self.webhook_configs.iter().flatten() {
            let settings = complete_webhook(settings.clone(), global, dir);
            out.push(Arc::new(WebhookIntegration::new(settings, templates.clone())?));
        }
        for settings in self.email_configs.iter().flatten() {
            let settings = complete_email(settings.clone(), global, dir)?;
            out.push(Arc::new(EmailIntegration::new(settings, templates.clone())?));
        }
        for settings in self.slack_configs.iter().flatten() {
            let settings = complete_slack(settings.clone(), global, dir);
            out.push(Arc::new(SlackIntegration::new(settings, templates.clone())?));
        }
        Ok(out)
    }
}

fn complete_webhook(mut s: WebhookSettings, global: &Global, dir: &Path) -> WebhookSettings {
    s.http_config = complete_http(s.http_config, global, dir);
    s.url_file = resolve(s.url_file, dir);
    s
}

fn complete_slack(mut s: SlackSettings, global: &Global, dir: &Path) -> SlackSettings {
    s.http_config = complete_http(s.http_config, global, dir);
    let own_url = s.api_url.is_some() || s.api_url_file.is_some();
    let own_token = s.app_token.is_some() || s.app_token_file.is_some();
    if !own_url && !own_token {
        if global.slack_app_token.is_some() || global.slack_app_token_file.is_some() {
            s.app_token = global.slack_app_token.clone();
            s.app_token_file = global.slack_app_token_file.clone();
        } else {
            s.api_url = global.slack_api_url.clone();
            s.api_url_file = global.slack_api_url_file.clone();
        }
    }
    s.app_url = s.app_url.or_else(|| global.slack_app_url.clone());
    s.api_url_file = resolve(s.api_url_file, dir);
    s.app_token_file = resolve(s.app_token_file, dir);
    s
}

fn complete_email(mut s: EmailSettings, global: &Global, dir: &Path) -> Result<EmailSettings, String> {
    let or = |own: String, global: &str| if own.is_empty() { global.to_owned() } else { own };
    s.smarthost = or(s.smarthost, &global.smtp_smarthost);
    if s.smarthost.is_empty() {
        return Err("no global SMTP smarthost set".into());
    }
    s.from = or(s.from, &global.smtp_from);
    if s.from.is_empty() {
        return Err("no global SMTP from set".into());
    }
    s.hello = or(s.hello, &global.smtp_hello);
    s.auth_username = or(s.auth_username, &global.smtp_auth_username);
    s.auth_identity = or(s.auth_identity, &global.smtp_auth_identity);
    if s.auth_password.is_none() && s.auth_password_file.is_none() {
        s.auth_password = global.smtp_auth_password.clone();
        s.auth_password_file = global.smtp_auth_password_file.clone();
    }
    if s.auth_secret.is_none() && s.auth_secret_file.is_none() {
        s.auth_secret = global.smtp_auth_secret.clone();
        s.auth_secret_file = global.smtp_auth_secret_file.clone();
    }
    s.require_tls = s.require_tls.or(Some(global.smtp_require_tls));
    s.force_implicit_tls = s.force_implicit_tls.or(global.smtp_force_implicit_tls);
    s.tls_config = s.tls_config.or_else(|| global.smtp_tls_config.clone());
    if let Some(tls) = &mut s.tls_config {
        tls.set_directory(dir);
    }
    s.auth_password_file = resolve(s.auth_password_file, dir);
    s.auth_secret_file = resolve(s.auth_secret_file, dir);
    Ok(s)
}

fn complete_http(own: Option<HttpSettings>, global: &Global, dir: &Path) -> Option<HttpSettings> {
    let mut http = own.or_else(|| global.http_config.clone()).unwrap_or_default();
    http.client.set_directory(dir);
    Some(http)
}

/// Relative paths belong to the configuration file's directory.
fn resolve(path: Option<PathBuf>, dir: &Path) -> Option<PathBuf> {
    path.filter(|p| !p.as_os_str().is_empty()).map(|p| dir.join(p))
}
