//! A namespace of templates that can call each other.

use std::collections::{BTreeMap, HashSet};

use crate::error::Error;
use crate::exec;
use crate::functions::Functions;
use crate::html::HtmlSink;
use crate::node::Tree;
use crate::parse;
use crate::value::Value;

/// Named templates and the functions they may use.
#[derive(Debug, Clone, Default)]
pub struct Set {
    functions: std::sync::Arc<Functions>,
    trees: BTreeMap<String, std::sync::Arc<Tree>>,
}

impl Set {
    pub fn new(functions: Functions) -> Set {
        Set { functions: std::sync::Arc::new(functions), trees: BTreeMap::new() }
    }

    /// Adds the template `name` and everything `text` defines. A later definition replaces an earlier
    /// one, unless it is blank.
    pub fn parse(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let trees = parse::parse(name, text, &|function| self.functions.contains(function))?;
        for tree in trees {
            if !self.trees.contains_key(&tree.name) || !tree.is_empty() {
                self.trees.insert(tree.name.clone(), std::sync::Arc::new(tree));
            }
        }
        Ok(())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.trees.contains_key(name)
    }

    /// Names of all templates, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.trees.keys().map(String::as_str)
    }

    /// Names that are called somewhere but defined nowhere.
    pub fn missing(&self) -> Vec<String> {
        let mut called = HashSet::new();
        for tree in self.trees.values() {
            parse::called(&tree.root, &mut called);
        }
        let mut missing: Vec<String> = called.into_iter().filter(|name| !self.contains(name)).collect();
        missing.sort();
        missing
    }

    /// Runs a template as `text/template` does.
    pub fn execute(&self, name: &str, data: &Value) -> Result<String, Error> {
        let mut out = String::new();
        exec::execute(self, name, data, &mut out)?;
        Ok(out)
    }

    /// Runs a template as `html/template` does: values are escaped for the place they appear in.
    pub fn execute_html(&self, name: &str, data: &Value) -> Result<String, Error> {
        let mut out = HtmlSink::default();
        exec::execute(self, name, data, &mut out)?;
        Ok(out.into_string())
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    pub(crate) fn tree(&self, name: &str) -> Option<&Tree> {
        self.trees.get(name).map(|tree| &**tree)
    }
}
