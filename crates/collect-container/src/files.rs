//! Small readers for the files of a cgroup directory.

use std::io::Read;
use std::path::Path;

/// A cgroup file longer than this is damaged or not a cgroup file; `cgroup.procs` of 100,000 processes has
/// less than 1 MiB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The file's text, empty when it cannot be read: a cgroup may vanish at any time, and kernels differ in the
/// files they offer.
pub fn text(path: &Path) -> String {
    let mut out = String::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(FILE_BYTES_MAX).read_to_string(&mut out);
    }
    out
}

/// A file with one number. The word `max` is no number.
pub fn number(path: &Path) -> Option<f64> {
    text(path).trim().parse().ok()
}

/// The number after `key` in lines of `key value`.
pub fn value(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once([' ', '\t'])?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}

/// The number in `key=value` among words.
pub fn pair(words: &str, key: &str) -> Option<f64> {
    words.split_ascii_whitespace().find_map(|word| {
        let (name, value) = word.split_once('=')?;
        (name == key).then(|| value.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_whole_words() {
        let text = "anon 1\nanon_thp 2\nfile x\n";
        assert_eq!(
            (value(text, "anon"), value(text, "anon_thp"), value(text, "file"), value(text, "no")),
            (Some(1.0), Some(2.0), None, None)
        );
        assert_eq!((pair("8:0 rbytes=5 wbytes=6", "wbytes"), pair("a=b", "a")), (Some(6.0), None));
    }
}
