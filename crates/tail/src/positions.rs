//! How far each source has been pushed: the original's `positions.yaml`, and beside it what it cannot say.
//!
//! `<file>` is `positions: {path: "offset"}`. `<file>.files` tells for every path which file it meant, so
//! that a rotation while nobody looked is noticed. It is written first; an entry counts only while its
//! offset, or the one before it, is what `<file>` says. So each of the two may be replaced or deleted by
//! hand, and a crash between the two writes does no harm.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::{FileId, Head, Saved};

/// A position: the text of the original, and the file that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// An offset, or a journal's cursor.
    pub text: String,
    pub file: Option<(FileId, Head)>,
    /// What came behind the path after that file and is not pushed yet.
    pub next: Vec<FileId>,
}

#[derive(Debug, Default)]
pub(crate) struct Positions {
    path: PathBuf,
    entries: BTreeMap<String, Position>,
    /// The texts before the last change.
    before: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    positions: Option<BTreeMap<String, String>>,
}

/// A line of the file beside.
#[derive(Serialize, Deserialize)]
struct WrittenFile {
    path: String,
    position: String,
    before: String,
    device: u64,
    inode: u64,
    head_bytes: u32,
    head_crc: u32,
    /// Device and inode of each.
    #[serde(default)]
    next: Vec<(u64, u64)>,
}

impl Positions {
    pub fn load(path: &Path, ignore_invalid: bool) -> Result<Positions, String> {
        let mut positions = Positions { path: path.to_path_buf(), ..Positions::default() };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(positions),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let written: Written = match config::parse_unchecked(&path.display().to_string(), &text) {
            Ok(written) => written,
            Err(error) if ignore_invalid => {
                tracing::warn!("ignoring the positions file: {error}");
                return Ok(positions);
            }
            Err(error) => return Err(format!("invalid yaml positions file: {error}")),
        };
        let files = positions.load_files();
        for (key, text) in written.positions.unwrap_or_default() {
            let file = files.get(&key).filter(|file| text == file.position || text == file.before);
            let position = match file {
                Some(file) => Position {
                    text: file.position.clone(),
                    file: Some((
                        FileId { device: file.device, inode: file.inode },
                        Head { bytes: file.head_bytes, crc: file.head_crc },
                    )),
                    next: file
                        .next
                        .iter()
                        .map(|(device, inode)| FileId { device: *device, inode: *inode })
                        .collect(),
                },
                None => Position { text, file: None, next: Vec::new() },
            };
            positions.entries.insert(key, position);
        }
        Ok(positions)
    }

    fn load_files(&self) -> BTreeMap<String, WrittenFile> {
        let text = fs::read_to_string(beside(&self.path)).unwrap_or_default();
        let files = text.lines().filter_map(|line| serde_json::from_str::<WrittenFile>(line).ok());
        files.map(|file| (file.path.clone(), file)).collect()
    }

    pub fn get(&self, key: &str) -> Option<&Position> {
        self.entries.get(key)
    }

    pub fn saved(&self, key: &str) -> Option<Saved> {
        let position = self.entries.get(key)?;
        Some(Saved { offset: position.text.parse().ok()?, file: position.file, next: position.next.clone() })
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Takes over new positions, forgets `gone`, and writes when something changed.
    pub fn commit(&mut self, new: BTreeMap<String, Position>, gone: &[String]) -> io::Result<()> {
        let before: BTreeMap<String, String> =
            self.entries.iter().map(|(key, position)| (key.clone(), position.text.clone())).collect();
        let mut changed = false;
        for (key, position) in new {
            changed |= self.entries.get(&key) != Some(&position);
            self.entries.insert(key, position);
        }
        for key in gone {
            changed |= self.entries.remove(key).is_some();
        }
        if !changed {
            return Ok(());
        }
        self.before = before;
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let (mut yaml, mut files) = (String::from("positions:\n"), String::new());
        if self.entries.is_empty() {
            yaml = "positions: {}\n".into();
        }
        for (key, position) in &self.entries {
            yaml.push_str(&format!("  {}: {}\n", yaml_key(key), json(&position.text)));
            if let Some((id, head)) = position.file {
                let file = WrittenFile {
                    path: key.clone(),
                    position: position.text.clone(),
                    before: self.before.get(key).cloned().unwrap_or_default(),
                    device: id.device,
                    inode: id.inode,
                    head_bytes: head.bytes,
                    head_crc: head.crc,
                    next: position.next.iter().map(|id| (id.device, id.inode)).collect(),
                };
                files.push_str(&serde_json::to_string(&file).map_err(io::Error::other)?);
                files.push('\n');
            }
        }
        replace(&beside(&self.path), files.as_bytes())?;
        replace(&self.path, yaml.as_bytes())
    }
}

fn beside(path: &Path) -> PathBuf {
    with_suffix(path, ".files")
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a file under a temporary name and puts it in place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = with_suffix(path, "-new");
    let mut file = fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(&temporary, path)
}

/// A path as it is where YAML allows that, else in quotes.
fn yaml_key(key: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let plain = key.starts_with(['/', '_']) || key.starts_with(|c: char| c.is_ascii_alphabetic());
    if plain && key.chars().all(safe) { key.to_string() } else { json(key) }
}

/// JSON's quotes are YAML's, too.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(offset: u64, inode: u64) -> Position {
        let file = (FileId { device: 1, inode }, Head { bytes: 3, crc: 7 });
        Position { text: offset.to_string(), file: Some(file), next: vec![FileId { device: 1, inode: 77 }] }
    }

    #[test]
    fn the_format_is_the_originals() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("positions.yaml");
        let mut positions = Positions::load(&path, false).unwrap();
        let cursor = Position { text: "s=1;i=2".into(), file: None, next: Vec::new() };
        let new = [("/var/log/a b".into(), position(1, 1)), ("/var/log/syslog".into(), position(42, 2))];
        positions.commit(new.into_iter().chain([("journal-x".into(), cursor)]).collect(), &[]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let expected =
            "positions:\n  \"/var/log/a b\": \"1\"\n  /var/log/syslog: \"42\"\n  journal-x: \"s=1;i=2\"\n";
        assert_eq!(text, expected);
        let again = Positions::load(&path, false).unwrap();
        assert_eq!(again.entries, positions.entries);
        positions.commit(BTreeMap::new(), &["/var/log/a b".into()]).unwrap();
        assert_eq!(Positions::load(&path, false).unwrap().entries.len(), 2);
    }

    #[test]
    fn either_file_may_be_older_or_edited() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("positions.yaml");
        let mut positions = Positions::load(&path, false).unwrap();
        positions.commit([("/a".into(), position(10, 1))].into(), &[]).unwrap();
        let old = fs::read_to_string(&path).unwrap();
        positions.commit([("/a".into(), position(5, 2))].into(), &[]).unwrap();
        // Died between the two writes.
        fs::write(&path, old).unwrap();
        assert_eq!(Positions::load(&path, false).unwrap().get("/a"), Some(&position(5, 2)));
        // Somebody wrote a number.
        fs::write(&path, "positions:\n  /a: 3\n").unwrap();
        let edited = Positions::load(&path, false).unwrap();
        assert_eq!(edited.get("/a"), Some(&Position { text: "3".into(), file: None, next: Vec::new() }));
        fs::write(&path, "nonsense: [").unwrap();
        assert!(Positions::load(&path, false).is_err());
        assert!(Positions::load(&path, true).unwrap().entries.is_empty());
    }
}
