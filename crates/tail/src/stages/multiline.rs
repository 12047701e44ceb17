//! Joining lines that belong together, a stack trace for example.

use std::time::{Duration, Instant};

use crate::config::MultilineConfig;
use crate::entry::Entry;

pub(super) struct Multiline {
    firstline: re2::Regex,
    max_wait: Duration,
    max_lines: usize,
    block: Option<Block>,
}

struct Block {
    entry: Entry,
    lines: usize,
    last: Instant,
}

impl Multiline {
    pub fn new(config: &MultilineConfig) -> Result<Multiline, String> {
        if config.firstline.is_empty() {
            return Err("multiline stage config must define `firstline` regular expression".into());
        }
        Ok(Multiline {
            firstline: re2::Regex::new(&config.firstline).map_err(|e| e.to_string())?,
            max_wait: config.max_wait_time.to_std(),
            max_lines: config.max_lines.max(1),
            block: None,
        })
    }

    /// Takes a line in and gives out the block that it ends, if any.
    pub fn apply(&mut self, entry: Entry, now: Instant) -> Option<Entry> {
        let begins = self.firstline.is_match(&entry.line);
        match &mut self.block {
            // Before the first first line nothing can be told: lines pass as they are.
            None if !begins => Some(entry),
            Some(block) if !begins && fits(block, &entry, self.max_lines) => {
                block.entry.line.push('\n');
                block.entry.line.push_str(&entry.line);
                block.lines += 1;
                block.last = now;
                None
            }
            _ => self.block.replace(Block { entry, lines: 1, last: now }).map(|block| block.entry),
        }
    }

    pub fn release(&mut self, all: bool, now: Instant) -> Option<Entry> {
        if !all && self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.block.take().map(|block| block.entry)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.block.as_ref().map(|block| block.last + self.max_wait)
    }

    pub fn held(&self) -> Option<u64> {
        self.block.as_ref().map(|block| block.entry.origin)
    }
}

fn fits(block: &Block, entry: &Entry, max_lines: usize) -> bool {
    block.lines < max_lines && block.entry.line.len() + entry.line.len() < crate::LINE_BYTES_MAX
}
