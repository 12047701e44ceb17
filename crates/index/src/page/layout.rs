//! The header of an index page and how its sections are found.

use crate::IndexError;
use crate::bytes::{Cursor, put_u32};

pub const MAGIC: &[u8; 4] = b"CMix";
pub const VERSION: u32 = 1;

/// Magic, version, series count, then offset and length of each section.
pub const HEADER_LEN: usize = 4 + 4 + 4 + SECTIONS * 8;
const SECTIONS: usize = 4;

/// Where the four sections lie.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout {
    pub series_count: u32,
    pub symbols: Section,
    pub shapes: Section,
    pub series: Section,
    pub pairs: Section,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Section {
    pub offset: u32,
    pub len: u32,
}

impl Section {
    pub fn of<'a>(&self, page: &'a [u8], what: &'static str) -> Result<&'a [u8], IndexError> {
        Cursor::new(page, self.offset as usize, what).take(self.len as usize)
    }
}

impl Layout {
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        put_u32(out, VERSION);
        put_u32(out, self.series_count);
        for section in [self.symbols, self.shapes, self.series, self.pairs] {
            put_u32(out, section.offset);
            put_u32(out, section.len);
        }
    }

    pub fn read(page: &[u8]) -> Result<Layout, IndexError> {
        let mut cursor = Cursor::new(page, 0, "header");
        if cursor.take(4)? != MAGIC {
            return Err(IndexError::new("magic", 0));
        }
        if cursor.u32()? != VERSION {
            return Err(IndexError::new("version", 4));
        }
        let series_count = cursor.u32()?;
        let mut section = || Ok(Section { offset: cursor.u32()?, len: cursor.u32()? });
        Ok(Layout {
            series_count,
            symbols: section()?,
            shapes: section()?,
            series: section()?,
            pairs: section()?,
        })
    }
}
