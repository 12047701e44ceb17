//! The part of a file system that storage needs, as a trait, and the operating system's implementation.
//!
//! Files are written front to back and never changed in place: that is all a log and immutable parts
//! ask for, and it keeps crash behaviour easy to state. What survives a power loss: bytes of a file after
//! [`DiskFile::sync`], names (creation, rename, removal) after [`Disk::sync_dir`].

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// One file of a directory listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    pub name: String,
    pub len: u64,
}

/// A place for files.
pub trait Disk: Debug + Send + Sync {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Creates an empty file for writing, replacing one of that name.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file to be appended to or cut.
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadAt>>;

    /// Replaces `to` by `from` in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives the file `from` a second name. `AlreadyExists` when something has it.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// The plain files of `dir`, sorted by name.
    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>>;

    /// Makes the directory's names durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes that an ordinary user may still write on the file system that holds `path`.
    fn free_space(&self, path: &Path) -> io::Result<u64>;

    /// Takes the exclusive lock `path` and writes `owner` into it. `WouldBlock` when another process
    /// (or another caller in this one) holds it; the file then tells whose it is.
    fn lock(&self, path: &Path, owner: &str) -> io::Result<Box<dyn DiskLock>>;

    /// The whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open_read(path)?;
        let len = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// A file being written. All calls may come from several threads.
pub trait DiskFile: Debug + Send + Sync {
    /// Writes all of `bytes` at the end. After an error any prefix of them may be there.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes the file's bytes durable.
    fn sync(&self) -> io::Result<()>;
}

/// A file being read at any place.
pub trait ReadAt: Debug + Send + Sync {
    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
}

/// Held as long as the value lives.
pub trait DiskLock: Debug + Send + Sync {}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OsFile(OpenOptions::new().create(true).truncate(true).write(true).open(path)?)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(io::SeekFrom::End(0))?;
        Ok(Arc::new(OsFile(file)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadAt>> {
        Ok(Arc::new(OsFile(File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // A file may go while we look; it is then no longer part of the listing.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                files.push(FileInfo { name, len: metadata.len() });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn lock(&self, path: &Path, owner: &str) -> io::Result<Box<dyn DiskLock>> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only to word the message: an unreadable owner is still an owner.
                let _ = (&mut file).take(128).read_to_string(&mut holder);
                let message = format!("held by {}", holder.trim());
                return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
            }
        }
        file.set_len(0)?;
        file.write_all_at(owner.as_bytes(), 0)?;
        Ok(Box::new(OsLock { _file: file }))
    }
}

#[derive(Debug)]
struct OsFile(File);

impl DiskFile for OsFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)?;
        (&self.0).seek(io::SeekFrom::Start(len))?;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl ReadAt for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(&self.0, buf, offset)
    }
}

#[derive(Debug)]
struct OsLock {
    /// The lock goes with the descriptor.
    _file: File,
}

impl DiskLock for OsLock {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_files_append_cut_list_and_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let file = OsDisk.create(&path).unwrap();
        file.append(b"hello").unwrap();
        file.truncate(2).unwrap();
        file.append(b"y").unwrap();
        file.sync().unwrap();
        assert_eq!(OsDisk.read(&path).unwrap(), b"hey");
        OsDisk.open_write(&path).unwrap().append(b"!").unwrap();
        assert_eq!(OsDisk.list(dir.path()).unwrap(), [FileInfo { name: "a".into(), len: 4 }]);
        assert!(OsDisk.free_space(dir.path()).unwrap() > 0);

        let link = dir.path().join("b");
        OsDisk.hard_link(&path, &link).unwrap();
        assert_eq!(OsDisk.hard_link(&path, &link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        OsDisk.remove(&path).unwrap();
        assert_eq!(OsDisk.read(&link).unwrap(), b"hey!");

        let lock_path = dir.path().join("LOCK");
        let lock = OsDisk.lock(&lock_path, "pid 7").unwrap();
        let refused = OsDisk.lock(&lock_path, "pid 8").unwrap_err();
        assert_eq!(
            (refused.kind(), refused.to_string()),
            (io::ErrorKind::WouldBlock, "held by pid 7".into())
        );
        drop(lock);
        OsDisk.lock(&lock_path, "pid 8").unwrap();
    }
}
