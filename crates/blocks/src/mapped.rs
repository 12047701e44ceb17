//! Files as memory.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::BlockError;

/// A whole file, mapped. Only what is touched is read.
#[derive(Debug)]
pub struct Mapped {
    path: PathBuf,
    /// None for an empty file, which cannot be mapped.
    map: Option<Mmap>,
}

impl Mapped {
    pub fn open(path: &Path) -> Result<Mapped, BlockError> {
        let failed = |error: std::io::Error| BlockError::io(path, &error);
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let map = match len {
            0 => None,
            // SAFETY: the files of blocks, checkpoints and closed segments are never changed after they
            // were written, neither by Prometheus nor by us; whoever cuts them short under a running
            // program takes the program's life, not its memory safety.
            _ => Some(unsafe { Mmap::map(&file) }.map_err(failed)?),
        };
        Ok(Mapped { path: path.to_owned(), map })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// `len` bytes from `at` on.
    pub fn range(&self, at: u64, len: usize) -> Result<&[u8], BlockError> {
        let tail = self.from(at)?;
        tail.get(..len).ok_or_else(|| self.error("unexpected end of the file"))
    }

    /// Everything from `at` on.
    pub fn from(&self, at: u64) -> Result<&[u8], BlockError> {
        let at = usize::try_from(at).ok();
        at.and_then(|at| self.bytes().get(at..))
            .ok_or_else(|| self.error("offset beyond the end of the file"))
    }

    pub fn error(&self, what: &str) -> BlockError {
        BlockError::new(format!("{}: {what}", self.path.display()))
    }
}
