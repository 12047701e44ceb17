//! How far each remote is, noted at every step between two saves.
//!
//! Saving cursors forces them to the platter and is done now and then. In between each step is appended to a
//! small file that nobody syncs: it survives the death of the process, which is what makes sending twice
//! rare, and only a loss of power goes back to the last save.
//!
//! ```text
//! step = remote u64, lsn u64, before u64, crc32c u32     little endian
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::{Disk, DiskFile};

use super::state::Place;

const STEP_BYTES: usize = 28;

pub struct Steps {
    file: Arc<dyn DiskFile>,
    pub path: PathBuf,
}

impl Steps {
    /// Reads what the last process left and begins anew. Unreadable steps are as good as none.
    pub fn open(disk: &dyn Disk, dir: &Path) -> std::io::Result<(Steps, Vec<(u64, Place)>)> {
        let path = dir.join("STEPS");
        let left = disk.read(&path).unwrap_or_default();
        let (steps, _) = left.as_chunks::<STEP_BYTES>();
        let found = steps.iter().filter_map(read).collect();
        // Not emptied before the cursors are saved.
        let file = match disk.open_write(&path) {
            Ok(file) => {
                // A half-written step would shift all that follow.
                file.truncate((steps.len() * STEP_BYTES) as u64)?;
                file
            }
            Err(_) => disk.create(&path)?,
        };
        Ok((Steps { file, path }, found))
    }

    pub fn note(&self, id: u64, place: Place) -> std::io::Result<()> {
        let mut step = [0; STEP_BYTES];
        step[..8].copy_from_slice(&id.to_le_bytes());
        step[8..16].copy_from_slice(&place.lsn.to_le_bytes());
        step[16..24].copy_from_slice(&place.before.to_le_bytes());
        let crc = crc32c::crc32c(&step[..24]);
        step[24..].copy_from_slice(&crc.to_le_bytes());
        self.file.append(&step)
    }

    /// The cursors are saved: what was noted says nothing new.
    pub fn clear(&self) -> std::io::Result<()> {
        self.file.truncate(0)
    }
}

fn read(step: &[u8; STEP_BYTES]) -> Option<(u64, Place)> {
    let number = |at: usize| Some(u64::from_le_bytes(*step.get(at..)?.first_chunk::<8>()?));
    let crc = u32::from_le_bytes(*step.get(24..)?.first_chunk::<4>()?);
    (crc32c::crc32c(step.get(..24)?) == crc)
        .then_some((number(0)?, Place { lsn: number(8)?, before: number(16)? }))
}
