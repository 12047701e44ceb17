//! `incidentio_configs`: the webhook's message, to an alert source of incident.io.

use std::path::PathBuf;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::{Duration, Secret, SecretSource};
use serde::Deserialize;
use serde_json::Value as Json;

use super::webhook::{first_alerts, message};
use super::{ReceiverSettings, integration};
use crate::address::Address;
use crate::http::{Answer, Call, HttpClient, check_status_saying};
use crate::json::data_object;
use crate::rendering::Rendering;
use crate::secrets::{exclusive, has_path, is_set, read};
use crate::templates::Templates;

/// The version of the message format.
const VERSION: &str = "1";

/// More is refused; one alert of the group tells the essential.
const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// One entry of `incidentio_configs`.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentioSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    pub url: Option<Address>,
    pub url_file: Option<PathBuf>,
    pub alert_source_token: Option<Secret>,
    pub alert_source_token_file: Option<PathBuf>,
    /// Alerts per message; zero means all.
    pub max_alerts: u64,
    pub timeout: Duration,
}

impl Default for IncidentioSettings {
    fn default() -> IncidentioSettings {
        IncidentioSettings {
            send_resolved: true,
            http_config: None,
            url: None,
            url_file: None,
            alert_source_token: None,
            alert_source_token_file: None,
            max_alerts: 0,
            timeout: Duration::default(),
        }
    }
}

impl ReceiverSettings for IncidentioSettings {
    const KIND: &'static str = "incidentio";

    fn validate(&mut self) -> Result<(), String> {
        match (self.url.is_some(), has_path(&self.url_file)) {
            (false, false) => return Err("one of url or url_file must be configured".into()),
            (true, true) => return Err("at most one of url & url_file must be configured".into()),
            _ => {}
        }
        exclusive(&self.alert_source_token, &self.alert_source_token_file, "alert_source_token")?;
        let has_token = is_set(&self.alert_source_token) || has_path(&self.alert_source_token_file);
        match &self.http_config {
            Some(http) if http.authorization.is_some() && has_token => Err(
                "cannot specify alert_source_token or alert_source_token_file when using http_config.authorization"
                    .into(),
            ),
            // Without a section of its own the global one may bring the authorization.
            Some(http) if http.authorization.is_none() && !has_token => Err(
                "at least one of alert_source_token, alert_source_token_file or http_config.authorization must \
                 be configured"
                    .into(),
            ),
            _ => Ok(()),
        }
    }
}

pub struct IncidentioIntegration {
    settings: IncidentioSettings,
    url: SecretSource,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl IncidentioIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(settings: IncidentioSettings, templates: Arc<Templates>) -> Result<Self, String> {
        let url = settings.url.as_ref().map(|url| Secret::new(url.as_str()));
        let url = SecretSource::from_pair(url, settings.url_file.clone())
            .ok_or("one of url or url_file must be configured")?;
        let mut http = settings.http_config.clone().unwrap_or_default();
        let (token, file) = (&settings.alert_source_token, &settings.alert_source_token_file);
        if let Some(token) = SecretSource::from_pair(token.clone(), file.clone()) {
            http.set_bearer(token);
        }
        let client = HttpClient::new(&http)?;
        Ok(IncidentioIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let (shown, cut) = first_alerts(notification, self.settings.max_alerts);
        let rendering = Rendering::new(&self.templates, &shown);
        let mut data = data_object(rendering.data());
        let mut body = message(data.clone(), VERSION, notification, cut);
        if body.len() > MESSAGE_BYTES_MAX {
            tracing::warn!(
                bytes = body.len(),
                limit = MESSAGE_BYTES_MAX,
                "incident.io is sent one alert only"
            );
            // What is common to all of them stays.
            if let Some(alerts) = data.get_mut("alerts").and_then(Json::as_array_mut) {
                alerts.truncate(1);
            }
            body = message(data, VERSION, notification, cut);
        }
        let url = read(&self.url, "read url_file")?;
        let call = Call { timeout: self.settings.timeout.to_std(), ..Call::post_json(url.reveal(), body) };
        let answer = self.client.send(call, "incident.io", attempt).await?;
        check_status_saying(&answer, &[429], &error_details(&answer))
    }
}

/// What a refusal says in its JSON.
fn error_details(answer: &Answer) -> String {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Refusal {
        message: String,
        errors: Vec<String>,
        error: String,
    }
    let refusal: Refusal = serde_json::from_str(&answer.body).unwrap_or_default();
    let parts = [refusal.message, refusal.error, refusal.errors.join(", ")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

integration!(IncidentioIntegration, IncidentioSettings);
