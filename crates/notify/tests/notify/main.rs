//! Notification templates against the original's: recorded answers always, its command-line tool when it
//! is installed (`CLOUDOS_PEERS` or the usual cache directory).

mod defaults;
mod functions;
mod groups;
mod peer;
