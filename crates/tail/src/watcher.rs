//! Hearing of changes: inotify on files and on the directories that patterns look at.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask, Watches};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const EVENT_BYTES: usize = 16 << 10;

pub(crate) struct Watcher {
    inotify: AsyncFd<Inotify>,
    watches: Watches,
    paths: HashMap<WatchDescriptor, PathBuf>,
    /// Directories that are watched.
    directories: BTreeSet<PathBuf>,
    /// A watch could not be set (there is a limit for each user): look regularly instead.
    pub incomplete: bool,
}

/// What changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub paths: BTreeSet<PathBuf>,
    /// Names came or went.
    pub names: bool,
    /// Events were lost: anything may have changed.
    pub overflow: bool,
}

impl Watcher {
    pub fn new() -> io::Result<Watcher> {
        let inotify = Inotify::init()?;
        let watches = inotify.watches();
        // SAFETY: an `Inotify` owns one descriptor, always returns that one, and is closed when dropped,
        // which is when `AsyncFd` is.
        let registered = unsafe { AsyncFd::register_with_interest(inotify, Interest::READABLE) };
        Ok(Watcher {
            inotify: registered.map_err(|error| error.into_parts().1)?,
            watches,
            paths: HashMap::new(),
            directories: BTreeSet::new(),
            incomplete: false,
        })
    }

    /// Watches the file that `path` names now, again after it has been replaced.
    pub fn watch_file(&mut self, path: &Path) {
        let mask = WatchMask::MODIFY | WatchMask::MOVE_SELF | WatchMask::ATTRIB;
        self.add(path, mask);
    }

    pub fn watch_directories(&mut self, directories: BTreeSet<PathBuf>) {
        let mask = WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::MOVED_FROM | WatchMask::DELETE;
        let gone: Vec<PathBuf> = self.directories.difference(&directories).cloned().collect();
        for path in gone {
            let found = self.paths.iter().find(|(_, watched)| **watched == path);
            if let Some(descriptor) = found.map(|(descriptor, _)| descriptor.clone()) {
                self.paths.remove(&descriptor);
                // A directory that was deleted has lost its watch by itself.
                let _ = self.watches.remove(descriptor);
            }
        }
        self.directories.retain(|path| directories.contains(path));
        for path in directories {
            // A name may mean a new directory by now; adding a watch again costs nothing.
            if path.is_dir() && self.add(&path, mask | WatchMask::ONLYDIR) {
                self.directories.insert(path);
            }
        }
    }

    fn add(&mut self, path: &Path, mask: WatchMask) -> bool {
        match self.watches.add(path, mask) {
            Ok(descriptor) => {
                self.paths.insert(descriptor, path.to_path_buf());
                true
            }
            Err(error) => {
                self.incomplete |= error.kind() != io::ErrorKind::NotFound;
                false
            }
        }
    }

    /// Waits until something changes.
    pub async fn changes(&mut self) -> io::Result<Changes> {
        let mut buffer = vec![0; EVENT_BYTES];
        let mut changes = Changes::default();
        loop {
            let mut ready = self.inotify.readable_mut().await?;
            let result =
                ready.try_io(|inotify| inotify.get_mut().read_events(&mut buffer).map(Vec::from_iter));
            let events = match result {
                Ok(events) => events?,
                Err(_would_block) => continue,
            };
            for event in events {
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    changes.overflow = true;
                } else if event.mask.contains(EventMask::IGNORED) {
                    self.paths.remove(&event.wd);
                } else if let Some(path) = self.paths.get(&event.wd) {
                    changes.names |= event.name.is_some();
                    changes.paths.insert(event.name.map_or_else(|| path.clone(), |name| path.join(name)));
                }
            }
            return Ok(changes);
        }
    }
}
