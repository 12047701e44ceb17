//! `webhook_configs`: the notification as JSON, for programs.

use std::sync::Arc;

use alerting::{Attempt, Integration, Notification, NotifyError, Sending, fingerprint_text};
use config::SecretSource;
use serde_json::{Value as Json, json};
use template::time::Time;

use crate::data::{common, pairs};
use crate::http::{HttpClient, check_status};
use crate::json::go_text;
use crate::settings::WebhookSettings;
use crate::templates::Templates;

pub struct WebhookIntegration {
    settings: WebhookSettings,
    url: SecretSource,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl WebhookIntegration {
    pub fn new(settings: WebhookSettings, templates: Arc<Templates>) -> Result<WebhookIntegration, String> {
        if settings.payload.is_some() {
            return Err("webhook payload templates are not supported yet".into());
        }
        let url = match (&settings.url, &settings.url_file) {
            (Some(_), Some(_)) => return Err("at most one of url & url_file must be configured".into()),
            (url, file) => SecretSource::from_pair(url.clone(), file.clone())
                .ok_or("one of url or url_file must be configured")?,
        };
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(WebhookIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let url = self.url.read().map_err(NotifyError::permanent)?;
        let url = if url.reveal().contains("{{") {
            self.templates.text(url.reveal(), &self.templates.data(notification))?
        } else {
            url.reveal().to_owned()
        };
        let body = self.payload(notification);
        let answer = self.client.post_json(url.trim(), body, self.settings.timeout.to_std(), attempt).await?;
        check_status(&answer, &[])
    }

    /// The message, version 4. The order of the keys is the original's.
    fn payload(&self, notification: &Notification) -> String {
        let limit = usize::try_from(self.settings.max_alerts).unwrap_or(usize::MAX);
        let shown = match limit {
            0 => notification.alerts.len(),
            limit => limit.min(notification.alerts.len()),
        };
        let alerts: Vec<Json> = notification
            .alerts
            .iter()
            .take(shown)
            .map(|a| {
                let ends = if a.resolved { Time::from_ns(a.alert.ends_at) } else { Time::zero() };
                json!({
                    "status": if a.resolved { "resolved" } else { "firing" },
                    "labels": pairs(&a.alert.labels),
                    "annotations": a.alert.annotations,
                    "startsAt": rfc3339(&Time::from_ns(a.alert.starts_at)),
                    "endsAt": rfc3339(&ends),
                    "generatorURL": a.alert.generator_url,
                    "fingerprint": fingerprint_text(a.alert.fingerprint()),
                })
            })
            .collect();
        let all = &notification.alerts;
        let message = json!({
            "receiver": notification.receiver,
            "status": if notification.is_firing() { "firing" } else { "resolved" },
            "alerts": alerts,
            "notification_reason": notification.reason.as_str(),
            "groupLabels": pairs(&notification.group_labels),
            "commonLabels": common(all, |a| pairs(&a.alert.labels)),
            "commonAnnotations": common(all, |a| a.alert.annotations.to_map()),
            "routeLabels": notification.route_labels,
            "externalURL": self.templates.external_url(),
            "version": "4",
            "groupKey": notification.group_key,
            "truncatedAlerts": all.len() - shown,
        });
        go_text(&message) + "\n"
    }
}

fn rfc3339(time: &Time) -> String {
    time.format("2006-01-02T15:04:05.999999999Z07:00")
}

impl Integration for WebhookIntegration {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn sends_resolved(&self) -> bool {
        self.settings.send_resolved
    }

    fn notify<'a>(&'a self, notification: &'a Notification, attempt: &'a mut Attempt) -> Sending<'a> {
        Box::pin(self.attempt(notification, attempt))
    }
}
