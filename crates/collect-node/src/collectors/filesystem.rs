//! Space and inodes of mounted file systems.
//!
//! Asking a file system whose server is gone may block for ever. Kinds that live on this machine are asked
//! directly. All others (NFS, CIFS, FUSE, ...) are asked on a thread of their own with a deadline; a mount
//! that missed it is reported with `node_filesystem_device_error 1` and not asked again before the stuck
//! call has returned, so that no more than one thread hangs on each.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Scrape;
use super::mounts::{self, Mount};
use crate::failure::Outcome;

/// How long all remote mounts together may take; below the usual scrape timeout of 10 s.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// File systems that answer from this machine's memory and disks.
const LOCAL: &[&str] = &[
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "iso9660", "jfs",
    "ntfs3", "overlay", "ramfs", "reiserfs", "rootfs", "squashfs", "tmpfs", "ubifs", "udf", "vfat",
    "virtiofs", "xfs", "zfs",
];

/// Mount points with a call that has not returned.
pub(crate) type StuckMounts = Arc<Mutex<BTreeSet<PathBuf>>>;

/// What `statfs` tells, in bytes and inodes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Space {
    size: f64,
    free: f64,
    available: f64,
    files: f64,
    files_free: f64,
}

type Answer = Result<Space, String>;

pub fn update(s: &mut Scrape) -> Outcome {
    let mounts = mounts::read(&s.settings.paths.proc)?;
    let mut wanted: Vec<(Mount, String, PathBuf)> = Vec::new();
    let mut seen = BTreeSet::new();
    for mount in mounts {
        let shown = s.settings.paths.strip_root(&mount.mount_point).to_owned();
        if s.settings.mount_points.ignores(&shown)
            || s.settings.fs_types.ignores(&mount.fs_type)
            || !seen.insert((mount.device.clone(), shown.clone(), mount.fs_type.clone()))
        {
            continue;
        }
        let path = s.settings.paths.root(&shown);
        wanted.push((mount, shown, path));
    }
    let answers = ask(&wanted, &s.state.mounts);
    let timeout = Err("mountpoint timeout".to_owned());
    for (mount, shown, path) in &wanted {
        emit(s.out, mount, shown, answers.get(path).unwrap_or(&timeout));
    }
    Ok(())
}

fn emit(out: &mut crate::sink::Sink, mount: &Mount, mount_point: &str, answer: &Answer) {
    let error = answer.as_ref().err().map_or("", String::as_str);
    let labels = [
        ("device", mount.device.as_str()),
        ("mountpoint", mount_point),
        ("fstype", mount.fs_type.as_str()),
        ("device_error", error),
    ];
    let flag = |on: bool| f64::from(u8::from(on));
    let help = "Whether an error occurred while getting statistics for the given device.";
    out.gauge("node_filesystem_device_error", help, &labels, flag(answer.is_err()));
    let help = "Filesystem read-only status.";
    out.gauge("node_filesystem_readonly", help, &labels, flag(mount.read_only));
    let Ok(space) = answer else { return };
    for (name, help, value) in [
        ("node_filesystem_size_bytes", "Filesystem size in bytes.", space.size),
        ("node_filesystem_free_bytes", "Filesystem free space in bytes.", space.free),
        (
            "node_filesystem_avail_bytes",
            "Filesystem space available to non-root users in bytes.",
            space.available,
        ),
        ("node_filesystem_files", "Filesystem total file nodes.", space.files),
        ("node_filesystem_files_free", "Filesystem total free file nodes.", space.files_free),
        (
            "node_filesystem_purgeable_bytes",
            "Filesystem space available including purgeable space (MacOS specific).",
            0.0,
        ),
    ] {
        out.gauge(name, help, &labels, value);
    }
    let labels = [
        ("device", mount.device.as_str()),
        ("major", mount.major.as_str()),
        ("minor", mount.minor.as_str()),
        ("mountpoint", mount_point),
    ];
    out.gauge("node_filesystem_mount_info", "Filesystem mount information.", &labels, 1.0);
}

/// Asks every mount; those missing from the answer did not reply in time.
fn ask(wanted: &[(Mount, String, PathBuf)], stuck: &StuckMounts) -> BTreeMap<PathBuf, Answer> {
    let mut answers = BTreeMap::new();
    let (reply, replies) = channel();
    let mut waiting = 0;
    for (mount, _, path) in wanted {
        if LOCAL.contains(&mount.fs_type.as_str()) {
            answers.insert(path.clone(), statfs(path));
        } else if ask_aside(path.clone(), stuck, reply.clone(), statfs) {
            waiting += 1;
        }
    }
    drop(reply);
    await_replies(&replies, waiting, ANSWER_MAX, &mut answers);
    answers
}

/// Starts a call on its own thread unless an earlier one still hangs.
fn ask_aside(
    path: PathBuf,
    stuck: &StuckMounts,
    reply: Sender<(PathBuf, Answer)>,
    call: fn(&Path) -> Answer,
) -> bool {
    if !crate::lock(stuck).insert(path.clone()) {
        return false;
    }
    let own = stuck.clone();
    let thread_path = path.clone();
    let started = std::thread::Builder::new().name("statfs".into()).stack_size(64 << 10).spawn(move || {
        let answer = call(&thread_path);
        crate::lock(&own).remove(&thread_path);
        let _ = reply.send((thread_path, answer));
    });
    if started.is_err() {
        crate::lock(stuck).remove(&path);
    }
    started.is_ok()
}

fn await_replies(
    replies: &Receiver<(PathBuf, Answer)>,
    mut waiting: usize,
    limit: Duration,
    answers: &mut BTreeMap<PathBuf, Answer>,
) {
    let deadline = Instant::now() + limit;
    while waiting > 0 {
        match replies.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((path, answer)) => {
                answers.insert(path, answer);
                waiting -= 1;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn statfs(path: &Path) -> Answer {
    let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|_| "invalid argument".to_owned())?;
    // SAFETY: the path ends with a zero byte and the structure is valid for the call to fill.
    let (code, buf) = unsafe {
        let mut buf = std::mem::zeroed::<libc::statfs64>();
        (libc::statfs64(c_path.as_ptr(), &mut buf), buf)
    };
    if code != 0 {
        return Err(error_text(&std::io::Error::last_os_error()));
    }
    let block = buf.f_bsize as f64;
    Ok(Space {
        size: buf.f_blocks as f64 * block,
        free: buf.f_bfree as f64 * block,
        available: buf.f_bavail as f64 * block,
        files: buf.f_files as f64,
        files_free: buf.f_ffree as f64,
    })
}

/// Error texts are label values: those of the original's language for the usual ones.
fn error_text(e: &std::io::Error) -> String {
    match e.raw_os_error() {
        Some(libc::EACCES) => "permission denied".into(),
        Some(libc::ENOENT) => "no such file or directory".into(),
        Some(libc::ENOTCONN) => "transport endpoint is not connected".into(),
        Some(libc::ESTALE) => "stale NFS file handle".into(),
        Some(libc::EIO) => "input/output error".into(),
        _ => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_kinds_are_sorted() {
        assert!(LOCAL.is_sorted());
    }

    #[test]
    fn a_mount_that_hangs_is_not_asked_again_until_it_answers() {
        static GATE: Mutex<()> = Mutex::new(());
        fn hang(_: &Path) -> Answer {
            drop(GATE.lock());
            Err("late".into())
        }
        let stuck = StuckMounts::default();
        let path = PathBuf::from("/hangs");
        let (reply, replies) = channel();
        let closed = GATE.lock().unwrap();
        assert!(ask_aside(path.clone(), &stuck, reply.clone(), hang));
        let mut answers = BTreeMap::new();
        await_replies(&replies, 1, Duration::from_millis(1), &mut answers);
        assert!(answers.is_empty());
        assert!(!ask_aside(path.clone(), &stuck, reply.clone(), hang), "asked while it hangs");
        drop(closed);
        await_replies(&replies, 1, Duration::from_secs(30), &mut answers);
        assert_eq!(answers[&path], Err("late".to_owned()));
        assert!(ask_aside(path, &stuck, reply, hang), "asked again after it answered");
    }

    #[test]
    fn the_root_has_space() {
        assert!(statfs(Path::new("/")).unwrap().size > 0.0);
        assert_eq!(statfs(Path::new("/nonexistent/x")), Err("no such file or directory".into()));
    }
}
