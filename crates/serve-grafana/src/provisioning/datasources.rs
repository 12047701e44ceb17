//! Data sources: `grafana/provisioning/datasources/*.yml`.

use std::path::Path;

use config::{ConfigError, Secret, Validate};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, PartialEq)]
pub struct Datasource {
    pub id: usize,
    pub uid: String,
    pub name: String,
    pub kind: String,
    pub url: String,
    pub is_default: bool,
    pub read_only: bool,
    pub basic_auth: Option<(String, Secret)>,
    pub json_data: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "apiVersion", default = "one")]
    api_version: i64,
    #[serde(default)]
    datasources: Vec<Entry>,
    /// Meaningful where data sources are kept in a database; ours follow the files.
    #[serde(rename = "deleteDatasources", default)]
    _delete: Vec<Value>,
    #[serde(rename = "prune", default)]
    _prune: bool,
}

fn one() -> i64 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    is_default: bool,
    #[serde(default)]
    editable: bool,
    #[serde(default)]
    basic_auth: bool,
    #[serde(default)]
    basic_auth_user: String,
    #[serde(default)]
    json_data: Map<String, Value>,
    #[serde(default)]
    secure_json_data: std::collections::BTreeMap<String, Secret>,
}

impl Validate for File {
    fn validate(&mut self) -> Result<(), String> {
        if self.api_version != 1 {
            return Err(format!("apiVersion {} is not supported, only 1 is", self.api_version));
        }
        if self.datasources.iter().filter(|d| d.is_default).count() > 1 {
            return Err("datasource.yaml config is invalid. Only one datasource per organization can be \
                        marked as default"
                .into());
        }
        match self.datasources.iter().find(|d| d.name.is_empty() || d.kind.is_empty()) {
            Some(d) => Err(format!("data source {:?} needs a name and a type", d.name)),
            None => Ok(()),
        }
    }
}

/// Reads all files of `dir`; ids follow the order of appearance.
pub fn load(dir: &Path) -> Result<Vec<Datasource>, ConfigError> {
    let mut out: Vec<Datasource> = Vec::new();
    for path in super::yaml_files(dir) {
        let text = super::expand(&config::read(&path)?);
        let file: File = config::parse(&path.display().to_string(), &text)?;
        for entry in file.datasources {
            let uid = if entry.uid.is_empty() { slug(&entry.name) } else { entry.uid };
            if out.iter().any(|d| d.uid == uid) {
                let message = format!("a data source with uid {uid:?} exists already");
                return Err(ConfigError::new(&path.display().to_string(), message));
            }
            let password = entry.secure_json_data.get("basicAuthPassword").cloned().unwrap_or_default();
            out.push(Datasource {
                id: out.len() + 1,
                uid,
                name: entry.name,
                kind: entry.kind,
                url: entry.url.trim_end_matches('/').to_owned(),
                is_default: entry.is_default,
                read_only: !entry.editable,
                basic_auth: entry.basic_auth.then_some((entry.basic_auth_user, password)),
                json_data: entry.json_data,
            });
        }
    }
    Ok(out)
}

fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

impl Datasource {
    /// The shape of `/api/datasources/uid/…`; lists use the same without secrets, of which there are none.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "uid": self.uid,
            "orgId": 1,
            "name": self.name,
            "type": self.kind,
            "typeLogoUrl": "",
            "access": "proxy",
            "url": self.url,
            "user": "",
            "database": "",
            "basicAuth": self.basic_auth.is_some(),
            "basicAuthUser": self.basic_auth.as_ref().map_or("", |(user, _)| user.as_str()),
            "withCredentials": false,
            "isDefault": self.is_default,
            "jsonData": self.json_data,
            "secureJsonFields": {},
            "version": 1,
            "readOnly": self.read_only,
        })
    }

    /// A duration-like setting of `jsonData`, in milliseconds.
    pub fn duration_ms(&self, key: &str) -> Option<i64> {
        self.json_data.get(key)?.as_str().and_then(|text| model::duration::parse(text).ok())
    }
}
