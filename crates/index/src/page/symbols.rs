//! The ordered dictionary of names and values, front-coded in blocks.
//!
//! ```text
//! symbols = u32 count, u32 block_offset{ceil(count/16)}, block*
//! block   = { uvarint shared, uvarint rest_len, rest }{<=16}     shared = 0 for the first of a block
//! ```
//!
//! A symbol's number is its rank, so comparing numbers compares strings.

use crate::IndexError;
use crate::bytes::{Cursor, put_u32, put_uvarint};

const BLOCK: usize = 16;

/// Serialises strictly ascending symbols.
pub fn write(sorted: &[&str]) -> Vec<u8> {
    let (mut offsets, mut blocks) = (Vec::new(), Vec::new());
    let mut last = "";
    for (at, symbol) in sorted.iter().enumerate() {
        let shared = if at % BLOCK == 0 {
            offsets.push(blocks.len() as u32);
            0
        } else {
            last.bytes().zip(symbol.bytes()).take_while(|(a, b)| a == b).count()
        };
        put_uvarint(&mut blocks, shared as u64);
        put_uvarint(&mut blocks, (symbol.len() - shared) as u64);
        blocks.extend_from_slice(&symbol.as_bytes()[shared..]);
        last = symbol;
    }
    let mut out = Vec::with_capacity(4 + offsets.len() * 4 + blocks.len());
    put_u32(&mut out, sorted.len() as u32);
    offsets.iter().for_each(|offset| put_u32(&mut out, *offset));
    out.extend_from_slice(&blocks);
    out
}

#[derive(Clone, Copy)]
pub struct Symbols<'a> {
    count: u32,
    offsets: &'a [u8],
    blocks: &'a [u8],
}

/// A symbol and where decoding may go on; steps to the next symbol are cheap.
pub struct Walker<'a> {
    symbols: Symbols<'a>,
    cursor: Cursor<'a>,
    /// The number of the symbol in `buffer`.
    at: Option<u32>,
    buffer: Vec<u8>,
}

impl<'a> Symbols<'a> {
    pub fn read(section: &'a [u8]) -> Result<Symbols<'a>, IndexError> {
        let mut cursor = Cursor::new(section, 0, "symbol table");
        let count = cursor.u32()?;
        let offsets = cursor.take((count as usize).div_ceil(BLOCK) * 4)?;
        Ok(Symbols { count, offsets, blocks: &section[cursor.at()..] })
    }

    pub fn walker(&self) -> Walker<'a> {
        let cursor = Cursor::new(self.blocks, 0, "symbol block");
        Walker { symbols: *self, cursor, at: None, buffer: Vec::new() }
    }

    /// The number of `symbol`, or else of the first one above it (`Err`).
    pub fn find(&self, symbol: &str) -> Result<Result<u32, u32>, IndexError> {
        let mut walker = self.walker();
        // The last block whose first symbol is not above the wanted one.
        let (mut low, mut high) = (0u32, self.count.div_ceil(BLOCK as u32));
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if walker.get(middle * BLOCK as u32)?.as_bytes() <= symbol.as_bytes() {
                low = middle;
            } else {
                high = middle;
            }
        }
        let first = low * BLOCK as u32;
        for number in first..self.count.min(first + BLOCK as u32) {
            match walker.get(number)?.as_bytes().cmp(symbol.as_bytes()) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Ok(number)),
                std::cmp::Ordering::Greater => return Ok(Err(number)),
            }
        }
        Ok(Err(self.count.min(first + BLOCK as u32)))
    }

    fn block(&self, block: usize) -> Result<Cursor<'a>, IndexError> {
        let offset = Cursor::new(self.offsets, block * 4, "symbol offset").u32()?;
        Ok(Cursor::new(self.blocks, offset as usize, "symbol block"))
    }
}

impl Walker<'_> {
    /// The symbol with this number.
    pub fn get(&mut self, number: u32) -> Result<&str, IndexError> {
        if number >= self.symbols.count {
            return Err(IndexError::new("symbol number", number as usize));
        }
        let block = number as usize / BLOCK;
        let ahead = self.at.is_some_and(|at| at as usize / BLOCK == block && at <= number);
        if !ahead {
            self.cursor = self.symbols.block(block)?;
            self.at = None;
        }
        let next = self.at.map_or(block * BLOCK, |at| at as usize + 1);
        for _ in next..=number as usize {
            let shared = self.cursor.uvarint()? as usize;
            let len = self.cursor.uvarint()? as usize;
            let rest = self.cursor.take(len)?;
            if shared > self.buffer.len() {
                return Err(self.cursor.error());
            }
            self.buffer.truncate(shared);
            self.buffer.extend_from_slice(rest);
        }
        self.at = Some(number);
        std::str::from_utf8(&self.buffer).map_err(|_| IndexError::new("symbol text", number as usize))
    }
}
