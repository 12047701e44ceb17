//! What is handed to an integration, and what it may answer.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use model::{Labels, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::alert::Alert;

/// One alert of a notification, with the state it has in it.
#[derive(Debug, Clone)]
pub struct NotifiedAlert {
    pub alert: Arc<Alert>,
    /// Fixed when the group was flushed; time does not resolve an alert on the way.
    pub resolved: bool,
}

/// Why a notification is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    FirstNotification,
    NewAlerts,
    AllResolved,
    SomeResolved,
    RepeatInterval,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::FirstNotification => "first notification",
            Reason::NewAlerts => "new alerts added",
            Reason::AllResolved => "all alerts resolved",
            Reason::SomeResolved => "some alerts resolved",
            Reason::RepeatInterval => "repeat interval elapsed",
        }
    }
}

/// One message to one integration of one receiver.
#[derive(Debug, Clone)]
pub struct Notification {
    pub receiver: String,
    pub group_key: String,
    pub group_labels: Labels,
    pub route_labels: BTreeMap<String, String>,
    /// Firing and resolved ones, in the order they are listed.
    pub alerts: Vec<NotifiedAlert>,
    pub reason: Reason,
    pub now: TimestampNs,
}

impl Notification {
    pub fn is_firing(&self) -> bool {
        self.alerts.iter().any(|a| !a.resolved)
    }
}

/// Why sending failed, as the metric `reason` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    Other,
    ClientError,
    ServerError,
    ContextCanceled,
    DeadlineExceeded,
    AuthError,
    RateLimited,
}

impl FailureReason {
    pub const ALL: [FailureReason; 7] = [
        FailureReason::Other,
        FailureReason::ClientError,
        FailureReason::ServerError,
        FailureReason::ContextCanceled,
        FailureReason::DeadlineExceeded,
        FailureReason::AuthError,
        FailureReason::RateLimited,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            FailureReason::Other => "other",
            FailureReason::ClientError => "clientError",
            FailureReason::ServerError => "serverError",
            FailureReason::ContextCanceled => "contextCanceled",
            FailureReason::DeadlineExceeded => "contextDeadlineExceeded",
            FailureReason::AuthError => "authError",
            FailureReason::RateLimited => "rateLimited",
        }
    }

    /// The reason behind an HTTP status.
    pub fn of_status(status: u16) -> FailureReason {
        match status {
            401 | 403 => FailureReason::AuthError,
            429 => FailureReason::RateLimited,
            400..=499 => FailureReason::ClientError,
            500..=599 => FailureReason::ServerError,
            _ => FailureReason::Other,
        }
    }
}

/// A failed attempt.
#[derive(Debug, Clone)]
pub struct NotifyError {
    /// Whether trying again may help.
    pub retry: bool,
    pub reason: FailureReason,
    pub message: String,
}

impl NotifyError {
    /// The message cannot be built or the other side will not take it.
    pub fn permanent(message: impl Into<String>) -> NotifyError {
        NotifyError { retry: false, reason: FailureReason::Other, message: message.into() }
    }

    /// The other side may take it later.
    pub fn transient(message: impl Into<String>) -> NotifyError {
        NotifyError { retry: true, reason: FailureReason::Other, message: message.into() }
    }
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NotifyError {}

/// What one attempt leaves behind, whether it worked or not.
#[derive(Debug, Default)]
pub struct Attempt {
    /// The message as it was made, for people to look at.
    pub rendered: String,
    /// What the other side answered, as far as it was read.
    pub answer: String,
    /// What the integration remembers of this group from one notification to the next, such as the id of
    /// a message it will edit. It comes from the notification log and, after success, goes back there.
    pub memory: Memory,
}

/// See [`Attempt::memory`].
pub type Memory = BTreeMap<String, Datum>;

/// A remembered value, in the kinds the original's notification log has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Datum {
    Text(String),
    Int(i64),
    Float(f64),
}

pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), NotifyError>> + Send + 'a>>;

/// One configured way to tell someone: an entry of a receiver's `webhook_configs`, say.
pub trait Integration: Send + Sync {
    /// The kind, as metrics name it: `webhook`, `slack`, `email`.
    fn kind(&self) -> &'static str;

    /// Whether resolved alerts are told too.
    fn sends_resolved(&self) -> bool;

    /// Makes one attempt and fills in what it leaves behind.
    fn notify<'a>(&'a self, notification: &'a Notification, attempt: &'a mut Attempt) -> Sending<'a>;
}
