//! `victorops_configs`: incidents of VictorOps (now Splunk On-Call).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use serde::Deserialize;

use super::{ReceiverSettings, integration, named};
use crate::address::Address;
use crate::http::{Call, HttpClient, check_status, said_at};
use crate::json::go_line;
use crate::rendering::Rendering;
use crate::secrets::{exclusive, read};
use crate::templates::Templates;
use crate::text::{cut_chars, group_id};

const STATE_MESSAGE_CHARS_MAX: usize = 20_480;

/// Fields of the message that are not free.
const RESERVED: [&str; 7] = [
    "routing_key",
    "message_type",
    "state_message",
    "entity_display_name",
    "monitoring_tool",
    "entity_id",
    "entity_state",
];

/// One entry of `victorops_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct VictorOpsSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub api_key: Option<Secret>,
    pub api_key_file: Option<PathBuf>,
    pub api_url: Option<Address>,
    pub routing_key: String,
    pub message_type: String,
    pub state_message: String,
    pub entity_display_name: String,
    pub monitoring_tool: String,
    pub custom_fields: BTreeMap<String, String>,
}

impl Default for VictorOpsSettings {
    fn default() -> VictorOpsSettings {
        VictorOpsSettings {
            send_resolved: true,
            http_config: None,
            api_key: None,
            api_key_file: None,
            api_url: None,
            routing_key: String::new(),
            message_type: "CRITICAL".into(),
            state_message: named("victorops.default.state_message"),
            entity_display_name: named("victorops.default.entity_display_name"),
            monitoring_tool: named("victorops.default.monitoring_tool"),
            custom_fields: BTreeMap::new(),
        }
    }
}

impl ReceiverSettings for VictorOpsSettings {
    const KIND: &'static str = "victorops";

    fn validate(&mut self) -> Result<(), String> {
        if self.routing_key.is_empty() {
            return Err("missing Routing key in VictorOps config".into());
        }
        exclusive(&self.api_key, &self.api_key_file, "api_key")?;
        match RESERVED.iter().find(|name| self.custom_fields.contains_key(**name)) {
            Some(name) => Err(format!(
                "victorOps config contains custom field {name} which cannot be used as it conflicts with the \
                 fixed/static fields"
            )),
            None => Ok(()),
        }
    }
}

pub struct VictorOpsIntegration {
    settings: VictorOpsSettings,
    key: SecretSource,
    url: Address,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl VictorOpsIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: VictorOpsSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let key = SecretSource::from_pair(settings.api_key.clone(), settings.api_key_file.clone())
            .ok_or("no global VictorOps API Key set")?;
        let mut url = settings.api_url.clone().ok_or("no global VictorOps URL set")?;
        url.end_with_slash();
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(VictorOpsIntegration { settings, key, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let key = read(&self.key, "failed to read API key from file")?;
        let at = || said_at("templating error");
        let routing_key = rendering.text(&self.settings.routing_key).map_err(at())?;
        let url = self.url.append(&format!("{}/{routing_key}", key.reveal()), &[]);
        let body = self.message(notification, &rendering).map_err(at())?;
        let answer = self.client.send(Call::post_json(url, body), VictorOpsSettings::KIND, attempt).await?;
        check_status(&answer, &[])
    }

    fn message(&self, notification: &Notification, rendering: &Rendering<'_>) -> Result<String, NotifyError> {
        let s = &self.settings;
        let mut message_type = rendering.text(&s.message_type)?;
        if !notification.is_firing() {
            message_type = "RECOVERY".into();
        } else if !["INFO", "WARNING", "CRITICAL"].contains(&message_type.as_str()) {
            message_type = "CRITICAL".into();
        }
        let state_message = cut_chars(rendering.text(&s.state_message)?, STATE_MESSAGE_CHARS_MAX);
        let mut message = BTreeMap::from([
            ("message_type", message_type),
            ("entity_id", group_id(&notification.group_key)),
            ("entity_display_name", rendering.text(&s.entity_display_name)?),
            ("state_message", state_message),
            ("monitoring_tool", rendering.text(&s.monitoring_tool)?),
        ]);
        for (name, template) in &s.custom_fields {
            message.insert(name, rendering.text(template)?);
        }
        Ok(go_line(&message))
    }
}

integration!(VictorOpsIntegration, VictorOpsSettings);
