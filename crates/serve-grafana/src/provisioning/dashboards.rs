//! Dashboards from files: providers in `grafana/provisioning/dashboards/*.yml`, JSON files in their paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use config::{ConfigError, Validate};
use serde::Deserialize;
use serde_json::Value;

use super::datasources::Datasource;

/// Dashboard files larger than this are refused.
const FILE_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Provider {
    pub name: String,
    #[serde(default)]
    pub folder: String,
    #[serde(default)]
    pub folder_uid: String,
    #[serde(default, rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub allow_ui_updates: bool,
    #[serde(default = "ten")]
    pub update_interval_seconds: u64,
    pub options: ProviderOptions,
    #[serde(default, rename = "orgId")]
    _org_id: i64,
    #[serde(default, rename = "editable")]
    _editable: bool,
    #[serde(default, rename = "disableDeletion")]
    _disable_deletion: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProviderOptions {
    pub path: PathBuf,
    #[serde(default, rename = "foldersFromFilesStructure")]
    _folders_from_files_structure: bool,
}

fn ten() -> u64 {
    10
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "apiVersion", default)]
    _api_version: i64,
    #[serde(default)]
    providers: Vec<Provider>,
}

impl Validate for File {
    fn validate(&mut self) -> Result<(), String> {
        match self.providers.iter().find(|p| !matches!(p.kind.as_str(), "" | "file")) {
            Some(p) => Err(format!("provider {:?} has type {:?}; only \"file\" exists", p.name, p.kind)),
            None => Ok(()),
        }
    }
}

/// Reads all providers; relative paths start at `base`.
pub fn load_providers(dir: &Path, base: &Path) -> Result<Vec<Provider>, ConfigError> {
    let mut out = Vec::new();
    for path in super::yaml_files(dir) {
        let text = super::expand(&config::read(&path)?);
        let file: File = config::parse(&path.display().to_string(), &text)?;
        out.extend(file.providers.into_iter().map(|mut p| {
            p.options.path = base.join(&p.options.path);
            if p.folder_uid.is_empty() && !p.folder.is_empty() {
                p.folder_uid = p.folder.to_ascii_lowercase().replace(' ', "-");
            }
            p
        }));
    }
    Ok(out)
}

/// One dashboard as read from its file.
#[derive(Debug, Clone)]
pub struct Provisioned {
    pub uid: String,
    pub title: String,
    pub folder: String,
    pub folder_uid: String,
    pub allow_ui_updates: bool,
    pub file: PathBuf,
    pub modified: SystemTime,
    pub json: Arc<Value>,
}

/// Reads what changed since `known` (by file); a broken file keeps its last good version and is reported.
pub fn scan(
    providers: &[Provider],
    datasources: &[Datasource],
    known: &BTreeMap<PathBuf, Provisioned>,
) -> (BTreeMap<PathBuf, Provisioned>, Vec<String>) {
    let (mut found, mut problems) = (BTreeMap::new(), Vec::new());
    for provider in providers {
        for path in super::files_with(&provider.options.path, &["json"]) {
            let modified = match std::fs::metadata(&path) {
                Ok(meta) if meta.len() > FILE_BYTES_MAX => {
                    problems.push(format!("{}: larger than {FILE_BYTES_MAX} bytes", path.display()));
                    continue;
                }
                Ok(meta) => meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                Err(_) => continue,
            };
            if let Some(same) = known.get(&path).filter(|k| k.modified == modified) {
                found.insert(path, same.clone());
                continue;
            }
            match read(&path, modified, provider, datasources) {
                Ok(dashboard) => {
                    found.insert(path, dashboard);
                }
                Err(problem) => {
                    problems.push(format!("{}: {problem}", path.display()));
                    if let Some(last) = known.get(&path) {
                        // Remember the time, so that the problem is reported once per change.
                        found.insert(path, Provisioned { modified, ..last.clone() });
                    }
                }
            }
        }
    }
    (found, problems)
}

fn read(
    path: &Path,
    modified: SystemTime,
    provider: &Provider,
    datasources: &[Datasource],
) -> Result<Provisioned, String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let mut json: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    resolve_inputs(&mut json, datasources);
    let object = json.as_object_mut().ok_or("not a JSON object")?;
    let title = object.get("title").and_then(Value::as_str).unwrap_or("").to_owned();
    if title.is_empty() {
        return Err("Dashboard title cannot be empty".into());
    }
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let uid = object.get("uid").and_then(Value::as_str).filter(|u| !u.is_empty()).unwrap_or(&stem).to_owned();
    object.insert("uid".into(), uid.clone().into());
    object.remove("id");
    Ok(Provisioned {
        uid,
        title,
        folder: provider.folder.clone(),
        folder_uid: provider.folder_uid.clone(),
        allow_ui_updates: provider.allow_ui_updates,
        file: path.to_owned(),
        modified,
        json: Arc::new(json),
    })
}

/// Replaces `${DS_X}` of an exported dashboard's `__inputs` by the data source of the wanted type.
fn resolve_inputs(json: &mut Value, datasources: &[Datasource]) {
    let Some(inputs) = json.get("__inputs").and_then(Value::as_array) else { return };
    let mut replacements = Vec::new();
    for input in inputs {
        let text = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or("");
        let replacement = match text("type") {
            "datasource" => {
                let of_kind = |d: &&Datasource| d.kind == text("pluginId");
                datasources.iter().find(of_kind).map(|d| d.uid.clone())
            }
            "constant" => Some(text("value").to_owned()),
            _ => None,
        };
        if let Some(replacement) = replacement {
            replacements.push((format!("${{{}}}", text("name")), replacement));
        }
    }
    if let Some(object) = json.as_object_mut() {
        object.remove("__inputs");
        object.remove("__requires");
    }
    replace_strings(json, &replacements);
}

fn replace_strings(value: &mut Value, replacements: &[(String, String)]) {
    match value {
        Value::String(text) => {
            for (from, to) in replacements {
                if text.contains(from.as_str()) {
                    *text = text.replace(from.as_str(), to);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_strings(item, replacements)),
        Value::Object(map) => map.values_mut().for_each(|item| replace_strings(item, replacements)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(path: &Path) -> Provider {
        Provider {
            name: "p".into(),
            folder: "F".into(),
            folder_uid: "f".into(),
            kind: "file".into(),
            allow_ui_updates: true,
            update_interval_seconds: 10,
            options: ProviderOptions { path: path.to_owned(), _folders_from_files_structure: false },
            _org_id: 1,
            _editable: true,
            _disable_deletion: false,
        }
    }

    #[test]
    fn a_broken_file_keeps_its_last_good_version() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.json");
        std::fs::write(&file, r#"{"title":"A","id":7}"#).unwrap();
        let providers = [provider(dir.path())];
        let (first, problems) = scan(&providers, &[], &BTreeMap::new());
        assert!(problems.is_empty());
        assert_eq!((first[&file].uid.as_str(), first[&file].json.get("id")), ("a", None));

        std::fs::write(&file, "{").unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::open(&file).unwrap().set_modified(later).unwrap();
        let (second, problems) = scan(&providers, &[], &first);
        assert_eq!((second[&file].title.as_str(), problems.len()), ("A", 1));
        let (_, problems) = scan(&providers, &[], &second);
        assert!(problems.is_empty(), "reported once: {problems:?}");

        std::fs::remove_file(&file).unwrap();
        assert!(scan(&providers, &[], &second).0.is_empty());
    }

    #[test]
    fn inputs_are_resolved_by_type() {
        let ds = Datasource {
            id: 1,
            uid: "prom-uid".into(),
            name: "P".into(),
            kind: "prometheus".into(),
            url: String::new(),
            is_default: true,
            read_only: false,
            basic_auth: None,
            json_data: Default::default(),
        };
        let mut json = serde_json::json!({
            "__inputs": [{"name": "DS_PROMETHEUS", "type": "datasource", "pluginId": "prometheus"}],
            "panels": [{"datasource": {"uid": "${DS_PROMETHEUS}"}}],
        });
        resolve_inputs(&mut json, &[ds]);
        assert_eq!(json, serde_json::json!({"panels": [{"datasource": {"uid": "prom-uid"}}]}));
    }
}
