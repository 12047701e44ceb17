//! From discovered groups to patterns with labels.

use std::collections::BTreeMap;

use discovery::TargetGroup;
use model::LabelsBuilder;

use crate::config::ScrapeConfig;
use crate::glob::Glob;
use crate::status::DroppedTarget;

/// A pattern with labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileTarget {
    /// Number of the scrape configuration.
    pub scrape: usize,
    pub pattern: String,
    pub glob: Glob,
    pub exclude: Option<Glob>,
    pub labels: BTreeMap<String, String>,
    pub discovered: BTreeMap<String, String>,
}

impl FileTarget {
    /// Targets are the same while this is the same.
    pub fn key(&self) -> String {
        format!("{} {} {:?}", self.scrape, self.pattern, self.labels)
    }
}

/// The targets of a job's groups.
pub(crate) fn file_targets(
    number: usize,
    scrape: &ScrapeConfig,
    groups: &[TargetGroup],
    hostname: &str,
    dropped: &mut Vec<DroppedTarget>,
) -> Vec<FileTarget> {
    let mut targets = Vec::new();
    for group in groups {
        // Without addresses a group is one target: files have none.
        let nobody = [model::Labels::empty()];
        let each = if group.targets.is_empty() { &nobody[..] } else { &group.targets };
        for target in each {
            let mut discovered = group.labels.to_builder();
            for (name, value) in target {
                discovered.set(name, value);
            }
            match file_target(number, scrape, discovered.clone(), hostname) {
                Ok(target) => targets.push(target),
                Err(reason) => dropped.push(DroppedTarget {
                    job: scrape.job_name.clone(),
                    reason,
                    discovered_labels: pairs(&discovered),
                }),
            }
        }
    }
    targets.dedup();
    targets
}

fn file_target(
    number: usize,
    scrape: &ScrapeConfig,
    discovered: LabelsBuilder,
    hostname: &str,
) -> Result<FileTarget, String> {
    let all = pairs(&discovered);
    let labels = relabel::process(discovered, &scrape.relabel_configs).ok_or("dropping target, no labels")?;
    let host = labels.get("__host__");
    if !host.is_empty() && host != hostname {
        return Err(format!("ignoring target, wrong host (labels:{host} hostname:{hostname})"));
    }
    let pattern = labels.get("__path__");
    if pattern.is_empty() {
        return Err("no path for target".into());
    }
    let exclude = labels.get("__path_exclude__");
    let exclude = if exclude.is_empty() { None } else { Some(Glob::new(exclude)?) };
    Ok(FileTarget {
        scrape: number,
        pattern: pattern.to_string(),
        glob: Glob::new(pattern)?,
        exclude,
        labels: public(&labels),
        discovered: all,
    })
}

fn pairs(labels: &LabelsBuilder) -> BTreeMap<String, String> {
    let pairs = labels.iter().filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Labels that begin with `__` are for relabelling only.
pub(crate) fn public(labels: &LabelsBuilder) -> BTreeMap<String, String> {
    let mut all = pairs(labels);
    all.retain(|name, _| !name.starts_with("__"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Labels;

    #[test]
    fn labels_make_patterns() {
        let text = "
scrape_configs:
- job_name: x
  relabel_configs:
  - {source_labels: [kind], regex: drop, action: drop}
  - {source_labels: [kind], target_label: sort}
";
        let config = crate::Config::parse("f", text).unwrap();
        let check = |pairs: &[(&str, &str)]| {
            let group = TargetGroup {
                source: String::new(),
                targets: vec![Labels::from_pairs([("__address__", "localhost")])],
                labels: Labels::from_pairs(pairs.iter().copied()),
            };
            let mut dropped = Vec::new();
            let targets = file_targets(0, &config.scrape_configs[0], &[group], "here", &mut dropped);
            let shown = targets.iter().map(|target| format!("{} {:?}", target.pattern, target.labels));
            shown.chain(dropped.into_iter().map(|dropped| dropped.reason)).collect::<Vec<_>>().join("; ")
        };
        let all = [("__path__", "/a"), ("kind", "k"), ("__secret", "s")];
        assert_eq!(check(&all), r#"/a {"kind": "k", "sort": "k"}"#);
        assert_eq!(check(&[("kind", "k")]), "no path for target");
        assert_eq!(check(&[("kind", "drop"), ("__path__", "/a")]), "dropping target, no labels");
        assert_eq!(check(&[("__host__", "here"), ("__path__", "/a")]), "/a {}");
        let wrong = check(&[("__host__", "there"), ("__path__", "/a")]);
        assert_eq!(wrong, "ignoring target, wrong host (labels:there hostname:here)");
    }
}
