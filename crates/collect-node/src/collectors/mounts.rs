//! `/proc/<pid>/mountinfo`: what is mounted where.

use std::path::Path;

use crate::failure::Failure;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub device: String,
    pub mount_point: String,
    pub fs_type: String,
    pub major: String,
    pub minor: String,
    pub read_only: bool,
}

/// The mounts of process 1, which sees the host even from within a container that shares its process
/// namespace; of this process where that is not allowed.
pub fn read(proc: &Path) -> Result<Vec<Mount>, Failure> {
    let text = std::fs::read_to_string(proc.join("1/mountinfo"))
        .or_else(|_| std::fs::read_to_string(proc.join("self/mountinfo")))
        .map_err(|e| Failure::io(&proc.join("1/mountinfo"), &e))?;
    Ok(text.lines().filter_map(parse).collect())
}

/// One line: `id parent major:minor root mount-point options [optional fields] - type source super-options`.
fn parse(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(2);
    let (major, minor) = left.next()?.split_once(':')?;
    let (_root, mount_point, options) = (left.next()?, left.next()?, left.next()?);
    let mut right = right.split(' ');
    let (fs_type, device, super_options) = (right.next()?, right.next()?, right.next().unwrap_or(""));
    let read_only = options.split(',').chain(super_options.split(',')).any(|o| o == "ro");
    Some(Mount {
        device: device.to_owned(),
        mount_point: unescape(mount_point),
        fs_type: fs_type.to_owned(),
        major: major.to_owned(),
        minor: minor.to_owned(),
        read_only,
    })
}

/// The kernel writes space, tab, newline and backslash as octal escapes.
fn unescape(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|octal| u8::from_str_radix(octal, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                out.push(code as char);
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_lines() {
        let m =
            parse(r"36 35 98:0 /mnt1 /my\040disk ro,noatime master:1 - ext3 /dev/root rw,errors=continue")
                .unwrap();
        assert_eq!(
            (m.mount_point.as_str(), m.device.as_str(), m.fs_type.as_str()),
            ("/my disk", "/dev/root", "ext3")
        );
        assert_eq!((m.major.as_str(), m.minor.as_str(), m.read_only), ("98", "0", true));
        assert_eq!(parse("36 35 98:0 / /x rw"), None);
        assert_eq!(unescape(r"a\134b\x"), r"a\b\x");
    }
}
