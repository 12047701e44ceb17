//! From raw page bytes to stored page bytes and back: the one place where compression happens and where
//! encryption will.

use bytes::Bytes;

use crate::error::{KernelError, KernelErrorKind};

/// The most bytes a page may hold before compression. Bounds what reading one page can allocate.
pub const PAGE_BYTES_MAX: usize = 64 << 20;

/// zstd's own default: beyond it, time grows faster than ratio on column data.
pub const ZSTD_LEVEL_DEFAULT: i32 = 3;

/// How a page wants to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Zstd(i32),
}

impl Default for Compression {
    fn default() -> Compression {
        Compression::Zstd(ZSTD_LEVEL_DEFAULT)
    }
}

/// How a page is stored: the number in the page directory.
const STORED_PLAIN: u8 = 0;
const STORED_ZSTD: u8 = 1;

/// A page ready to be written.
pub(crate) struct Sealed<'a> {
    pub encoding: u8,
    pub bytes: std::borrow::Cow<'a, [u8]>,
}

pub(crate) fn seal(raw: &[u8], compression: Compression) -> Result<Sealed<'_>, KernelError> {
    if raw.len() > PAGE_BYTES_MAX {
        let message = format!("page of {} bytes exceeds the limit of {PAGE_BYTES_MAX}", raw.len());
        return Err(KernelError::new(KernelErrorKind::LimitExceeded, message));
    }
    if let Compression::Zstd(level) = compression {
        let packed = zstd::bulk::compress(raw, level)
            .map_err(|error| KernelError::new(KernelErrorKind::Io, format!("compressing a page: {error}")))?;
        // A page that does not shrink is cheaper to read as it is.
        if packed.len() < raw.len() {
            return Ok(Sealed { encoding: STORED_ZSTD, bytes: packed.into() });
        }
    }
    Ok(Sealed { encoding: STORED_PLAIN, bytes: raw.into() })
}

pub(crate) fn open(encoding: u8, stored: Vec<u8>, raw_len: usize) -> Result<Bytes, String> {
    if raw_len > PAGE_BYTES_MAX {
        return Err(format!("claims {raw_len} bytes, the limit is {PAGE_BYTES_MAX}"));
    }
    let raw = match encoding {
        STORED_PLAIN => stored,
        STORED_ZSTD => zstd::bulk::decompress(&stored, raw_len).map_err(|error| error.to_string())?,
        other => return Err(format!("unknown encoding {other}")),
    };
    if raw.len() != raw_len {
        return Err(format!("has {} bytes, the directory says {raw_len}", raw.len()));
    }
    Ok(Bytes::from(raw))
}
