//! File patterns in configuration files: `rules/*.yml`, `templates/*.tmpl`.

use std::path::{Component, Path, PathBuf};

/// The files and folders that match `pattern`, sorted. Each path component may hold `*` (anything),
/// `?` (one character) and `[a-z]` (a class), as in Go's `filepath.Glob`. A pattern without any of these
/// matches the path itself if it exists.
pub fn glob(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let text = component.as_os_str().to_string_lossy();
        if !matches!(component, Component::Normal(_)) || !text.contains(['*', '?', '[', '\\']) {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        }
        let wanted: Vec<char> = text.chars().collect();
        check(&wanted).map_err(|()| format!("syntax error in pattern {}", pattern.display()))?;
        let mut next = Vec::new();
        for dir in found {
            let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
            let Ok(entries) = std::fs::read_dir(listed) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if matches_name(&wanted, &name.chars().collect::<Vec<_>>()) {
                    next.push(dir.join(name));
                }
            }
        }
        next.sort();
        found = next;
    }
    found.retain(|path| path.exists());
    Ok(found)
}

/// Classes must be closed and escapes must escape something.
fn check(pattern: &[char]) -> Result<(), ()> {
    let mut rest = pattern.iter();
    while let Some(c) = rest.next() {
        match c {
            '[' => {
                rest.find(|c| **c == ']').ok_or(())?;
            }
            '\\' => {
                rest.next().ok_or(())?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn matches_name(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return name.is_empty();
    };
    match (first, name.split_first()) {
        ('*', _) => (0..=name.len()).any(|skip| matches_name(rest, &name[skip..])),
        (_, None) => false,
        ('?', Some((_, left))) => matches_name(rest, left),
        ('[', Some((c, left))) => {
            let Some(end) = rest.iter().position(|c| *c == ']') else { return false };
            let (class, after) = (&rest[..end], &rest[end + 1..]);
            in_class(class, *c) && matches_name(after, left)
        }
        ('\\', Some((c, left))) => {
            rest.split_first().is_some_and(|(escaped, after)| escaped == c && matches_name(after, left))
        }
        (p, Some((c, left))) => p == c && matches_name(rest, left),
    }
}

fn in_class(class: &[char], c: char) -> bool {
    let (negated, mut class) = match class.split_first() {
        Some(('^', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut inside = false;
    loop {
        class = match class {
            [from, '-', to, rest @ ..] => {
                inside |= *from <= c && c <= *to;
                rest
            }
            [one, rest @ ..] => {
                inside |= *one == c;
                rest
            }
            [] => return inside != negated,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_go() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            assert_eq!(matches_name(&chars(pattern), &chars(name)), expected, "{pattern} {name}");
        };
        check("*.yml", "a.yml", true);
        check("*.yml", "a.yaml", false);
        check("a?c*", "abcdef", true);
        check("[a-c]x[^0-9]", "bxy", true);
        check("[a-c]x[^0-9]", "bx1", false);
        check("\\*", "*", true);
        check("*a*b*", "xxaxxbxx", true);
    }

    #[test]
    fn finds_files_in_order() {
        let dir = std::env::temp_dir().join(format!("glob-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("sub")).unwrap();
        for name in ["b.yml", "a.yml", "c.txt", "sub/d.yml"] {
            std::fs::write(dir.join(name), "").unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            let found = glob(&dir.join(pattern)).unwrap();
            found.iter().map(|p| p.strip_prefix(&dir).unwrap().display().to_string()).collect()
        };
        assert_eq!(names("*.yml"), ["a.yml", "b.yml"]);
        assert_eq!(names("*/d.yml"), ["sub/d.yml"]);
        assert_eq!(names("c.txt"), ["c.txt"]);
        assert!(names("none.yml").is_empty() && glob(Path::new("[a")).is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
