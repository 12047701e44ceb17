//! One followed path: the file behind it, and those that were behind it before and are not read to their
//! end yet.
//!
//! A file is known by device and inode, so it stays the same under another name; its first bytes tell it
//! from a later file that was given the same inode, and from what it was before it was truncated.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::SeekFrom;

/// A file that was renamed away is read on until nothing has come for this long: whoever writes may still
/// have it open.
const DRAIN: Duration = Duration::from_secs(1);

/// How many first bytes identify a file.
const HEAD_BYTES: usize = 256;

const CHUNK_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileId {
    pub device: u64,
    pub inode: u64,
}

impl FileId {
    pub fn of(metadata: &std::fs::Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// How a file began when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    pub bytes: u32,
    pub crc: u32,
}

impl Head {
    fn of(file: &File, bytes: usize) -> io::Result<Head> {
        let mut buffer = [0; HEAD_BYTES];
        let wanted = bytes.min(HEAD_BYTES);
        let read = read_full(file, &mut buffer[..wanted], 0)?;
        Ok(Head { bytes: read as u32, crc: crc32c::crc32c(&buffer[..read]) })
    }

    fn still_holds(&self, file: &File) -> io::Result<bool> {
        Ok(Head::of(file, self.bytes as usize)? == *self)
    }
}

/// How far a file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub offset: u64,
    pub head: Head,
}

/// Where all files of a target are, whatever they are called at the moment.
pub(crate) type Places = HashMap<FileId, Place>;

/// What was saved for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    pub offset: u64,
    /// Unknown when the positions file alone is there.
    pub file: Option<(FileId, Head)>,
    /// What came behind the path after that file, in order.
    pub next: Vec<FileId>,
}

pub(crate) struct Line<'a> {
    pub bytes: &'a [u8],
    pub start: u64,
    /// Longer than allowed; `bytes` is its beginning.
    pub cut: bool,
}

pub(crate) struct FollowedFile {
    pub path: PathBuf,
    /// Oldest first; the last one is what the path names now.
    files: VecDeque<OpenFile>,
    /// All files that were behind the path, from the one that the saved position is about on.
    trail: Vec<FileId>,
    line_bytes_max: usize,
}

struct OpenFile {
    file: File,
    id: FileId,
    head: Head,
    /// Where the line that is not complete yet begins.
    line_start: u64,
    /// What of it was read.
    partial: Vec<u8>,
    /// The line is longer than allowed; its rest is passed over.
    cutting: bool,
    /// When its end was reached after it was renamed away.
    drained: Option<Instant>,
}

/// What came of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    /// There may be more at once.
    More,
    /// Nothing more until something changes.
    Idle,
    /// Nothing more, but the file was renamed away and is looked at again soon.
    Draining,
    /// The file was read to its end, and the next one begins. Stages should let go of its lines.
    Finished,
    /// Nothing is behind the path any more.
    Gone,
}

impl FollowedFile {
    /// Opens what is behind `path`, and what was behind it when `saved` was written.
    pub fn open(
        path: &Path,
        saved: Option<Saved>,
        places: &mut Places,
        line_bytes_max: usize,
    ) -> io::Result<FollowedFile> {
        let mut followed = FollowedFile {
            path: path.to_path_buf(),
            files: VecDeque::new(),
            trail: Vec::new(),
            line_bytes_max,
        };
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let id = FileId::of(&metadata);
        match saved {
            Some(Saved { offset, file: Some((saved_id, head)), next }) => {
                places.entry(saved_id).or_insert(Place { offset, head });
                // They may have been rotated away while nobody looked.
                for old_id in std::iter::once(saved_id).chain(next).filter(|old_id| *old_id != id) {
                    if let Some(old) = find_renamed(path, old_id) {
                        followed.push(old, old_id, places)?;
                    }
                }
            }
            Some(Saved { offset, file: None, .. }) if offset <= metadata.len() => {
                places.entry(id).or_insert(Place { offset, head: Head::of(&file, HEAD_BYTES)? });
            }
            _ => {}
        }
        followed.push(file, id, places)?;
        Ok(followed)
    }

    fn push(&mut self, file: File, id: FileId, places: &mut Places) -> io::Result<()> {
        let place = match places.get(&id) {
            Some(place) if place.offset <= file.metadata()?.len() && place.head.still_holds(&file)? => *place,
            _ => Place::default(),
        };
        places.insert(id, place);
        self.trail.push(id);
        self.files.push_back(OpenFile {
            file,
            id,
            head: place.head,
            line_start: place.offset,
            partial: Vec::new(),
            cutting: false,
            drained: None,
        });
        Ok(())
    }

    /// Looks what is behind the path now.
    pub fn check(&mut self, places: &mut Places) -> io::Result<()> {
        let current = match std::fs::metadata(&self.path) {
            Ok(metadata) => Some(FileId::of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(id) = current
            && self.files.back().is_none_or(|last| last.id != id)
        {
            let file = File::open(&self.path)?;
            // Asked again: the name may mean yet another file by now.
            let id = FileId::of(&file.metadata()?);
            if self.files.iter().all(|open| open.id != id) {
                self.push(file, id, places)?;
            }
        }
        if current.is_none()
            && let Some(last) = self.files.back_mut()
        {
            last.drained.get_or_insert_with(Instant::now);
        }
        for open in &mut self.files {
            open.check_truncated(places)?;
        }
        Ok(())
    }

    /// Where the file that is being read is, for the position.
    pub fn place(&self) -> Option<(FileId, Head, u64)> {
        self.files.front().map(|file| (file.id, file.head, file.line_start))
    }

    /// The files that came after this one.
    pub fn after(&self, id: FileId) -> Vec<FileId> {
        let at = self.trail.iter().rposition(|known| *known == id);
        at.map(|at| self.trail[at + 1..].to_vec()).unwrap_or_default()
    }

    /// The saved position is about this file now.
    pub fn forget_before(&mut self, id: FileId) {
        if let Some(at) = self.trail.iter().rposition(|known| *known == id) {
            self.trail.drain(..at);
        }
    }

    pub fn ids(&self) -> impl Iterator<Item = FileId> + '_ {
        self.files.iter().map(|file| file.id)
    }

    /// Size of the file and how much of it was read.
    pub fn progress(&self) -> (u64, u64) {
        let Some(last) = self.files.back() else { return (0, 0) };
        (last.file.metadata().map_or(0, |metadata| metadata.len()), last.line_start)
    }

    /// Reads on by about one chunk, giving every complete line to `visit`.
    pub fn read(&mut self, places: &mut Places, visit: &mut dyn FnMut(Line<'_>)) -> io::Result<ReadEnd> {
        let more_files = self.files.len() > 1;
        let Some(file) = self.files.front_mut() else { return Ok(ReadEnd::Gone) };
        let renamed = more_files || file.drained.is_some();
        if file.read_chunk(places, self.line_bytes_max, visit)? {
            file.drained = renamed.then(Instant::now);
            return Ok(ReadEnd::More);
        }
        if !renamed {
            return Ok(ReadEnd::Idle);
        }
        if file.drained.get_or_insert_with(Instant::now).elapsed() < DRAIN && !file.is_quiet() {
            return Ok(ReadEnd::Draining);
        }
        file.finish_line(places, visit);
        self.files.pop_front();
        Ok(if more_files { ReadEnd::Finished } else { ReadEnd::Gone })
    }
}

impl OpenFile {
    /// Whether nobody has written for long, by the file's own time.
    fn is_quiet(&self) -> bool {
        let modified = self.file.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age >= DRAIN))
    }

    /// A file that is shorter than what was read, or begins in another way, was truncated.
    fn check_truncated(&mut self, places: &mut Places) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let read_to = self.line_start + self.partial.len() as u64;
        if len >= read_to && self.head.still_holds(&self.file)? {
            return Ok(());
        }
        self.line_start = 0;
        self.partial.clear();
        self.cutting = false;
        self.head = Head::default();
        places.insert(self.id, Place::default());
        Ok(())
    }

    /// Returns false at the end of the file.
    fn read_chunk(
        &mut self,
        places: &mut Places,
        line_bytes_max: usize,
        visit: &mut dyn FnMut(Line<'_>),
    ) -> io::Result<bool> {
        // The same file may have been read under another name.
        if let Some(place) = places.get(&self.id)
            && place.offset > self.line_start
        {
            self.line_start = place.offset;
            self.head = place.head;
            self.partial.clear();
        }
        let offset = self.line_start + self.partial.len() as u64;
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = read_some(&self.file, &mut chunk, offset)?;
        chunk.truncate(read);
        if read == 0 {
            return Ok(false);
        }
        if (self.head.bytes as usize) < HEAD_BYTES {
            self.head = Head::of(&self.file, (offset as usize).saturating_add(read))?;
        }
        if self.partial.is_empty() && chunk.iter().all(|byte| *byte == 0) {
            self.line_start = skip_hole(&self.file, offset, read as u64);
        } else {
            self.split(&chunk, line_bytes_max, visit);
        }
        places.insert(self.id, Place { offset: self.line_start, head: self.head });
        Ok(true)
    }

    fn split(&mut self, chunk: &[u8], line_bytes_max: usize, visit: &mut dyn FnMut(Line<'_>)) {
        let mut rest = chunk;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (line, after) = (&rest[..at], &rest[at + 1..]);
            let bytes = if self.partial.is_empty() {
                line
            } else {
                self.partial.extend_from_slice(line);
                &self.partial
            };
            let length = bytes.len() as u64 + 1;
            if self.cutting {
                self.cutting = false;
            } else {
                let cut = bytes.len() > line_bytes_max;
                let bytes = if cut { &bytes[..line_bytes_max] } else { bytes };
                let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
                visit(Line { bytes, start: self.line_start, cut });
            }
            self.line_start += length;
            self.partial.clear();
            rest = after;
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > line_bytes_max {
            if !self.cutting {
                visit(Line { bytes: &self.partial[..line_bytes_max], start: self.line_start, cut: true });
            }
            self.cutting = true;
            self.line_start += self.partial.len() as u64;
            self.partial.clear();
        }
    }

    /// Gives out a last line that has no end.
    fn finish_line(&mut self, places: &mut Places, visit: &mut dyn FnMut(Line<'_>)) {
        if !self.partial.is_empty() && !self.cutting {
            visit(Line { bytes: &self.partial, start: self.line_start, cut: false });
        }
        self.line_start += self.partial.len() as u64;
        self.partial.clear();
        places.insert(self.id, Place { offset: self.line_start, head: self.head });
    }
}

/// The end of a run of zero bytes: sparse files (`lastlog`) claim to be huge and hold nothing.
fn skip_hole(file: &File, offset: u64, read: u64) -> u64 {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(data) => data.max(offset + read),
        Err(rustix::io::Errno::NXIO) => file.metadata().map_or(offset + read, |metadata| metadata.len()),
        Err(_) => offset + read,
    }
}

fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn read_full(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match read_some(file, &mut buffer[read..], offset + read as u64)? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

/// The file that `path` once named, under the name it has now, beside it.
pub(crate) fn find_renamed(path: &Path, id: FileId) -> Option<File> {
    let dir = path.parent()?;
    for entry in std::fs::read_dir(dir).ok()?.flatten() {
        let found = entry.metadata().is_ok_and(|metadata| metadata.is_file() && FileId::of(&metadata) == id);
        if found {
            return File::open(entry.path()).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests;
