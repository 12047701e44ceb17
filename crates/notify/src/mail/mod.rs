//! Mail: what a message looks like, and how it is handed to a server.

pub(crate) mod headers;
mod md5;
pub(crate) mod message;
pub(crate) mod smtp;
