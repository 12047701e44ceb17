//! The namespace of notification templates: the built-in ones and the user's files.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{Notification, NotifyError};
use platform::Clock;
use template::{Set, Value};

use crate::data::notification_data;
use crate::functions::functions;

const DEFAULTS: &str = include_str!("templates/default.tmpl");
const EMAIL: &str = include_str!("templates/email.tmpl");

/// Parsed templates and the address that links in messages lead to.
#[derive(Debug, Clone)]
pub struct Templates {
    set: Set,
    external_url: String,
}

impl Templates {
    /// The built-in templates, then `files` (name and text), which may redefine them.
    pub fn new(
        external_url: &str,
        files: &[(String, String)],
        clock: Arc<dyn Clock>,
    ) -> Result<Templates, String> {
        let mut set = Set::new(functions(clock));
        let defaults = [("default.tmpl".to_owned(), DEFAULTS), ("email.tmpl".to_owned(), EMAIL)];
        for (name, text) in &defaults {
            set.parse(name, text).map_err(|e| e.to_string())?;
        }
        for (name, text) in files {
            set.parse(name, text).map_err(|e| e.to_string())?;
        }
        Ok(Templates { set, external_url: external_url.to_owned() })
    }

    pub fn external_url(&self) -> &str {
        &self.external_url
    }

    /// Names of the defined templates.
    pub fn names(&self) -> Vec<String> {
        self.set.names().map(str::to_owned).collect()
    }

    /// What templates see of a notification.
    pub fn data(&self, notification: &Notification) -> Value {
        let labels = self.route_labels(notification);
        notification_data(notification, &self.external_url, labels)
    }

    /// The labels of the notification's route: their values are templates that see everything else. One
    /// that fails is left empty, and the log says why.
    pub fn route_labels(&self, notification: &Notification) -> BTreeMap<String, String> {
        let labels = &notification.route_labels;
        if !labels.values().any(|text| text.contains("{{")) {
            return labels.clone();
        }
        let data = notification_data(notification, &self.external_url, BTreeMap::new());
        let expand = |(name, text): (&String, &String)| {
            let value = self.text(text, &data).unwrap_or_else(|error| {
                tracing::warn!(label = name, %error, "route label cannot be expanded");
                String::new()
            });
            (name.clone(), value)
        };
        labels.iter().map(expand).collect()
    }

    /// Expands one text of a receiver.
    pub fn text(&self, text: &str, data: &Value) -> Result<String, NotifyError> {
        self.expand(text, data, Set::execute)
    }

    /// Expands one HTML text of a receiver, escaping values.
    pub fn html(&self, text: &str, data: &Value) -> Result<String, NotifyError> {
        self.expand(text, data, Set::execute_html)
    }

    fn expand(
        &self,
        text: &str,
        data: &Value,
        run: impl Fn(&Set, &str, &Value) -> Result<String, template::Error>,
    ) -> Result<String, NotifyError> {
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let mut set = self.set.clone();
        set.parse("", text)
            .and_then(|()| run(&set, "", data))
            .map_err(|e| NotifyError::permanent(e.to_string()))
    }
}
