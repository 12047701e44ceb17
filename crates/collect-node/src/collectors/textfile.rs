//! `*.prom` files that other programs leave in a directory.
//!
//! A file is taken as a whole or not at all. Families of the same name from several files are merged when
//! their help texts agree; the original's fixed texts stand in for a missing help.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use expfmt::{Family, LabelPairs};

use super::Scrape;
use crate::failure::Outcome;
use crate::read::{FILE_BYTES_MAX, names};

pub fn update(s: &mut Scrape) -> Outcome {
    let mut error = false;
    let mut merged: BTreeMap<String, (Family<LabelPairs>, Vec<String>)> = BTreeMap::new();
    let mut times = BTreeMap::new();
    let directories: Vec<PathBuf> = s.settings.textfile_directories.iter().flat_map(|d| expand(d)).collect();
    for directory in directories {
        let files = match names(&directory) {
            Ok(files) => files,
            Err(e) => {
                tracing::debug!(collector = "textfile", "cannot read the directory: {e}");
                error = true;
                continue;
            }
        };
        for file in files.iter().filter(|f| f.ends_with(".prom")) {
            let path = directory.join(file);
            match read(&path) {
                Ok((families, mtime)) => {
                    let shown = path.display().to_string();
                    for family in families {
                        error |= !merge(&mut merged, family, &shown);
                    }
                    times.insert(shown, mtime);
                }
                Err(e) => {
                    tracing::debug!(collector = "textfile", "cannot use {}: {e}", path.display());
                    error = true;
                }
            }
        }
    }
    for (mut family, files) in merged.into_values() {
        if family.help.is_empty() {
            family.help = format!("Metric read from {}", files.join(", "));
        }
        fill_labels(&mut family);
        s.out.adopt(family);
    }
    for (file, mtime) in times {
        let help = "Unixtime mtime of textfiles successfully read.";
        s.out.gauge("node_textfile_mtime_seconds", help, &[("file", &file)], mtime);
    }
    let help = "1 if there was an error opening or reading a file, 0 otherwise";
    s.out.gauge("node_textfile_scrape_error", help, &[], f64::from(u8::from(error)));
    Ok(())
}

/// Adds a family to what other files brought; `false` when their help texts contradict each other.
fn merge(
    merged: &mut BTreeMap<String, (Family<LabelPairs>, Vec<String>)>,
    family: Family<LabelPairs>,
    file: &str,
) -> bool {
    match merged.get_mut(&family.name) {
        None => {
            merged.insert(family.name.clone(), (family, vec![file.to_owned()]));
            true
        }
        Some((own, _)) if own.help != family.help || own.kind != family.kind => false,
        Some((own, files)) => {
            own.metrics.extend(family.metrics);
            if !files.iter().any(|f| f == file) {
                files.push(file.to_owned());
            }
            true
        }
    }
}

fn read(path: &Path) -> Result<(Vec<Family<LabelPairs>>, f64), String> {
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(format!("file has {} bytes, more than {FILE_BYTES_MAX}", meta.len()));
    }
    let body = std::fs::read(path).map_err(|e| e.to_string())?;
    let families = expfmt::read_families(&body).map_err(|e| e.to_string())?;
    if families.iter().flat_map(|f| &f.metrics).any(|m| m.timestamp.is_some()) {
        return Err("textfile contains unsupported client-side timestamps, skipping entire file".into());
    }
    Ok((families, meta.mtime() as f64 + meta.mtime_nsec() as f64 / 1e9))
}

/// Every metric of a family gets every label, empty where it lacks one, sorted by name.
fn fill_labels(family: &mut Family<LabelPairs>) {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in family.metrics.iter().flat_map(|m| &m.labels) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    for metric in &mut family.metrics {
        for name in &names {
            if !metric.labels.iter().any(|(n, _)| n == name) {
                metric.labels.push((name.clone(), String::new()));
            }
        }
        metric.labels.sort_unstable();
    }
}

/// Directories that a glob names (`*` and `?` in any part of the path); the text itself without one, so
/// that its absence is noticed.
fn expand(pattern: &str) -> Vec<PathBuf> {
    if !pattern.contains(['*', '?']) {
        return vec![PathBuf::from(pattern)];
    }
    let mut found = vec![PathBuf::from(if pattern.starts_with('/') { "/" } else { "" })];
    for part in pattern.split('/').filter(|p| !p.is_empty()) {
        let mut next = Vec::new();
        for base in found {
            if !part.contains(['*', '?']) {
                next.push(base.join(part));
                continue;
            }
            let listed = if base.as_os_str().is_empty() { Path::new(".") } else { &base };
            let matching = names(listed).unwrap_or_default().into_iter().filter(|n| glob_matches(part, n));
            next.extend(matching.map(|n| base.join(n)));
        }
        found = next;
    }
    found.retain(|p| p.exists());
    if found.is_empty() { vec![PathBuf::from(pattern)] } else { found }
}

/// `*` stands for any text, `?` for one character. Greedy with one step of memory: linear in practice.
fn glob_matches(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < n.len() {
        match p.get(i) {
            Some('*') => {
                star = Some((i, j));
                i += 1;
            }
            Some(c) if *c == '?' || *c == n[j] => {
                i += 1;
                j += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (i, j) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(glob_matches(pattern, name), expected, "{pattern} {name}");
        };
        check("*", "abc", true);
        check("a*c", "abbc", true);
        check("a*c", "abbd", false);
        check("a?c", "abc", true);
        check("*_extra_*", "histogram_extra_dimension", true);
        check("", "", true);
    }
}
