//! The discovery lists of a configuration section.

use std::path::Path;

use serde::de::MapAccess;

use crate::consul::ConsulSdConfig;
use crate::dns::DnsSdConfig;
use crate::docker::DockerSdConfig;
use crate::file::FileSdConfig;
use crate::group::StaticConfig;
use crate::http::HttpSdConfig;
use crate::kubernetes::KubernetesSdConfig;
use config::section::Section;
use serde::de::IgnoredAny;

/// Everything a section says about where its targets come from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources {
    pub static_configs: Vec<StaticConfig>,
    pub file_sd_configs: Vec<FileSdConfig>,
    pub http_sd_configs: Vec<HttpSdConfig>,
    pub dns_sd_configs: Vec<DnsSdConfig>,
    pub docker_sd_configs: Vec<DockerSdConfig>,
    pub consul_sd_configs: Vec<ConsulSdConfig>,
    pub kubernetes_sd_configs: Vec<KubernetesSdConfig>,
    /// Mechanisms of the original that the section asks for and that are not built in.
    refused: Vec<&'static str>,
}

/// Mechanisms of Prometheus that are not built in.
const REFUSED: &[&str] = &[
    "aws",
    "azure",
    "digitalocean",
    "dockerswarm",
    "ec2",
    "eureka",
    "gce",
    "hetzner",
    "ionos",
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
            "dns_sd_configs" => self.dns_sd_configs = map.next_value()?,
            "docker_sd_configs" => self.docker_sd_configs = map.next_value()?,
            "consul_sd_configs" => self.consul_sd_configs = map.next_value()?,
            "kubernetes_sd_configs" => self.kubernetes_sd_configs = map.next_value()?,
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
        *self == Sources::default()
    }

    /// Checks what types cannot, with the original's error texts.
    pub fn validate(&self) -> Result<(), String> {
        self.static_configs.iter().try_for_each(StaticConfig::validate)?;
        self.file_sd_configs.iter().try_for_each(FileSdConfig::validate)?;
        self.http_sd_configs.iter().try_for_each(HttpSdConfig::validate)?;
        self.dns_sd_configs.iter().try_for_each(DnsSdConfig::validate)?;
        self.docker_sd_configs.iter().try_for_each(DockerSdConfig::validate)?;
        self.consul_sd_configs.iter().try_for_each(ConsulSdConfig::validate)?;
        self.kubernetes_sd_configs.iter().try_for_each(KubernetesSdConfig::validate)
    }

    /// Why these sources cannot be watched here; nothing of them may be applied then.
    pub fn unavailable(&self) -> Option<String> {
        let name = self.refused.first()?;
        let instead = "use static, file, http, dns, docker, kubernetes or consul discovery";
        Some(format!("{name}_sd_configs is not supported: {instead}"))
    }

    /// Takes relative paths from `directory`, the configuration file's own.
    pub fn set_directory(&mut self, directory: &Path) {
        for config in &mut self.file_sd_configs {
            config.set_directory(directory);
        }
        let clients = (self.http_sd_configs.iter_mut().map(|c| &mut c.client))
            .chain(self.docker_sd_configs.iter_mut().map(|c| &mut c.client))
            .chain(self.consul_sd_configs.iter_mut().map(|c| &mut c.client))
            .chain(self.kubernetes_sd_configs.iter_mut().map(|c| &mut c.client));
        clients.for_each(|client| client.set_directory(directory));
        for config in &mut self.kubernetes_sd_configs {
            config.kubeconfig_file = config.kubeconfig_file.take().map(|file| directory.join(file));
        }
    }
}
