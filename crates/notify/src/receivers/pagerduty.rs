//! `pagerduty_configs`: events of PagerDuty's API version 2 (`routing_key`) or 1 (`service_key`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Duration, Secret, SecretSource};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{ReceiverSettings, by_state, integration, named};
use crate::address::Address;
use crate::http::{Answer, Call, HttpClient, check_status_saying, said_at};
use crate::json::{go_line, is_empty};
use crate::payload;
use crate::rendering::Rendering;
use crate::secrets::{HIDDEN, exclusive, has_path, is_set, read};
use crate::templates::Templates;
use crate::text::{cut_chars, group_id};

/// Larger events are refused; their details, which are the bulk, go.
const EVENT_BYTES_MAX: usize = 512_000;

const DETAILS_REMOVED: &str =
    "Custom details have been removed because the original event exceeds the maximum size of 512KB";

const SUMMARY_CHARS_MAX: usize = 1024;

const API_V1: &str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";

/// One entry of `pagerduty_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PagerDutySettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub service_key: Option<Secret>,
    pub service_key_file: Option<PathBuf>,
    pub routing_key: Option<Secret>,
    pub routing_key_file: Option<PathBuf>,
    pub url: Option<Address>,
    pub client: String,
    pub client_url: String,
    pub description: String,
    /// Nested as one likes; all texts are templates.
    pub details: BTreeMap<String, Json>,
    pub images: Vec<PagerDutyImage>,
    pub links: Vec<PagerDutyLink>,
    pub source: String,
    pub severity: String,
    pub class: String,
    pub component: String,
    pub group: String,
    pub timeout: Duration,
}

impl Default for PagerDutySettings {
    fn default() -> PagerDutySettings {
        PagerDutySettings {
            send_resolved: true,
            http_config: None,
            service_key: None,
            service_key_file: None,
            routing_key: None,
            routing_key_file: None,
            url: None,
            client: named("pagerduty.default.client"),
            client_url: named("pagerduty.default.clientURL"),
            // Without the space before the end, as the original shows it.
            description: "{{ template \"pagerduty.default.description\" .}}".into(),
            details: BTreeMap::new(),
            images: Vec::new(),
            links: Vec::new(),
            source: String::new(),
            severity: String::new(),
            class: String::new(),
            component: String::new(),
            group: String::new(),
            timeout: Duration::default(),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PagerDutyLink {
    pub href: String,
    pub text: String,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PagerDutyImage {
    pub src: String,
    pub alt: String,
    pub href: String,
}

impl PagerDutySettings {
    fn is_v1(&self) -> bool {
        is_set(&self.service_key) || has_path(&self.service_key_file)
    }
}

impl ReceiverSettings for PagerDutySettings {
    const KIND: &'static str = "pagerduty";

    fn validate(&mut self) -> Result<(), String> {
        if !self.is_v1() && !is_set(&self.routing_key) && !has_path(&self.routing_key_file) {
            return Err("missing service or routing key in PagerDuty config".into());
        }
        exclusive(&self.routing_key, &self.routing_key_file, "routing_key")?;
        exclusive(&self.service_key, &self.service_key_file, "service_key")?;
        if self.source.is_empty() {
            self.source.clone_from(&self.client);
        }
        for (name, template) in [
            ("firing", "{{ .Alerts.Firing | toJson }}"),
            ("resolved", "{{ .Alerts.Resolved | toJson }}"),
            ("num_firing", "{{ .Alerts.Firing | len }}"),
            ("num_resolved", "{{ .Alerts.Resolved | len }}"),
        ] {
            self.details.entry(name.into()).or_insert_with(|| template.into());
        }
        Ok(())
    }
}

/// An event of either version; what one does not have is left out.
#[derive(Serialize, Default)]
struct Event {
    #[serde(skip_serializing_if = "is_empty")]
    routing_key: String,
    #[serde(skip_serializing_if = "is_empty")]
    service_key: String,
    #[serde(skip_serializing_if = "is_empty")]
    dedup_key: String,
    #[serde(skip_serializing_if = "is_empty")]
    incident_key: String,
    #[serde(skip_serializing_if = "is_empty")]
    event_type: String,
    #[serde(skip_serializing_if = "is_empty")]
    description: String,
    event_action: String,
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "is_empty")]
    client: String,
    #[serde(skip_serializing_if = "is_empty")]
    client_url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<PagerDutyImage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<PagerDutyLink>,
}

#[derive(Serialize)]
struct Payload {
    summary: String,
    source: String,
    severity: String,
    #[serde(skip_serializing_if = "is_empty")]
    class: String,
    #[serde(skip_serializing_if = "is_empty")]
    component: String,
    #[serde(skip_serializing_if = "is_empty")]
    group: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    custom_details: BTreeMap<String, Json>,
}

impl Event {
    /// As JSON, without details if it is too large with them.
    fn encode(&mut self) -> String {
        let text = go_line(self);
        if text.len() <= EVENT_BYTES_MAX {
            return text;
        }
        tracing::warn!(
            bytes = text.len(),
            limit = EVENT_BYTES_MAX,
            "details of a PagerDuty event are left out"
        );
        let details = BTreeMap::from([("error".to_owned(), Json::from(DETAILS_REMOVED))]);
        match &mut self.payload {
            Some(payload) => payload.custom_details = details,
            None => self.details = details,
        }
        go_line(self)
    }
}

pub struct PagerDutyIntegration {
    settings: PagerDutySettings,
    is_v1: bool,
    key: SecretSource,
    url: String,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl PagerDutyIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: PagerDutySettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let is_v1 = settings.is_v1();
        let (key, file) = match is_v1 {
            true => (&settings.service_key, &settings.service_key_file),
            false => (&settings.routing_key, &settings.routing_key_file),
        };
        let key = SecretSource::from_pair(key.clone(), file.clone())
            .ok_or("missing service or routing key in PagerDuty config")?;
        let url = settings.url.as_ref().ok_or("no global PagerDuty URL set")?.as_str();
        let url = if is_v1 { API_V1.to_owned() } else { url.to_owned() };
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(PagerDutyIntegration { settings, is_v1, key, url, client, templates })
    }

    /// At another address than the configured or the service's.
    #[cfg(test)]
    pub(crate) fn speaking_to(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let (version, key_kind) = if self.is_v1 { ("v1", "service") } else { ("v2", "routing") };
        let rendering = Rendering::new(&self.templates, notification);
        let mut details = BTreeMap::new();
        for (name, value) in &self.settings.details {
            let value = payload::expand(value, &rendering).map_err(said_at("failed to render details"))?;
            details.insert(name.clone(), value);
        }
        let key = read(&self.key, &format!("failed to read {key_kind} key from file"))?;
        let at = || said_at(format!("failed to template PagerDuty {version} message"));
        let key = rendering.text(key.reveal()).map_err(at())?;
        if key.is_empty() {
            return Err(NotifyError::permanent(format!("{key_kind} key cannot be empty")));
        }
        let mut event = match self.is_v1 {
            true => self.event_v1(notification, &rendering, details),
            false => self.event_v2(notification, &rendering, details),
        }
        .map_err(at())?;
        let place = |event: &mut Event, key: &str| match self.is_v1 {
            true => event.service_key = key.to_owned(),
            false => event.routing_key = key.to_owned(),
        };
        place(&mut event, &key);
        let body = event.encode();
        place(&mut event, HIDDEN);
        let call = Call {
            timeout: self.settings.timeout.to_std(),
            shown: Some(event.encode()),
            ..Call::post_json(&self.url, body)
        };
        let posted = if self.is_v1 { "PagerDuty v1" } else { "PagerDuty" };
        let answer = self
            .client
            .send(call, PagerDutySettings::KIND, attempt)
            .await
            .map_err(said_at(format!("failed to post message to {posted}")))?;
        // Each version has its own status for "too many".
        let too_many = if self.is_v1 { 403 } else { 429 };
        check_status_saying(&answer, &[too_many], &error_details(&answer))
    }

    fn event_v1(
        &self,
        notification: &Notification,
        rendering: &Rendering<'_>,
        details: BTreeMap<String, Json>,
    ) -> Result<Event, NotifyError> {
        let s = &self.settings;
        let firing = notification.is_firing();
        let if_firing = |template: &str| match firing {
            true => rendering.text(template),
            false => Ok(String::new()),
        };
        Ok(Event {
            event_type: by_state(firing, "trigger", "resolve").into(),
            incident_key: group_id(&notification.group_key),
            description: cut_chars(rendering.text(&s.description)?, SUMMARY_CHARS_MAX),
            details,
            client: if_firing(&s.client)?,
            client_url: if_firing(&s.client_url)?,
            ..Event::default()
        })
    }

    fn event_v2(
        &self,
        notification: &Notification,
        rendering: &Rendering<'_>,
        details: BTreeMap<String, Json>,
    ) -> Result<Event, NotifyError> {
        let s = &self.settings;
        let text = |template: &str| rendering.text(template);
        let severity = if s.severity.is_empty() { "error" } else { &s.severity };
        let mut event = Event {
            client: text(&s.client)?,
            client_url: text(&s.client_url)?,
            event_action: by_state(notification.is_firing(), "trigger", "resolve").into(),
            dedup_key: group_id(&notification.group_key),
            payload: Some(Payload {
                summary: cut_chars(text(&s.description)?, SUMMARY_CHARS_MAX),
                source: text(&s.source)?,
                severity: text(severity)?,
                class: text(&s.class)?,
                component: text(&s.component)?,
                group: text(&s.group)?,
                custom_details: details,
            }),
            ..Event::default()
        };
        for image in &s.images {
            let image =
                PagerDutyImage { src: text(&image.src)?, alt: text(&image.alt)?, href: text(&image.href)? };
            if !image.src.is_empty() {
                event.images.push(image);
            }
        }
        for link in &s.links {
            let link = PagerDutyLink { href: text(&link.href)?, text: text(&link.text)? };
            if !link.href.is_empty() {
                event.links.push(link);
            }
        }
        Ok(event)
    }
}

/// What a refusal says in its JSON.
fn error_details(answer: &Answer) -> String {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Refusal {
        message: String,
        errors: Vec<String>,
    }
    match serde_json::from_str::<Refusal>(&answer.body) {
        Ok(refusal) if answer.status == 400 => format!("{}: {}", refusal.message, refusal.errors.join(",")),
        _ => String::new(),
    }
}

integration!(PagerDutyIntegration, PagerDutySettings);
