//! `webhook_configs`.

use std::path::Path;

use notify::WebhookSettings;

use super::http::{complete_http, resolve};
use crate::config::Global;

pub(super) fn complete(mut s: WebhookSettings, global: &Global, dir: &Path) -> WebhookSettings {
    s.http_config = complete_http(s.http_config, global, dir);
    s.url_file = resolve(s.url_file, dir);
    s
}
