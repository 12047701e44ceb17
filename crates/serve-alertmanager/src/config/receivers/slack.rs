//! `slack_configs`: the address or token may be global.

use std::path::Path;

use notify::SlackSettings;

use super::http::{complete_http, resolve};
use crate::config::Global;

pub(super) fn complete(mut s: SlackSettings, global: &Global, dir: &Path) -> SlackSettings {
    s.http_config = complete_http(s.http_config, global, dir);
    let own_url = s.api_url.is_some() || s.api_url_file.is_some();
    let own_token = s.app_token.is_some() || s.app_token_file.is_some();
    if !own_url && !own_token {
        if global.slack_app_token.is_some() || global.slack_app_token_file.is_some() {
            s.app_token = global.slack_app_token.clone();
            s.app_token_file = global.slack_app_token_file.clone();
        } else {
            s.api_url = global.slack_api_url.clone();
            s.api_url_file = global.slack_api_url_file.clone();
        }
    }
    s.app_url = s.app_url.or_else(|| global.slack_app_url.clone());
    s.api_url_file = resolve(s.api_url_file, dir);
    s.app_token_file = resolve(s.app_token_file, dir);
    s
}
