//! Receivers: whom to tell, with what the global section adds.

mod email;
mod http;
mod slack;
mod webhook;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use alerting::Integration;
use notify::{
    EmailIntegration, EmailSettings, SlackIntegration, SlackSettings, Templates, WebhookIntegration,
    WebhookSettings,
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
            let settings = webhook::complete(settings.clone(), global, dir);
            out.push(Arc::new(WebhookIntegration::new(settings, templates.clone())?));
        }
        for settings in self.email_configs.iter().flatten() {
            let settings = email::complete(settings.clone(), global, dir)?;
            out.push(Arc::new(EmailIntegration::new(settings, templates.clone())?));
        }
        for settings in self.slack_configs.iter().flatten() {
            let settings = slack::complete(settings.clone(), global, dir);
            out.push(Arc::new(SlackIntegration::new(settings, templates.clone())?));
        }
        Ok(out)
    }
}
