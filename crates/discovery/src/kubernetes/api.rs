//! The cluster's API server: where it is and how to be let in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use client::{Authorization, Client, HttpClientConfig};
use config::Secret;
use serde::Deserialize;
use serde_json::Value;

use super::KubernetesSdConfig;
use crate::reply::{body, host_port};

/// Where a pod finds its own account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How long a list may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Api {
    client: Client,
    server: String,
    own_namespace: Option<String>,
}

/// Why a request failed, as far as it matters what to do next.
#[derive(Debug)]
pub enum Failure {
    /// The version asked for is too old: list again (410).
    Gone,
    Other(String),
}

impl Api {
    pub fn new(config: &KubernetesSdConfig) -> Result<Api, String> {
        if let Some(path) = &config.kubeconfig_file {
            return Api::from_kubeconfig(path);
        }
        if !config.api_server.is_empty() {
            let client = Client::new(&config.client, true)?;
            let server = config.api_server.trim_end_matches('/').to_owned();
            return Ok(Api { client, server, own_namespace: None });
        }
        Api::in_cluster(Path::new(ACCOUNT))
    }

    fn in_cluster(account: &Path) -> Result<Api, String> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| {
                format!("not in a cluster ({name} is not set): set api_server or kubeconfig_file")
            })
        };
        let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
        let mut settings = HttpClientConfig {
            authorization: Some(Authorization {
                credentials_file: Some(account.join("token")),
                ..Authorization::default()
            }),
            ..HttpClientConfig::default()
        };
        settings.tls_config.ca_file = Some(account.join("ca.crt"));
        let own_namespace = std::fs::read_to_string(account.join("namespace")).ok();
        Ok(Api {
            client: Client::new(&settings, true)?,
            server: format!("https://{}", host_port(&host, port)),
            own_namespace: own_namespace.map(|name| name.trim().to_owned()),
        })
    }

    fn from_kubeconfig(path: &Path) -> Result<Api, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| format!("{shown}: {e}"))?;
        let file: Kubeconfig =
            config::parse_unchecked(&shown.to_string(), &text).map_err(|e| e.to_string())?;
        let directory = path.parent().unwrap_or(Path::new(".")).to_owned();
        let context = file.contexts.iter().find(|c| c.name == file.current_context);
        let context =
            &context.ok_or_else(|| format!("{shown}: no context {:?}", file.current_context))?.context;
        let cluster = file.clusters.iter().find(|c| c.name == context.cluster);
        let cluster = &cluster.ok_or_else(|| format!("{shown}: no cluster {:?}", context.cluster))?.cluster;
        let mut settings = HttpClientConfig::default();
        let tls = &mut settings.tls_config;
        let decoded = |data: &Option<String>| -> Result<Option<String>, String> {
            let Some(data) = data else { return Ok(None) };
            let bytes = base64::engine::general_purpose::STANDARD.decode(data.trim());
            let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            text.map(Some).ok_or_else(|| format!("{shown}: certificate data is not base64"))
        };
        let beside = |file: &Option<PathBuf>| file.as_ref().map(|file| directory.join(file));
        tls.ca = decoded(&cluster.certificate_authority_data)?;
        tls.ca_file = if tls.ca.is_none() { beside(&cluster.certificate_authority) } else { None };
        tls.server_name = cluster.tls_server_name.clone();
        tls.insecure_skip_verify = cluster.insecure_skip_tls_verify;
        if let Some(user) = file.users.iter().find(|u| u.name == context.user).map(|u| &u.user) {
            if user.exec.is_some() || user.auth_provider.is_some() {
                return Err(format!(
                    "{shown}: user {:?} logs in by a program; give it a token or a certificate",
                    context.user
                ));
            }
            tls.cert = decoded(&user.client_certificate_data)?;
            tls.cert_file = if tls.cert.is_none() { beside(&user.client_certificate) } else { None };
            tls.key = decoded(&user.client_key_data)?.map(Secret::new);
            tls.key_file = if tls.key.is_none() { beside(&user.client_key) } else { None };
            if user.token.is_some() || user.token_file.is_some() {
                settings.authorization = Some(Authorization {
                    credentials: user.token.clone(),
                    credentials_file: beside(&user.token_file).filter(|_| user.token.is_none()),
                    ..Authorization::default()
                });
            } else if user.username.is_some() {
                settings.basic_auth = Some(client::BasicAuth {
                    username: user.username.clone(),
                    password: user.password.clone(),
                    ..client::BasicAuth::default()
                });
            }
        }
        let client = Client::new(&settings, true)?;
        Ok(Api { client, server: cluster.server.trim_end_matches('/').to_owned(), own_namespace: None })
    }

    pub fn own_namespace(&self) -> Option<&str> {
        self.own_namespace.as_deref()
    }

    /// One page of a list.
    pub async fn list(&self, path: &str, query: &str) -> Result<Value, Failure> {
        let response = self.send(path, query, PATIENCE).await?;
        let body = body(response).await.map_err(Failure::Other)?;
        serde_json::from_slice(&body).map_err(|e| Failure::Other(format!("{path}: {e}")))
    }

    /// The open answer to a watch: one JSON object a line.
    pub async fn watch(
        &self,
        path: &str,
        query: &str,
        patience: Duration,
    ) -> Result<reqwest::Response, Failure> {
        let response = self.send(path, query, patience).await?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(Failure::Other(format!("{path}: HTTP status {}", response.status()))),
        }
    }

    async fn send(&self, path: &str, query: &str, patience: Duration) -> Result<reqwest::Response, Failure> {
        self.client.ready().await.map_err(Failure::Other)?;
        let url = format!("{}{path}?{query}", self.server);
        let request = self.client.get(&url).map_err(Failure::Other)?;
        let request = request.header("Accept", "application/json").timeout(patience);
        let response = request.send().await.map_err(|e| Failure::Other(client::explain(&e)))?;
        match response.status() {
            reqwest::StatusCode::GONE => Err(Failure::Gone),
            _ => Ok(response),
        }
    }
}

/// The parts of a kubeconfig file that matter here; others are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kubeconfig {
    #[serde(rename = "current-context")]
    current_context: String,
    clusters: Vec<NamedCluster>,
    contexts: Vec<NamedContext>,
    users: Vec<NamedUser>,
}

#[derive(Debug, Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct NamedContext {
    name: String,
    context: ContextOf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContextOf {
    cluster: String,
    user: String,
}

#[derive(Debug, Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<Secret>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    username: Option<String>,
    password: Option<Secret>,
    exec: Option<serde::de::IgnoredAny>,
    auth_provider: Option<serde::de::IgnoredAny>,
}
