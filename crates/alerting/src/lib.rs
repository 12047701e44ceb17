//! The heart of an Alertmanager: from received alerts to notifications that are sent once.
//!
//! ```text
//! put ─▶ AlertStore ─▶ Inhibitor (sources)
//!            └──────▶ Dispatcher ─▶ Group (one per route and group labels, with its timer)
//!                                      └─ flush ─▶ Pipeline:
//!                                          inhibition ▸ time intervals ▸ silences
//!                                          ▸ per integration: dedup ▸ retry ▸ notification log
//! ```
//!
//! Words: an *alert* is a label set with a life span; a *route* chooses the receiver and how alerts are
//! grouped; a *group* is what one notification speaks about; a *silence* mutes by matchers for a while;
//! an *inhibition rule* mutes an alert because another one fires; the *notification log* remembers what
//! each receiver was last told, so that nothing is repeated early and nothing is forgotten after a crash.
//!
//! Invariant: how a message looks and travels is the business of whoever implements [`Integration`].
//! Configuration files and HTTP are unknown here; [`Settings`] is plain data.

mod alert;
mod alert_record;
mod alerts;
mod annotations;
mod cluster;
mod deliver;
mod dispatch;
mod group;
mod history;
mod inhibit;
mod intervals;
mod journal;
mod manager;
mod matchers;
mod mesh;
mod metrics;
mod nflog;
mod notification;
mod pipeline;
mod quota;
mod route;
mod schedule;
mod silences;
mod view;

#[cfg(test)]
mod tests;

pub use alert::{Alert, fingerprint, fingerprint_text};
pub use annotations::{Annotations, AnnotationsIter};
pub use cluster::{Alone, Cluster, StateKey};
pub use history::{
    Delivery, DeliveryStatus, HISTORY_BYTES_MAX, HISTORY_ENTRIES_MAX, HISTORY_TEXT_BYTES_MAX, HistoryQuery,
    LastAttempt,
};
pub use inhibit::{InhibitRule, Inhibition};
pub use intervals::{IntervalSpec, MONTHS, TimeInterval};
pub use manager::{Alertmanager, Limits, Options, Settings};
pub use matchers::{
    MatcherMode, format_matcher, format_matchers, is_label_name, new_matcher, parse_matcher, parse_matchers,
};
pub use mesh::{GOSSIP_PART_BYTES_MAX, MergeError};
pub use metrics::{KINDS, MetricLabels};
pub use notification::{
    Attempt, Datum, FailureReason, Integration, Memory, Notification, NotifiedAlert, NotifyError, Reason,
    Sending,
};
pub use route::{Route, RouteId, RouteSpec, RouteTree};
pub use silences::{Silence, SilenceError, SilenceState};
pub use view::{AlertQuery, AlertState, AlertView, GroupView, IntegrationView, ReceiverView, Why};
