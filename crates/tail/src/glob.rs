//! File patterns of `__path__`: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any depth.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A pattern is expanded to at most this many.
const ALTERNATIVES_MAX: usize = 256;

/// Directories below a `**` are looked at to this depth.
const DEPTH_MAX: usize = 16;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Glob {
    /// Components of each alternative, without the leading slash.
    alternatives: Vec<Vec<String>>,
    absolute: bool,
}

impl Glob {
    pub fn new(pattern: &str) -> Result<Glob, String> {
        let bad = |what: &str| format!("pattern {pattern:?}: {what}");
        let mut expanded = vec![pattern.to_string()];
        while let Some(at) = expanded.iter().position(|pattern| find_braces(pattern).is_some()) {
            let pattern = expanded.swap_remove(at);
            let Some((start, end)) = find_braces(&pattern) else { break };
            let (before, after) = (&pattern[..start], &pattern[end + 1..]);
            expanded
                .extend(split_choices(&pattern[start + 1..end]).map(|one| format!("{before}{one}{after}")));
            if expanded.len() > ALTERNATIVES_MAX {
                return Err(bad("too many alternatives"));
            }
        }
        if expanded.iter().any(|pattern| pattern.matches('[').count() != pattern.matches(']').count()) {
            return Err(bad("unclosed ["));
        }
        let split = |pattern: &String| {
            pattern.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_string).collect()
        };
        Ok(Glob { alternatives: expanded.iter().map(split).collect(), absolute: pattern.starts_with('/') })
    }

    /// The files that match, and the directories in which files may appear that would.
    pub fn find(&self) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
        let (mut files, mut directories) = (BTreeSet::new(), BTreeSet::new());
        let root = PathBuf::from(if self.absolute { "/" } else { "" });
        for parts in &self.alternatives {
            walk(&root, parts, 0, &mut files, &mut directories);
        }
        (files, directories)
    }

    pub fn matches(&self, path: &Path) -> bool {
        let text = path.to_string_lossy();
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        self.alternatives.iter().any(|pattern| parts_match(pattern, &parts))
    }
}

/// The first innermost-complete pair of braces.
fn find_braces(pattern: &str) -> Option<(usize, usize)> {
    let start = pattern.find('{')?;
    let mut depth = 0;
    for (at, c) in pattern[start..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((start, start + at));
        }
    }
    None
}

/// Splits at commas that are not in inner braces.
fn split_choices(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0i32;
    text.split(move |c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn walk(
    dir: &Path,
    parts: &[String],
    depth: usize,
    files: &mut BTreeSet<PathBuf>,
    directories: &mut BTreeSet<PathBuf>,
) {
    let Some((part, rest)) = parts.split_first() else { return };
    if part == "**" {
        walk(dir, rest, depth, files, directories);
        if depth < DEPTH_MAX {
            directories.insert(dir.to_path_buf());
            for child in children(dir).filter(|child| child.is_dir() && !child.is_symlink()) {
                walk(&child, parts, depth + 1, files, directories);
            }
        }
        return;
    }
    let plain = !part.contains(['*', '?', '[', '\\']);
    if rest.is_empty() {
        directories.insert(if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir.to_path_buf() });
    }
    let found: Vec<PathBuf> = if plain {
        vec![dir.join(part)]
    } else {
        let wanted: Vec<char> = part.chars().collect();
        let named = |child: &PathBuf| {
            let name = child.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name_matches(&wanted, &name.chars().collect::<Vec<_>>())
        };
        children(dir).filter(named).collect()
    };
    for path in found {
        if !rest.is_empty() {
            walk(&path, rest, depth, files, directories);
        } else if path.is_file() {
            files.insert(path);
        }
    }
}

fn children(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let dir = dir.to_path_buf();
    let entries = std::fs::read_dir(listed).into_iter().flatten().flatten();
    entries.map(move |entry| dir.join(entry.file_name()))
}

fn parts_match(pattern: &[String], path: &[&str]) -> bool {
    let Some((part, rest)) = pattern.split_first() else { return path.is_empty() };
    if part == "**" {
        return (0..=path.len()).any(|skip| parts_match(rest, &path[skip..]));
    }
    let Some((name, left)) = path.split_first() else { return false };
    let (wanted, name): (Vec<char>, Vec<char>) = (part.chars().collect(), name.chars().collect());
    name_matches(&wanted, &name) && parts_match(rest, left)
}

fn name_matches(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match (first, name.split_first()) {
        ('*', _) => (0..=name.len()).any(|skip| name_matches(rest, &name[skip..])),
        (_, None) => false,
        ('?', Some((_, left))) => name_matches(rest, left),
        ('\\', Some((c, left))) => rest.first() == Some(c) && name_matches(&rest[1..], left),
        ('[', Some((c, left))) => {
            let Some(end) = rest.iter().position(|c| *c == ']') else { return false };
            class_has(&rest[..end], *c) && name_matches(&rest[end + 1..], left)
        }
        (p, Some((c, left))) => p == c && name_matches(rest, left),
    }
}

fn class_has(class: &[char], c: char) -> bool {
    let (negated, mut class) = match class {
        ['^' | '!', rest @ ..] => (true, rest),
        class => (false, class),
    };
    let mut found = false;
    loop {
        class = match class {
            [from, '-', to, rest @ ..] => {
                found |= *from <= c && c <= *to;
                rest
            }
            [one, rest @ ..] => {
                found |= *one == c;
                rest
            }
            [] => return found != negated,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(Glob::new(pattern).unwrap().matches(Path::new(path)), expected, "{pattern} {path}");
        };
        check("/var/log/*.log", "/var/log/a.log", true);
        check("/var/log/*.log", "/var/log/b/a.log", false);
        check("/var/log/**/*.log", "/var/log/b/c/a.log", true);
        check("/var/log/**/*.log", "/var/log/a.log", true);
        check("/var/log/{a,b{c,d}}.log", "/var/log/bd.log", true);
        check("/var/log/{a,b{c,d}}.log", "/var/log/b.log", false);
        check("/var/[a-k]?g", "/var/dog", true);
        check("/var/[^a-k]?g", "/var/dog", false);
        assert!(Glob::new("/var/[a").is_err());
        assert!(Glob::new(&"{a,b}".repeat(12)).is_err());
    }

    #[test]
    fn files_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("x/y")).unwrap();
        for name in ["a.log", "b.txt", "x/c.log", "x/y/d.log"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let check = |pattern: &str, expected: &[&str]| {
            let glob = Glob::new(&format!("{}/{pattern}", root.display())).unwrap();
            let (files, directories) = glob.find();
            let expected: BTreeSet<PathBuf> = expected.iter().map(|name| root.join(name)).collect();
            assert_eq!(files, expected, "{pattern}");
            assert!(expected.iter().all(|file| directories.contains(file.parent().unwrap())), "{pattern}");
        };
        check("*.log", &["a.log"]);
        check("{a,b}.*", &["a.log", "b.txt"]);
        check("**/*.log", &["a.log", "x/c.log", "x/y/d.log"]);
        check("*/*.log", &["x/c.log"]);
        check("nothing/*.log", &[]);
    }
}
