//! The configuration as the original shows it: every default written out, secrets masked, fields in the
//! original's order, relative paths resolved.
//!
//! The types that read the file belong to many crates and keep only what they need. So the way back to text
//! starts again at the file: `schema` says which fields a section has, in which order, with which defaults;
//! `inherit` fills in what jobs take from `global`; `fill` walks tree and schema together; `yaml` writes.

mod fill;
mod inherit;
mod schema;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scrape::Global;
use serde_json::{Map, Value};

/// A file on its way to being shown.
pub struct Shown {
    tree: Map<String, Value>,
    directory: PathBuf,
    /// Jobs of other files, each with the directory its paths start from.
    more: Vec<(Value, PathBuf)>,
}

/// An empty document is an empty mapping.
pub fn non_empty(text: &str) -> &str {
    let blank = text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#') || l == "---");
    if blank { "{}" } else { text }
}

impl Shown {
    /// `global` gives the external labels, in which the environment is filled in already.
    pub fn new(tree: Value, directory: &Path, global: &Global) -> Shown {
        let mut tree = object(tree);
        inherit::prepare(&mut tree, &global.external_labels);
        Shown { tree, directory: directory.to_owned(), more: Vec::new() }
    }

    /// Adds the jobs of another file.
    pub fn add_jobs(&mut self, tree: Value, directory: &Path) {
        let mut tree = object(tree);
        if let Some(Value::Array(jobs)) = tree.remove("scrape_configs") {
            for mut job in jobs {
                inherit::job(&mut job, inherit::global(&self.tree));
                self.more.push((job, directory.to_owned()));
            }
        }
    }

    pub fn file(&self) -> String {
        yaml::write(&fill::section(schema::FILE, &self.tree, &self.directory))
    }

    /// Each job by name.
    pub fn jobs(&self) -> BTreeMap<String, String> {
        let own = self.tree.get("scrape_configs").and_then(Value::as_array).into_iter().flatten();
        let own = own.map(|job| (job, &self.directory));
        let all = own.chain(self.more.iter().map(|(job, directory)| (job, directory)));
        all.filter_map(|(job, directory)| {
            let fields = job.as_object()?;
            let text = yaml::write(&fill::section(schema::SCRAPE_CONFIG, fields, directory));
            Some((fill::plain(fields.get("job_name")?), text))
        })
        .collect()
    }
}

fn object(tree: Value) -> Map<String, Value> {
    match tree {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
