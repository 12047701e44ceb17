//! Slack, Discord, Microsoft Teams, Webex, Telegram, WeChat, Rocket.Chat and Mattermost.

use std::path::Path;

use notify::{
    DiscordSettings, MattermostSettings, MsTeamsSettings, MsTeamsV2Settings, RocketChatSettings,
    SlackSettings, TelegramSettings, WeChatSettings, WebexSettings,
};

use super::global::{Complete, address, http, is_path, is_set, place, secret};
use crate::config::Global;

impl Complete for SlackSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        let authorized = self.http_config.as_ref().is_some_and(|http| http.authorization.is_some());
        address(&mut self.app_url, &global.slack_app_url, "https://slack.com/api/chat.postMessage")?;
        let mut has_token = is_set(&self.app_token) || is_path(&self.app_token_file);
        // An app's token is for whoever has no address and no credentials of their own.
        if !has_token && !authorized && !is_set(&self.api_url) && !is_path(&self.api_url_file) {
            self.app_token.clone_from(&global.slack_app_token);
            self.app_token_file.clone_from(&global.slack_app_token_file);
            has_token = is_set(&self.app_token) || is_path(&self.app_token_file);
        }
        if !has_token {
            let own = (&mut self.api_url, &mut self.api_url_file);
            secret(own, (&global.slack_api_url, &global.slack_api_url_file), dir);
            if !is_set(&self.api_url) && !is_path(&self.api_url_file) {
                return Err("no Slack API URL nor App token set either inline or in a file".into());
            }
        }
        place(&mut self.app_token_file, dir);
        http(&mut self.http_config, global, dir);
        Ok(())
    }
}

impl Complete for DiscordSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        place(&mut self.webhook_url_file, dir);
        Ok(())
    }
}

impl Complete for MsTeamsSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        place(&mut self.webhook_url_file, dir);
        Ok(())
    }
}

impl Complete for MsTeamsV2Settings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        place(&mut self.webhook_url_file, dir);
        Ok(())
    }
}

impl Complete for WebexSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        address(&mut self.api_url, &global.webex_api_url, "https://webexapis.com/v1/messages")
    }
}

impl Complete for TelegramSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        address(&mut self.api_url, &global.telegram_api_url, "https://api.telegram.org")?;
        let own = (&mut self.bot_token, &mut self.bot_token_file);
        secret(own, (&global.telegram_bot_token, &global.telegram_bot_token_file), dir);
        place(&mut self.chat_id_file, dir);
        Ok(())
    }
}

impl Complete for WeChatSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        address(&mut self.api_url, &global.wechat_api_url, "https://qyapi.weixin.qq.com/cgi-bin/")?;
        let own = (&mut self.api_secret, &mut self.api_secret_file);
        secret(own, (&global.wechat_api_secret, &global.wechat_api_secret_file), dir);
        if let (true, Some(corp_id)) = (self.corp_id.is_empty(), &global.wechat_api_corp_id) {
            self.corp_id.clone_from(corp_id);
        }
        Ok(())
    }
}

impl Complete for RocketChatSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        address(&mut self.api_url, &global.rocketchat_api_url, "https://open.rocket.chat/")?;
        let own = (&mut self.token_id, &mut self.token_id_file);
        secret(own, (&global.rocketchat_token_id, &global.rocketchat_token_id_file), dir);
        let own = (&mut self.token, &mut self.token_file);
        secret(own, (&global.rocketchat_token, &global.rocketchat_token_file), dir);
        Ok(())
    }
}

impl Complete for MattermostSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        let own = (&mut self.webhook_url, &mut self.webhook_url_file);
        secret(own, (&global.mattermost_webhook_url, &global.mattermost_webhook_url_file), dir);
        Ok(())
    }
}
