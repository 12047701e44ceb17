//! `opsgenie_configs`: an alert per group, created, updated and closed under the group's id.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Secret, SecretSource};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::{ReceiverSettings, integration, named};
use crate::address::Address;
use crate::data::{common, pairs};
use crate::http::{Call, HttpClient, check_status, said_at};
use crate::json::{go_line, is_empty};
use crate::rendering::Rendering;
use crate::secrets::{exclusive, read};
use crate::templates::Templates;
use crate::text::{comma_list, cut_chars, group_id};

const MESSAGE_CHARS_MAX: usize = 130;

const RESPONDER_TYPES: [&str; 5] = ["team", "teams", "user", "escalation", "schedule"];

/// One entry of `opsgenie_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OpsGenieSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub api_key: Option<Secret>,
    pub api_key_file: Option<PathBuf>,
    pub api_url: Option<Address>,
    pub message: String,
    pub description: String,
    pub source: String,
    pub details: BTreeMap<String, String>,
    pub entity: String,
    pub responders: Vec<OpsGenieResponder>,
    /// Separated by commas.
    pub actions: String,
    /// Separated by commas.
    pub tags: String,
    pub note: String,
    pub priority: String,
    /// Whether message and description follow the group as it changes.
    pub update_alerts: bool,
}

impl Default for OpsGenieSettings {
    fn default() -> OpsGenieSettings {
        OpsGenieSettings {
            send_resolved: true,
            http_config: None,
            api_key: None,
            api_key_file: None,
            api_url: None,
            message: named("opsgenie.default.message"),
            description: named("opsgenie.default.description"),
            source: named("opsgenie.default.source"),
            details: BTreeMap::new(),
            entity: String::new(),
            responders: Vec::new(),
            actions: String::new(),
            tags: String::new(),
            note: String::new(),
            priority: String::new(),
            update_alerts: false,
        }
    }
}

/// Who is told, as configured and as sent.
#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OpsGenieResponder {
    #[serde(skip_serializing_if = "is_empty")]
    pub id: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub username: String,
    #[serde(rename = "type")]
    pub kind: String,
}

impl ReceiverSettings for OpsGenieSettings {
    const KIND: &'static str = "opsgenie";

    fn validate(&mut self) -> Result<(), String> {
        exclusive(&self.api_key, &self.api_key_file, "api_key")?;
        for responder in &self.responders {
            let r = responder;
            // As Go prints such a record.
            let shown = |kind: &str| format!("{{{} {} {} {kind}}}", r.id, r.name, r.username);
            if r.id.is_empty() && r.name.is_empty() && r.username.is_empty() {
                return Err(format!(
                    "opsGenieConfig responder {} has to have at least one of id, username or name specified",
                    shown(&r.kind)
                ));
            }
            if r.kind.contains("{{") {
                template::Set::new(template::Functions::new()).parse("", &r.kind).map_err(|e| {
                    format!(
                        "opsGenieConfig responder {} type contains invalid template syntax: {e}",
                        shown(&r.kind)
                    )
                })?;
                continue;
            }
            let kind = r.kind.to_lowercase();
            if !RESPONDER_TYPES.contains(&kind.as_str()) {
                return Err(format!(
                    "opsGenieConfig responder {} type does not match valid options ^({})$",
                    shown(&kind),
                    RESPONDER_TYPES.join("|")
                ));
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Create<'a> {
    alias: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    details: BTreeMap<String, String>,
    source: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    responders: Vec<OpsGenieResponder>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "is_empty")]
    note: String,
    #[serde(skip_serializing_if = "is_empty")]
    priority: String,
    #[serde(skip_serializing_if = "is_empty")]
    entity: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<String>,
}

pub struct OpsGenieIntegration {
    settings: OpsGenieSettings,
    key: SecretSource,
    url: Address,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl OpsGenieIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: OpsGenieSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let key = SecretSource::from_pair(settings.api_key.clone(), settings.api_key_file.clone())
            .ok_or("no global OpsGenie API Key set either inline or in a file")?;
        let mut url = settings.api_url.clone().ok_or("no global OpsGenie URL set")?;
        url.end_with_slash();
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(OpsGenieIntegration { settings, key, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let calls = self.calls(notification, &rendering).map_err(said_at("templating error"))?;
        let key = read(&self.key, "read key_file error")?;
        let key = rendering.text(key.reveal()).map_err(said_at("templating error"))?;
        for mut call in calls {
            call.headers.push(("Authorization", format!("GenieKey {key}")));
            let answer = self.client.send(call, OpsGenieSettings::KIND, attempt).await?;
            check_status(&answer, &[429])?;
        }
        Ok(())
    }

    fn calls(
        &self,
        notification: &Notification,
        rendering: &Rendering<'_>,
    ) -> Result<Vec<Call>, NotifyError> {
        let s = &self.settings;
        let alias = group_id(&notification.group_key);
        let by_alias = |what: &str| {
            self.url.append(&format!("v2/alerts/{alias}/{what}"), &[("identifierType", "alias")])
        };
        let source = rendering.text(&s.source)?;
        if !notification.is_firing() {
            let body = go_line(&BTreeMap::from([("source", source)]));
            return Ok(vec![Call::post_json(by_alias("close"), body)]);
        }
        let message = cut_chars(rendering.text(&s.message)?, MESSAGE_CHARS_MAX);
        let description = rendering.text(&s.description)?;
        let create = Create {
            alias: &alias,
            message: &message,
            description: &description,
            details: self.details(notification, rendering)?,
            source,
            responders: self.responders(rendering)?,
            tags: comma_list(&rendering.text(&s.tags)?),
            note: rendering.text(&s.note)?,
            priority: rendering.text(&s.priority)?,
            entity: rendering.text(&s.entity)?,
            actions: comma_list(&rendering.text(&s.actions)?),
        };
        let mut calls = vec![Call::post_json(self.url.append("v2/alerts", &[]), go_line(&create))];
        if s.update_alerts {
            for (what, text) in [("message", &message), ("description", &description)] {
                let body: BTreeMap<&str, &String> =
                    [(what, text)].into_iter().filter(|(_, text)| !text.is_empty()).collect();
                let call = Call::post_json(by_alias(what), go_line(&body));
                calls.push(Call { method: Method::PUT, ..call });
            }
        }
        Ok(calls)
    }

    /// The common labels, and the configured ones over them.
    fn details(
        &self,
        notification: &Notification,
        rendering: &Rendering<'_>,
    ) -> Result<BTreeMap<String, String>, NotifyError> {
        let mut details = common(&notification.alerts, |alert| pairs(&alert.alert.labels));
        for (name, template) in &self.settings.details {
            details.insert(name.clone(), rendering.text(template)?);
        }
        Ok(details)
    }

    fn responders(&self, rendering: &Rendering<'_>) -> Result<Vec<OpsGenieResponder>, NotifyError> {
        let mut out = Vec::new();
        for configured in &self.settings.responders {
            let responder = OpsGenieResponder {
                id: rendering.text(&configured.id)?,
                name: rendering.text(&configured.name)?,
                username: rendering.text(&configured.username)?,
                kind: rendering.text(&configured.kind)?,
            };
            if responder == OpsGenieResponder::default() {
                // One that is filled from labels may have found none.
                continue;
            }
            if responder.kind == "teams" {
                let team = |name| OpsGenieResponder { name, kind: "team".into(), ..Default::default() };
                out.extend(comma_list(&responder.name).into_iter().map(team));
            } else {
                out.push(responder);
            }
        }
        Ok(out)
    }
}

integration!(OpsGenieIntegration, OpsGenieSettings);
