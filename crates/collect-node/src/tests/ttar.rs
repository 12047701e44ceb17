//! Unpacks the text archives in which the original keeps its sysfs and udev trees.
//!
//! Entries: `Directory: P`, or `Path: P` followed by `SymlinkTo: T` or by `Lines: N` and N lines; `Mode:`
//! and comments are skipped. `NULLBYTE` is a zero byte, `EOF` at the end of the last line means that no
//! newline follows, a backslash makes what follows literal.

use std::fs;
use std::path::Path;

pub fn unpack(archive: &str, into: &Path) {
    let mut lines = archive.lines();
    let mut path = into.to_owned();
    while let Some(line) = lines.next() {
        if let Some(directory) = line.strip_prefix("Directory: ") {
            fs::create_dir_all(into.join(directory)).unwrap();
        } else if let Some(file) = line.strip_prefix("Path: ") {
            path = into.join(file);
        } else if let Some(target) = line.strip_prefix("SymlinkTo: ") {
            std::os::unix::fs::symlink(target, &path).unwrap();
        } else if let Some(count) = line.strip_prefix("Lines: ") {
            let count: usize = count.parse().unwrap();
            let mut content = String::new();
            for line in lines.by_ref().take(count) {
                content.push_str(&line.replace("NULLBYTE", "\0"));
                content.push('\n');
            }
            if let Some(cut) = content.strip_suffix("EOF\n") {
                content.truncate(cut.len());
            }
            fs::write(&path, content).unwrap();
        }
    }
}
