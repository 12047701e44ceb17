//! One file per kind of receiver: its settings as the configuration file writes them, and the integration that
//! makes one attempt at sending.
//!
//! Keys, defaults, limits and error texts are the original's. `None` in settings means "as the global section
//! says" until the front door has filled it in.

mod discord;
mod email;
mod incidentio;
mod jira;
mod mattermost;
mod msteams;
mod msteamsv2;
mod opsgenie;
mod pagerduty;
mod pushover;
mod rocketchat;
mod slack;
mod sns;
mod telegram;
mod victorops;
mod webex;
mod webhook;
mod wechat;

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

pub use discord::{DiscordIntegration, DiscordSettings};
pub use email::{EmailIntegration, EmailSettings, Threading};
pub use incidentio::{IncidentioIntegration, IncidentioSettings};
pub use jira::{JiraField, JiraIntegration, JiraSettings};
pub use mattermost::{
    MattermostAttachment, MattermostField, MattermostIntegration, MattermostPriority, MattermostProps,
    MattermostSettings,
};
pub use msteams::{MsTeamsIntegration, MsTeamsSettings};
pub use msteamsv2::{MsTeamsV2Integration, MsTeamsV2Settings};
pub use opsgenie::{OpsGenieIntegration, OpsGenieResponder, OpsGenieSettings};
pub use pagerduty::{PagerDutyImage, PagerDutyIntegration, PagerDutyLink, PagerDutySettings};
pub use pushover::{PushoverIntegration, PushoverSettings};
pub use rocketchat::{RocketChatAction, RocketChatField, RocketChatIntegration, RocketChatSettings};
pub use slack::{SlackAction, SlackConfirm, SlackField, SlackIntegration, SlackSettings};
pub use sns::{SigV4Settings, SnsIntegration, SnsSettings};
pub use telegram::{TelegramIntegration, TelegramSettings};
pub use victorops::{VictorOpsIntegration, VictorOpsSettings};
pub use webex::{WebexIntegration, WebexSettings};
pub use webhook::{WebhookIntegration, WebhookSettings};
pub use wechat::{WeChatIntegration, WeChatSettings};

/// One entry of a receiver's `KIND_configs`.
pub trait ReceiverSettings: DeserializeOwned {
    /// As metrics and the key in the file name it.
    const KIND: &'static str;

    /// Checks what types cannot and normalises, with the original's error texts.
    fn validate(&mut self) -> Result<(), String>;
}

/// For `deserialize_with`: the entries of one kind, each checked where it stands, so that an error has its line.
pub fn settings_list<'de, D: Deserializer<'de>, S: ReceiverSettings>(d: D) -> Result<Vec<S>, D::Error> {
    d.deserialize_option(ListVisitor(PhantomData))
}

struct ListVisitor<S>(PhantomData<S>);

impl<'de, S: ReceiverSettings> Visitor<'de> for ListVisitor<S> {
    type Value = Vec<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {} configurations", S::KIND)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<S>, A::Error> {
        let mut list = Vec::new();
        while let Some(Entry(settings)) = seq.next_element()? {
            list.push(settings);
        }
        Ok(list)
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Vec<S>, D::Error> {
        d.deserialize_seq(self)
    }

    /// A key without a value is an empty list.
    fn visit_none<E: Error>(self) -> Result<Vec<S>, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<S>, E> {
        Ok(Vec::new())
    }
}

/// One entry, present and valid.
struct Entry<S>(S);

impl<'de, S: ReceiverSettings> Deserialize<'de> for Entry<S> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Entry<S>, D::Error> {
        let settings: Option<S> = Option::deserialize(d)?;
        let mut settings = settings.ok_or_else(|| D::Error::custom(format!("missing {} config", S::KIND)))?;
        settings.validate().map_err(D::Error::custom)?;
        Ok(Entry(settings))
    }
}

/// The call of a built-in template.
fn named(template: &str) -> String {
    format!("{{{{ template \"{template}\" . }}}}")
}

/// Red, green: whether something fires or all is resolved.
fn by_state<T>(firing: bool, red: T, green: T) -> T {
    if firing { red } else { green }
}

/// A field of a message in the manner of Slack, as it is sent.
#[derive(Serialize)]
struct Field {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    short: Option<bool>,
}

/// Says to the pipeline what all integrations say alike.
macro_rules! integration {
    ($type:ident, $settings:ident) => {
        impl alerting::Integration for $type {
            fn kind(&self) -> &'static str {
                <$settings as $crate::receivers::ReceiverSettings>::KIND
            }

            fn sends_resolved(&self) -> bool {
                self.settings.send_resolved
            }

            fn notify<'a>(
                &'a self,
                notification: &'a alerting::Notification,
                attempt: &'a mut alerting::Attempt,
            ) -> alerting::Sending<'a> {
                // What an earlier attempt left is not this one's.
                attempt.rendered.clear();
                attempt.answer.clear();
                Box::pin(self.attempt(notification, attempt))
            }
        }
    };
}
use integration;
