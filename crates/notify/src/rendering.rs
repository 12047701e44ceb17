//! One notification's data with the templates that expand a receiver's texts.

use alerting::{Notification, NotifyError};
use template::Value;

use crate::templates::Templates;

pub(crate) struct Rendering<'a> {
    templates: &'a Templates,
    data: Value,
}

impl<'a> Rendering<'a> {
    pub fn new(templates: &'a Templates, notification: &Notification) -> Rendering<'a> {
        Rendering { templates, data: templates.data(notification) }
    }

    pub fn data(&self) -> &Value {
        &self.data
    }

    pub fn text(&self, template: &str) -> Result<String, NotifyError> {
        self.templates.text(template, &self.data)
    }

    /// Values are escaped for where in the HTML they stand.
    pub fn html(&self, template: &str) -> Result<String, NotifyError> {
        self.templates.html(template, &self.data)
    }
}
