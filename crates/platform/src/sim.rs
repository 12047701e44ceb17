//! A disk in memory that misbehaves on request: crashes at the n-th change, torn writes, lost names,
//! flipped bits, failing operations, no space.
//!
//! Two kinds of death are modelled. After [`SimDisk::kill`] (the process dies, the kernel lives) all that
//! was written is there. After [`SimDisk::power_loss`] a file holds its synced bytes and any prefix of the
//! rest, perhaps with damage in it, and every name is either as of the last directory sync or as of now,
//! each on its own: worse than real file systems are, on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, DiskFile, DiskLock, FileInfo, ReadAt};
use crate::random::Random;

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A write leaves half of its bytes, anything else does not happen; all later calls fail.
    Crash,
    /// The same, but later calls work again.
    Error(io::ErrorKind),
}

/// How unkind a power loss is to bytes that were never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerLoss {
    /// Some prefix of them is there.
    Torn,
    /// Some prefix, and perhaps a flipped bit or a run of zeros in it.
    Damaged,
}

/// Cloning gives another handle on the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Names as the running system sees them, and as they are on the platter.
    live: BTreeMap<PathBuf, u64>,
    durable: BTreeMap<PathBuf, u64>,
    directories: BTreeSet<PathBuf>,
    inodes: BTreeMap<u64, Inode>,
    locks: BTreeSet<PathBuf>,
    next_inode: u64,
    /// Counts changes: create, append, truncate, sync, rename, remove, link, directory sync.
    operations: u64,
    fault: Option<(u64, Fault)>,
    crashed: bool,
    /// Handles of an earlier boot are dead.
    boot: u64,
    free_space: Option<u64>,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

impl Default for SimDisk {
    fn default() -> SimDisk {
        SimDisk::new()
    }
}

impl SimDisk {
    pub fn new() -> SimDisk {
        SimDisk { state: Arc::default() }
    }

    /// Changes made so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the change numbered `operation` (the first one is 0) fail.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.state().fault = Some((operation, fault));
    }

    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// `None`: without end.
    pub fn set_free_space(&self, bytes: Option<u64>) {
        self.state().free_space = bytes;
    }

    /// The process died and is started again on the same running system.
    pub fn kill(&self) {
        self.state().reboot();
    }

    /// The machine lost power and is started again.
    pub fn power_loss(&self, kindness: PowerLoss, random: &mut Random) {
        let mut state = self.state();
        let mut names: BTreeSet<PathBuf> = state.live.keys().cloned().collect();
        names.extend(state.durable.keys().cloned());
        let mut survivors = BTreeMap::new();
        for name in names {
            let side = if random.one_in(2) { &state.live } else { &state.durable };
            if let Some(inode) = side.get(&name) {
                survivors.insert(name, *inode);
            }
        }
        for inode in state.inodes.values_mut() {
            inode.lose_power(kindness, random);
        }
        state.live = survivors.clone();
        state.durable = survivors;
        state.reboot();
    }

    /// Every file there is, by path.
    pub fn files(&self) -> Vec<PathBuf> {
        self.state().live.keys().cloned().collect()
    }

    /// Flips one bit of a file, as rot does.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(path)?;
        let inode = state.inodes.get_mut(&inode).ok_or(io::ErrorKind::NotFound)?;
        let byte = usize::try_from(bit / 8).unwrap_or(usize::MAX);
        for bytes in [&mut inode.bytes, &mut inode.synced] {
            if let Some(byte) = bytes.get_mut(byte) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in a test must not hide behind a poisoned disk.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, inode: u64, boot: u64) -> SimFile {
        SimFile { disk: self.clone(), inode, boot }
    }
}

impl State {
    fn reboot(&mut self) {
        self.crashed = false;
        self.fault = None;
        self.locks.clear();
        self.boot += 1;
    }

    fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(io::Error::other("the simulated machine is down")) } else { Ok(()) }
    }

    /// Counts a change; an error means it must not happen (or only half).
    fn change(&mut self) -> io::Result<()> {
        self.alive()?;
        let number = self.operations;
        self.operations += 1;
        match self.fault {
            Some((at, fault)) if at == number => {
                self.fault = None;
                match fault {
                    Fault::Crash => {
                        self.crashed = true;
                        Err(io::Error::other("the simulated machine went down"))
                    }
                    Fault::Error(kind) => Err(io::Error::new(kind, "simulated fault")),
                }
            }
            _ => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        self.live.get(path).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Inode {
    fn lose_power(&mut self, kindness: PowerLoss, random: &mut Random) {
        let synced = self.synced.len();
        let appended_only = self.bytes.len() >= synced && self.bytes.starts_with(&self.synced);
        if !appended_only {
            // Cut since the last sync: either state may be on the platter.
            if random.one_in(2) {
                self.bytes.clone_from(&self.synced);
            }
        } else {
            let fresh = (self.bytes.len() - synced) as u64;
            let kept = random.below(fresh + 1) as usize;
            self.bytes.truncate(synced + kept);
            if kindness == PowerLoss::Damaged && kept > 0 {
                let at = synced + random.below(kept as u64) as usize;
                match random.below(3) {
                    0 => self.bytes[at] ^= 1 << random.below(8),
                    1 => self.bytes[at..].fill(0),
                    _ => {}
                }
            }
        }
        self.synced.clone_from(&self.bytes);
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        state.directories.extend(dir.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.change()?;
        if !path.parent().is_some_and(|parent| state.directories.contains(parent)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = state.next_inode;
        state.next_inode += 1;
        state.inodes.insert(inode, Inode::default());
        state.live.insert(path.to_path_buf(), inode);
        Ok(Arc::new(self.handle(inode, state.boot)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        state.alive()?;
        Ok(Arc::new(self.handle(state.find(path)?, state.boot)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadAt>> {
        let state = self.state();
        state.alive()?;
        Ok(Arc::new(self.handle(state.find(path)?, state.boot)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let inode = state.find(from)?;
        state.live.remove(from);
        state.live.insert(to.to_path_buf(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.find(path)?;
        state.live.remove(path);
        Ok(())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let inode = state.find(from)?;
        if !to.parent().is_some_and(|parent| state.directories.contains(parent)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.live.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.live.insert(to.to_path_buf(), inode);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>> {
        let state = self.state();
        state.alive()?;
        if !state.directories.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut files = Vec::new();
        for (path, inode) in &state.live {
            if path.parent() == Some(dir)
                && let Some(name) = path.file_name().and_then(|name| name.to_str())
            {
                let len = state.inodes.get(inode).map_or(0, |inode| inode.bytes.len() as u64);
                files.push(FileInfo { name: name.to_string(), len });
            }
        }
        Ok(files)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let here = |path: &PathBuf| path.parent() == Some(dir);
        let names: Vec<(PathBuf, u64)> =
            state.live.iter().filter(|(path, _)| here(path)).map(|(p, i)| (p.clone(), *i)).collect();
        state.durable.retain(|path, _| !here(path));
        state.durable.extend(names);
        Ok(())
    }

    fn free_space(&self, _path: &Path) -> io::Result<u64> {
        let state = self.state();
        state.alive()?;
        Ok(state.free_space.unwrap_or(u64::MAX))
    }

    fn lock(&self, path: &Path, _owner: &str) -> io::Result<Box<dyn DiskLock>> {
        let mut state = self.state();
        state.alive()?;
        if !state.locks.insert(path.to_path_buf()) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "held by this simulation"));
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_path_buf(), boot: state.boot }))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: u64,
    boot: u64,
}

impl SimFile {
    /// The disk's state, provided that this handle is of the current boot.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.boot == self.boot { Ok(state) } else { Err(io::Error::other("handle of an earlier boot")) }
    }
}

impl DiskFile for SimFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state()?;
        if state.free_space.is_some_and(|free| free < bytes.len() as u64) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.alive()?;
        let result = state.change();
        let written = if result.is_ok() { bytes.len() } else { bytes.len() / 2 };
        let inode = state.inodes.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        inode.bytes.extend_from_slice(&bytes[..written]);
        if let Some(free) = &mut state.free_space {
            *free -= written as u64;
        }
        result
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.state()?;
        state.change()?;
        let inode = state.inodes.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        inode.bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state()?;
        state.change()?;
        let inode = state.inodes.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        inode.synced.clone_from(&inode.bytes);
        Ok(())
    }
}

impl ReadAt for SimFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.state()?;
        state.alive()?;
        Ok(state.inodes.get(&self.inode).map_or(0, |inode| inode.bytes.len() as u64))
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state()?;
        state.alive()?;
        let inode = state.inodes.get(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(inode.bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    boot: u64,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.boot == self.boot {
            state.locks.remove(&self.path);
        }
    }
}

#[cfg(test)]
#[path = "sim_tests.rs"]
mod tests;
