//! PagerDuty, OpsGenie, VictorOps, Pushover, Jira and incident.io: what wakes people up and keeps the books.

use std::path::Path;

use notify::{
    IncidentioSettings, JiraSettings, OpsGenieSettings, PagerDutySettings, PushoverSettings,
    VictorOpsSettings,
};

use super::global::{Complete, address, http, place, secret};
use crate::config::Global;

impl Complete for PagerDutySettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        address(&mut self.url, &global.pagerduty_url, "https://events.pagerduty.com/v2/enqueue")?;
        place(&mut self.routing_key_file, dir);
        place(&mut self.service_key_file, dir);
        Ok(())
    }
}

impl Complete for OpsGenieSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        address(&mut self.api_url, &global.opsgenie_api_url, "https://api.opsgenie.com/")?;
        if let Some(url) = &mut self.api_url {
            url.end_with_slash();
        }
        let own = (&mut self.api_key, &mut self.api_key_file);
        secret(own, (&global.opsgenie_api_key, &global.opsgenie_api_key_file), dir);
        Ok(())
    }
}

impl Complete for VictorOpsSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        const SERVICE: &str = "https://alert.victorops.com/integrations/generic/20131114/alert/";
        http(&mut self.http_config, global, dir);
        address(&mut self.api_url, &global.victorops_api_url, SERVICE)?;
        if let Some(url) = &mut self.api_url {
            url.end_with_slash();
        }
        let own = (&mut self.api_key, &mut self.api_key_file);
        secret(own, (&global.victorops_api_key, &global.victorops_api_key_file), dir);
        Ok(())
    }
}

impl Complete for PushoverSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        place(&mut self.user_key_file, dir);
        place(&mut self.token_file, dir);
        Ok(())
    }
}

impl Complete for JiraSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        match (&self.api_url, global.jira_api_url.as_deref()) {
            (Some(_), _) => Ok(()),
            // There is no Jira that everybody has.
            (None, None | Some("")) => Err("no global Jira Cloud URL set".into()),
            (None, Some(_)) => address(&mut self.api_url, &global.jira_api_url, ""),
        }
    }
}

impl Complete for IncidentioSettings {
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String> {
        http(&mut self.http_config, global, dir);
        place(&mut self.url_file, dir);
        place(&mut self.alert_source_token_file, dir);
        Ok(())
    }
}
