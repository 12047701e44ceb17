//! How notifications look and travel: webhook, Slack and email.
//!
//! Each receiver kind has its settings (one entry of `webhook_configs`, say, as the configuration file
//! writes it) and an [`alerting::Integration`] that makes one attempt at sending. Texts come from
//! [`Templates`], secrets are read at the moment of sending, and an error says whether trying again may
//! help.
//!
//! Invariant: nothing is retried here, and nothing is remembered; that is the pipeline's business.

mod data;
mod email;
mod functions;
mod headers;
mod http;
mod json;
mod message;
mod settings;
mod slack;
mod smtp;
mod templates;
mod webhook;

#[cfg(test)]
mod tests;

pub use data::notification_data;
pub use email::EmailIntegration;
pub use settings::{EmailSettings, HttpSettings, SlackAction, SlackField, SlackSettings, WebhookSettings};
pub use slack::SlackIntegration;
pub use templates::Templates;
pub use webhook::WebhookIntegration;
