//! The discovery lists of a configuration section.

use std::path::Path;

use serde::de::MapAccess;

use crate::file::FileSdConfig;
use crate::group::StaticConfig;
use crate::http::HttpSdConfig;
use config::section::Section;
use serde::de::IgnoredAny;

/// Everything a section says about where its targets come from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources {
    pub static_configs: Vec<StaticConfig>,
    pub file_sd_configs: Vec<FileSdConfig>,
    pub http_sd_configs: Vec<HttpSdConfig>,
    /// Mechanisms of the original that the section asks for and that are not built in.
    refused: Vec<&'static str>,
}

/// Mechanisms of Prometheus that are not built in.
const REFUSED: &[&str] = &[
    "aws",
    "azure",
    "consul",
    "digitalocean",
    "dns",
    "docker",
    "dockerswarm",
    "ec2",
    "eureka",
    "gce",
    "hetzner",
    "ionos",
    "kubernetes",
    "kuma",
    "lightsail",
    "linode",
    "marathon",
    "nerve",
    "nomad",
    "oci",
    "openstack",
    "outscale",
    "ovhcloud",
    "puppetdb",
    "scaleway",
    "serverset",
    "stackit",
    "triton",
    "uyuni",
    "vultr",
];

impl Section for Sources {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "static_configs" => self.static_configs = map.next_value()?,
            "file_sd_configs" => self.file_sd_configs = map.next_value()?,
            "http_sd_configs" => self.http_sd_configs = map.next_value()?,
            _ => {
                let name = key.strip_suffix("_sd_configs");
                let Some(known) = REFUSED.iter().find(|known| Some(**known) == name) else {
                    return Ok(false);
                };
                // Reads well, so that a file can be checked whole; [`Sources::unavailable`] has the last word.
                map.next_value::<IgnoredAny>()?;
                self.refused.push(known);
            }
        }
        Ok(true)
    }
}

impl Sources {
    pub fn is_empty(&self) -> bool {
        self.static_configs.is_empty() && self.file_sd_configs.is_empty() && self.http_sd_configs.is_empty()
    }

    /// Checks what types cannot, with the original's error texts.
    pub fn validate(&self) -> Result<(), String> {
        for config in &self.static_configs {
            config.validate()?;
        }
        for config in &self.file_sd_configs {
            config.validate()?;
        }
        for config in &self.http_sd_configs {
            config.validate()?;
        }
        Ok(())
    }

    /// Why these sources cannot be watched here; nothing of them may be applied then.
    pub fn unavailable(&self) -> Option<String> {
        let name = self.refused.first()?;
        let instead = "use static_configs, file_sd_configs or http_sd_configs";
        Some(format!("{name}_sd_configs is not supported: {instead}"))
    }

    /// Takes relative paths from `directory`, the configuration file's own.
    pub fn set_directory(&mut self, directory: &Path) {
        for config in &mut self.file_sd_configs {
            config.set_directory(directory);
        }
        for config in &mut self.http_sd_configs {
            config.client.set_directory(directory);
        }
    }
}
