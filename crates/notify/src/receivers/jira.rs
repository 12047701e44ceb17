//! `jira_configs`: an issue per group, found again by a label with the group's id.
//!
//! Each notification searches first: an open issue is updated, a recently resolved one can be reopened, and
//! without one a new issue is made while something fires.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{Attempt, Notification, NotifyError};
use client::HttpClientConfig;
use config::Duration;
use reqwest::Method;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value as Json, json};
use template::quote;

use super::{ReceiverSettings, integration, named};
use crate::address::Address;
use crate::http::{Call, HttpClient, check_status, said_at};
use crate::json::go_line;
use crate::payload;
use crate::rendering::Rendering;
use crate::templates::Templates;
use crate::text::{cut_chars, group_id};

const SUMMARY_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 32_767;

/// One entry of `jira_configs`. Texts are templates.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct JiraSettings {
    pub send_resolved: bool,
    pub http_config: Option<HttpClientConfig>,
    /// With the API's version as the end of its path.
    pub api_url: Option<Address>,
    /// `auto`, `cloud` or `datacenter`: how issues are searched.
    pub api_type: String,
    pub project: String,
    pub summary: JiraField,
    /// A text, or a document in JSON for version 3 of the API.
    pub description: JiraField,
    pub labels: Vec<String>,
    pub priority: String,
    pub issue_type: String,
    pub reopen_transition: String,
    pub resolve_transition: String,
    pub wont_fix_resolution: String,
    pub reopen_duration: Duration,
    /// Any other fields; all texts are templates.
    pub fields: BTreeMap<String, Json>,
}

impl Default for JiraSettings {
    fn default() -> JiraSettings {
        JiraSettings {
            send_resolved: true,
            http_config: None,
            api_url: None,
            api_type: "auto".into(),
            project: String::new(),
            summary: JiraField { template: named("jira.default.summary"), enable_update: None },
            description: JiraField { template: named("jira.default.description"), enable_update: None },
            labels: Vec::new(),
            priority: named("jira.default.priority"),
            issue_type: String::new(),
            reopen_transition: String::new(),
            resolve_transition: String::new(),
            wont_fix_resolution: String::new(),
            reopen_duration: Duration::default(),
            fields: BTreeMap::new(),
        }
    }
}

/// A text, and whether it is written again when the issue is updated.
#[derive(Debug, Clone, PartialEq)]
pub struct JiraField {
    pub template: String,
    pub enable_update: Option<bool>,
}

impl JiraField {
    fn is_for(&self, update: bool) -> bool {
        !update || self.enable_update.unwrap_or(true)
    }
}

/// Written as a text or as a mapping.
impl<'de> Deserialize<'de> for JiraField {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<JiraField, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            #[serde(default)]
            template: String,
            enable_update: Option<bool>,
        }
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = JiraField;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a template or a mapping with template and enable_update")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<JiraField, E> {
                Ok(JiraField { template: text.to_owned(), enable_update: None })
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<JiraField, A::Error> {
                let full = Full::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(JiraField { template: full.template, enable_update: full.enable_update })
            }
        }
        d.deserialize_any(Either)
    }
}

impl ReceiverSettings for JiraSettings {
    const KIND: &'static str = "jira";

    fn validate(&mut self) -> Result<(), String> {
        if self.project.is_empty() {
            return Err("missing project in jira_config".into());
        }
        if self.issue_type.is_empty() {
            return Err("missing issue_type in jira_config".into());
        }
        if !["auto", "cloud", "datacenter"].contains(&self.api_type.as_str()) {
            return Err("unknown api_type on jira_config, must be auto, cloud or datacenter".into());
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Search<'a> {
    fields: [&'a str; 1],
    jql: String,
    #[serde(rename = "maxResults")]
    max_results: u32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Found {
    issues: Vec<Issue>,
}

/// As far as anything is read of one.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Issue {
    key: String,
    fields: Option<IssueFields>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IssueFields {
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    status_category: Category,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Category {
    key: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Transitions {
    transitions: Vec<Transition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Transition {
    id: String,
    name: String,
}

pub struct JiraIntegration {
    settings: JiraSettings,
    url: Address,
    client: HttpClient,
    templates: Arc<Templates>,
}

impl JiraIntegration {
    /// The settings must have been completed from the global section.
    pub fn new(mut settings: JiraSettings, templates: Arc<Templates>) -> Result<Self, String> {
        settings.validate()?;
        let url = settings.api_url.clone().ok_or("no global Jira Cloud URL set")?;
        let client = HttpClient::new(&settings.http_config.clone().unwrap_or_default())?;
        Ok(JiraIntegration { settings, url, client, templates })
    }

    async fn attempt(&self, notification: &Notification, attempt: &mut Attempt) -> Result<(), NotifyError> {
        let rendering = Rendering::new(&self.templates, notification);
        let firing = notification.is_firing();
        let id = group_id(&notification.group_key);
        let existing = self
            .search(&id, firing, &rendering, attempt)
            .await
            .map_err(said_at("failed to look up existing issues"))?;
        let (method, name, path) = match &existing {
            Some(issue) => (Method::PUT, "PUT", format!("issue/{}", issue.key)),
            // No issue is made for what is over.
            None if !firing => return Ok(()),
            None => (Method::POST, "POST", "issue".to_owned()),
        };
        let fields = self.fields(&id, existing.is_some(), &rendering)?;
        let body = go_line(&json!({ "fields": fields }));
        self.call(method, self.url.join(&path), body, attempt)
            .await
            .map_err(said_at(format!("failed to {name} request to {path:?}")))?;
        match existing {
            Some(issue) => self.transition(&issue, firing, attempt).await,
            None => Ok(()),
        }
    }

    async fn search(
        &self,
        id: &str,
        firing: bool,
        rendering: &Rendering<'_>,
        attempt: &mut Attempt,
    ) -> Result<Option<Issue>, NotifyError> {
        let project =
            rendering.text(&self.settings.project).map_err(said_at("invalid project template or value"))?;
        let search = Search { fields: ["status"], jql: self.query(id, firing, &project), max_results: 2 };
        let body = self
            .call(Method::POST, self.search_url(), go_line(&search), attempt)
            .await
            .map_err(said_at("HTTP request to JIRA API"))?;
        let found: Found = serde_json::from_str(&body).map_err(|e| NotifyError::permanent(e.to_string()))?;
        Ok(found.issues.into_iter().next())
    }

    fn query(&self, id: &str, firing: bool, project: &str) -> String {
        let s = &self.settings;
        let mut query = String::new();
        if !s.wont_fix_resolution.is_empty() {
            // An open issue has no resolution, which is not the same as another one.
            let resolution = quote(&s.wont_fix_resolution);
            query.push_str(&format!("(resolution is EMPTY or resolution != {resolution}) and "));
        }
        let minutes = s.reopen_duration.as_ms() / 60_000;
        if firing && !s.reopen_transition.is_empty() && minutes > 0 {
            query.push_str(&format!("(resolutiondate is EMPTY OR resolutiondate >= -{minutes}m) and "));
        } else {
            query.push_str("statusCategory != Done and ");
        }
        let label = quote(&label(id));
        query
            + &format!(
                "project={} and labels={label} order by status ASC,resolutiondate DESC",
                quote(project)
            )
    }

    /// Jira Cloud has a search of its own.
    fn search_url(&self) -> String {
        let host = self.url.host_and_path().0;
        let is_cloud = match self.settings.api_type.as_str() {
            "cloud" => true,
            "auto" => host.ends_with("atlassian.net"),
            _ => false,
        };
        match is_cloud {
            true => self.url.join("search/jql").replacen("/rest/api/2/", "/rest/api/3/", 1),
            false => self.url.join("search"),
        }
    }

    fn fields(
        &self,
        id: &str,
        is_update: bool,
        rendering: &Rendering<'_>,
    ) -> Result<BTreeMap<String, Json>, NotifyError> {
        let s = &self.settings;
        let text = |name: &str, template: &str| {
            rendering.text(template).map_err(said_at(format!("{name} template")))
        };
        let mut fields = BTreeMap::new();
        let summary = cut_chars(text("summary", &s.summary.template)?, SUMMARY_CHARS_MAX);
        if s.summary.is_for(is_update) {
            fields.insert("summary".to_owned(), Json::from(summary));
        }
        let description = cut_chars(text("description", &s.description.template)?, DESCRIPTION_CHARS_MAX);
        let description = self.description(description)?;
        if let Some(description) = description.filter(|_| s.description.is_for(is_update)) {
            fields.insert("description".into(), description);
        }
        fields.insert("project".into(), json!({ "key": text("project", &s.project)? }));
        fields.insert("issuetype".into(), named_value(text("issue_type", &s.issue_type)?));
        let mut labels = vec![label(id)];
        for (i, template) in s.labels.iter().enumerate() {
            labels.push(text(&format!("labels[{i}]"), template)?);
        }
        labels.sort();
        fields.insert("labels".into(), labels.into());
        let priority = text("priority", &s.priority)?;
        if !priority.is_empty() {
            fields.insert("priority".into(), named_value(priority));
        }
        for (name, value) in &s.fields {
            let value = payload::expand(value, rendering).map_err(said_at("fields template"))?;
            fields.insert(name.clone(), value);
        }
        Ok(fields)
    }

    /// Version 3 of the API takes a document, the others a text.
    fn description(&self, text: String) -> Result<Option<Json>, NotifyError> {
        let (_, path) = self.url.host_and_path();
        if !path.trim_end_matches('/').ends_with("/3") {
            return Ok((!text.is_empty()).then(|| text.into()));
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(text.trim())
            .map(Some)
            .map_err(|_| NotifyError::permanent("description template: invalid JSON for API v3"))
    }

    /// Reopens what fires again, resolves what does not fire any more.
    async fn transition(
        &self,
        issue: &Issue,
        firing: bool,
        attempt: &mut Attempt,
    ) -> Result<(), NotifyError> {
        let status = issue.fields.as_ref().and_then(|fields| fields.status.as_ref());
        let Some(status) = status.filter(|_| !issue.key.is_empty()) else {
            return Ok(());
        };
        let is_done = status.status_category.key == "done";
        let wanted = match firing {
            true if is_done => &self.settings.reopen_transition,
            false if !is_done => &self.settings.resolve_transition,
            _ => return Ok(()),
        };
        if wanted.is_empty() {
            return Ok(());
        }
        let url = self.url.join(&format!("issue/{}/transitions", issue.key));
        let body = self.call(Method::GET, url.clone(), String::new(), attempt).await?;
        let known: Transitions =
            serde_json::from_str(&body).map_err(|e| NotifyError::permanent(e.to_string()))?;
        let Some(transition) = known.transitions.iter().find(|t| t.name == *wanted) else {
            let message = format!("can't find transition {wanted} for issue {}", issue.key);
            return Err(NotifyError::permanent(message));
        };
        let body = go_line(&json!({ "transition": { "id": transition.id } }));
        self.call(Method::POST, url, body, attempt).await.map(|_| ())
    }

    async fn call(
        &self,
        method: Method,
        url: String,
        body: String,
        attempt: &mut Attempt,
    ) -> Result<String, NotifyError> {
        let headers = vec![("Accept-Language", "en".to_owned())];
        let call = Call { method, headers, ..Call::post_json(url, body) };
        let answer = self.client.send(call, JiraSettings::KIND, attempt).await?;
        check_status(&answer, &[429])?;
        Ok(answer.body)
    }
}

/// The label by which a group's issue is found.
fn label(id: &str) -> String {
    format!("ALERT{{{id}}}")
}

fn named_value(name: String) -> Json {
    match name.is_empty() {
        true => json!({}),
        false => json!({ "name": name }),
    }
}

integration!(JiraIntegration, JiraSettings);
