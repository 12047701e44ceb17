//! The section `kubernetes_sd_configs`.

use std::path::PathBuf;

use client::HttpClientConfig;
use serde::Deserialize;

use super::mirror::Kind;
use crate::reply::escaped;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct KubernetesSdConfig {
    pub api_server: String,
    pub role: Role,
    pub kubeconfig_file: Option<PathBuf>,
    pub namespaces: Namespaces,
    pub selectors: Vec<Selector>,
    pub attach_metadata: AttachMetadata,
    pub client: HttpClientConfig,
    /// Whether the file names a role: there is no usual one.
    pub(super) role_given: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Node,
    Service,
    Pod,
    Endpoints,
    Endpointslice,
    Ingress,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Namespaces {
    pub own_namespace: bool,
    pub names: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    pub role: String,
    pub label: String,
    pub field: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttachMetadata {
    pub node: bool,
    pub namespace: bool,
}

impl Role {
    fn parse(text: &str) -> Option<Role> {
        Some(match text {
            "node" => Role::Node,
            "service" => Role::Service,
            "pod" => Role::Pod,
            "endpoints" => Role::Endpoints,
            "endpointslice" => Role::Endpointslice,
            "ingress" => Role::Ingress,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Role::Node => "node",
            Role::Service => "service",
            Role::Pod => "pod",
            Role::Endpoints => "endpoints",
            Role::Endpointslice => "endpointslice",
            Role::Ingress => "ingress",
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Role::Node => Kind::Node,
            Role::Service => Kind::Service,
            Role::Pod => Kind::Pod,
            Role::Endpoints => Kind::Endpoints,
            Role::Endpointslice => Kind::EndpointSlice,
            Role::Ingress => Kind::Ingress,
        }
    }
}

impl config::section::Section for KubernetesSdConfig {
    fn take<'de, A: serde::de::MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "api_server" => self.api_server = map.next_value()?,
            "role" => {
                let text: String = map.next_value()?;
                self.role = Role::parse(&text).ok_or_else(|| {
                    serde::de::Error::custom(format!("unknown Kubernetes SD role {text:?}"))
                })?;
                self.role_given = true;
            }
            "kubeconfig_file" => self.kubeconfig_file = map.next_value()?,
            "namespaces" => self.namespaces = map.next_value()?,
            "selectors" => self.selectors = map.next_value()?,
            "attach_metadata" => self.attach_metadata = map.next_value()?,
            _ => return config::section::Section::take(&mut self.client, key, map),
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for KubernetesSdConfig {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        config::section::deserialize(deserializer)
    }
}

/// Which roles a role's selectors may speak of.
fn selectable(role: Role) -> &'static [&'static str] {
    match role {
        Role::Pod => &["pod", "node"],
        Role::Service => &["service"],
        Role::Endpoints => &["pod", "service", "endpoints", "node"],
        Role::Endpointslice => &["pod", "service", "endpointslice", "node"],
        Role::Node => &["node"],
        Role::Ingress => &["ingress"],
    }
}

impl KubernetesSdConfig {
    pub fn validate(&self) -> Result<(), String> {
        if !self.role_given {
            return Err("role missing (one of: pod, service, endpoints, endpointslice, node, ingress)".into());
        }
        let has_client = self.client != HttpClientConfig::default();
        if self.api_server.is_empty() && self.kubeconfig_file.is_none() && has_client {
            return Err("to use custom HTTP client configuration please provide the 'api_server' URL \
                        explicitly"
                .into());
        }
        if !self.api_server.is_empty() && self.kubeconfig_file.is_some() {
            return Err("cannot use 'kubeconfig_file' and 'api_server' simultaneously".into());
        }
        if self.kubeconfig_file.is_some() && has_client {
            return Err(
                "cannot use a custom HTTP client configuration together with 'kubeconfig_file'".into()
            );
        }
        if self.namespaces.own_namespace && !self.api_server.is_empty() {
            return Err("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously".into());
        }
        if self.namespaces.own_namespace && self.kubeconfig_file.is_some() {
            return Err("cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously".into());
        }
        for (i, selector) in self.selectors.iter().enumerate() {
            let (role, allowed) = (self.role.as_str(), selectable(self.role));
            if Role::parse(&selector.role).is_none() {
                return Err(format!(
                    "invalid role: {role:?}, expecting one of: pod, service, endpoints, endpointslice, node or ingress"
                ));
            }
            if self.selectors[..i].iter().any(|s| s.role == selector.role) {
                return Err(format!("duplicated selector role: {}", selector.role));
            }
            if !allowed.contains(&selector.role.as_str()) {
                return Err(format!("{role} role supports only {} selectors", allowed.join(", ")));
            }
        }
        self.client.validate()
    }

    /// The API paths that list `kind`: one for the cluster or one for each namespace.
    pub(super) fn paths(&self, kind: Kind, own: Option<&str>) -> Vec<String> {
        let (group, plural) = kind.resource();
        let mut names: Vec<&str> = self.namespaces.names.iter().map(String::as_str).collect();
        if self.namespaces.own_namespace {
            names.extend(own);
        }
        if names.is_empty() || !kind.is_namespaced() {
            return vec![format!("{group}/{plural}")];
        }
        names.iter().map(|name| format!("{group}/namespaces/{}/{plural}", escaped(name))).collect()
    }

    /// Query parameters that narrow `kind` down.
    pub(super) fn selector(&self, kind: Kind) -> String {
        let mut out = String::new();
        for selector in self.selectors.iter().filter(|s| s.role == kind.role_name()) {
            for (name, value) in [("labelSelector", &selector.label), ("fieldSelector", &selector.field)] {
                if !value.is_empty() {
                    out.push_str(&format!("&{name}={}", escaped(value)));
                }
            }
        }
        out
    }
}
