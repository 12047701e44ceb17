//! Receivers: whom to tell. Each kind of integration has its list; `global` fills in what the entries leave to
//! the global section.

mod chat;
mod duty;
mod global;
mod plain;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::config::Fault;
use alerting::Integration;
use notify::{
    DiscordIntegration, DiscordSettings, EmailIntegration, EmailSettings, IncidentioIntegration,
    IncidentioSettings, JiraIntegration, JiraSettings, MattermostIntegration, MattermostSettings,
    MsTeamsIntegration, MsTeamsSettings, MsTeamsV2Integration, MsTeamsV2Settings, OpsGenieIntegration,
    OpsGenieSettings, PagerDutyIntegration, PagerDutySettings, PushoverIntegration, PushoverSettings,
    RocketChatIntegration, RocketChatSettings, SlackIntegration, SlackSettings, SnsIntegration, SnsSettings,
    TelegramIntegration, TelegramSettings, Templates, VictorOpsIntegration, VictorOpsSettings,
    WeChatIntegration, WeChatSettings, WebexIntegration, WebexSettings, WebhookIntegration, WebhookSettings,
    settings_list,
};
use serde::Deserialize;

use self::global::Complete;
use super::{Global, or_default};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Receiver {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "settings_list")]
    pub discord_configs: Vec<DiscordSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub email_configs: Vec<EmailSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub incidentio_configs: Vec<IncidentioSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub pagerduty_configs: Vec<PagerDutySettings>,
    #[serde(deserialize_with = "settings_list")]
    pub slack_configs: Vec<SlackSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub webhook_configs: Vec<WebhookSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub opsgenie_configs: Vec<OpsGenieSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub wechat_configs: Vec<WeChatSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub pushover_configs: Vec<PushoverSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub victorops_configs: Vec<VictorOpsSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub sns_configs: Vec<SnsSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub telegram_configs: Vec<TelegramSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub webex_configs: Vec<WebexSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub msteams_configs: Vec<MsTeamsSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub msteamsv2_configs: Vec<MsTeamsV2Settings>,
    #[serde(deserialize_with = "settings_list")]
    pub jira_configs: Vec<JiraSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub rocketchat_configs: Vec<RocketChatSettings>,
    #[serde(deserialize_with = "settings_list")]
    pub mattermost_configs: Vec<MattermostSettings>,
}

/// Where the integrations of a receiver are made, one kind after the other.
struct Builder<'a> {
    global: &'a Global,
    dir: &'a Path,
    templates: &'a Arc<Templates>,
    made: Vec<Arc<dyn Integration>>,
}

impl Builder<'_> {
    fn add<S: Complete + Clone, I: Integration + 'static>(
        &mut self,
        key: &str,
        entries: &[S],
        make: impl Fn(S, Arc<Templates>) -> Result<I, String>,
    ) -> Result<(), Fault> {
        for (i, entry) in entries.iter().enumerate() {
            let fault = |message: String| Fault::new(message).at(i).under(key);
            let mut settings = entry.clone();
            settings.complete(self.global, self.dir).map_err(fault)?;
            self.made.push(Arc::new(make(settings, self.templates.clone()).map_err(fault)?));
        }
        Ok(())
    }
}

impl Receiver {
    pub(crate) fn validate(&self) -> Result<(), Fault> {
        if self.name.is_empty() {
            return Err(Fault::new("missing name in receiver").under("name"));
        }
        if let Some(label) = self.labels.as_ref().and_then(|labels| labels.get("name"))
            && *label != self.name
        {
            let message =
                format!("receiver label \"name\" must be equal to the receiver name {:?}", self.name);
            return Err(Fault::new(message).under("name").under("labels"));
        }
        Ok(())
    }

    /// The receiver's own labels and its name, as the API shows them.
    pub(crate) fn shown_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone().unwrap_or_default();
        labels.insert("name".into(), self.name.clone());
        labels
    }

    /// The receiver's integrations, in the original's order of kinds.
    pub(crate) fn compile(
        &self,
        global: &Global,
        dir: &Path,
        templates: &Arc<Templates>,
    ) -> Result<Vec<Arc<dyn Integration>>, Fault> {
        let mut b = Builder { global, dir, templates, made: Vec::new() };
        b.add("webhook_configs", &self.webhook_configs, WebhookIntegration::new)?;
        b.add("email_configs", &self.email_configs, EmailIntegration::new)?;
        b.add("pagerduty_configs", &self.pagerduty_configs, PagerDutyIntegration::new)?;
        b.add("opsgenie_configs", &self.opsgenie_configs, OpsGenieIntegration::new)?;
        b.add("wechat_configs", &self.wechat_configs, WeChatIntegration::new)?;
        b.add("slack_configs", &self.slack_configs, SlackIntegration::new)?;
        b.add("victorops_configs", &self.victorops_configs, VictorOpsIntegration::new)?;
        b.add("pushover_configs", &self.pushover_configs, PushoverIntegration::new)?;
        b.add("sns_configs", &self.sns_configs, SnsIntegration::new)?;
        b.add("telegram_configs", &self.telegram_configs, TelegramIntegration::new)?;
        b.add("discord_configs", &self.discord_configs, DiscordIntegration::new)?;
        b.add("webex_configs", &self.webex_configs, WebexIntegration::new)?;
        b.add("msteams_configs", &self.msteams_configs, MsTeamsIntegration::new)?;
        b.add("msteamsv2_configs", &self.msteamsv2_configs, MsTeamsV2Integration::new)?;
        b.add("jira_configs", &self.jira_configs, JiraIntegration::new)?;
        b.add("incidentio_configs", &self.incidentio_configs, IncidentioIntegration::new)?;
        b.add("rocketchat_configs", &self.rocketchat_configs, RocketChatIntegration::new)?;
        b.add("mattermost_configs", &self.mattermost_configs, MattermostIntegration::new)?;
        Ok(b.made)
    }
}
