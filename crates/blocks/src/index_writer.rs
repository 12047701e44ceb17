//! Writes a block's `index`, version 2. The layout stands in [`index_reader`](crate::index_reader).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use codec::{write_ivarint, write_uvarint};
use model::Labels;

use crate::BlockError;
use crate::index_reader::{ChunkMeta, MAGIC, SERIES_ALIGN};

const VERSION: u8 = 2;

/// Memory is the symbols, and four bytes per series and label.
pub struct IndexWriter {
    path: PathBuf,
    file: BufWriter<File>,
    at: u64,
    symbols: HashMap<String, u32>,
    /// Series with a label pair, by the numbers of name and value. Numbers order as strings do.
    postings: BTreeMap<(u32, u32), Vec<u32>>,
    all: Vec<u32>,
    toc: [u64; 6],
    scratch: Vec<u8>,
    last: Option<Labels>,
}

impl IndexWriter {
    /// Begins an index. `symbols`: every label name and value that will come.
    pub fn create(path: &Path, symbols: &BTreeSet<&str>) -> Result<IndexWriter, BlockError> {
        let file = File::create(path).map_err(|error| BlockError::io(path, &error))?;
        let mut writer = IndexWriter {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
            at: 0,
            symbols: HashMap::with_capacity(symbols.len()),
            postings: BTreeMap::new(),
            all: Vec::new(),
            toc: [0; 6],
            scratch: Vec::new(),
            last: None,
        };
        let mut header = MAGIC.to_be_bytes().to_vec();
        header.push(VERSION);
        writer.write(&header)?;
        writer.toc[0] = writer.at;
        let mut table = (symbols.len() as u32).to_be_bytes().to_vec();
        for (number, symbol) in symbols.iter().enumerate() {
            codec::write_bytes(&mut table, symbol.as_bytes());
            writer.symbols.insert((*symbol).to_owned(), number as u32);
        }
        writer.write_section(&table)?;
        writer.toc[1] = writer.at;
        Ok(writer)
    }

    /// Adds a series, which sorts after all before.
    pub fn add(&mut self, labels: &Labels, chunks: &[ChunkMeta]) -> Result<(), BlockError> {
        if self.last.as_ref().is_some_and(|last| last >= labels) {
            return Err(BlockError::new(format!("out-of-order series added with label set {labels:?}")));
        }
        self.pad(SERIES_ALIGN)?;
        let reference = u32::try_from(self.at / SERIES_ALIGN)
            .map_err(|_| BlockError::new("the index of a block would exceed 64 GiB"))?;
        let mut body = Vec::with_capacity(64 + chunks.len() * 8);
        write_uvarint(&mut body, labels.len() as u64);
        for (name, value) in labels {
            let (name, value) = (self.number(name)?, self.number(value)?);
            write_uvarint(&mut body, u64::from(name));
            write_uvarint(&mut body, u64::from(value));
            self.postings.entry((name, value)).or_default().push(reference);
        }
        self.all.push(reference);
        write_uvarint(&mut body, chunks.len() as u64);
        let mut before: Option<&ChunkMeta> = None;
        for chunk in chunks {
            match before {
                None => write_ivarint(&mut body, chunk.min_t),
                Some(before) => write_uvarint(&mut body, chunk.min_t.wrapping_sub(before.max_t) as u64),
            }
            write_uvarint(&mut body, chunk.max_t.wrapping_sub(chunk.min_t) as u64);
            match before {
                None => write_uvarint(&mut body, chunk.reference),
                Some(before) => {
                    write_ivarint(&mut body, chunk.reference.wrapping_sub(before.reference) as i64);
                }
            }
            before = Some(chunk);
        }
        self.scratch.clear();
        let mut entry = std::mem::take(&mut self.scratch);
        write_uvarint(&mut entry, body.len() as u64);
        entry.extend_from_slice(&body);
        entry.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
        let written = self.write(&entry);
        self.scratch = entry;
        self.last = Some(labels.clone());
        written
    }

    pub fn series(&self) -> u64 {
        self.all.len() as u64
    }

    /// Writes everything that follows the series and makes the file durable.
    pub fn finish(mut self) -> Result<(), BlockError> {
        let names = self.names_of_symbols();
        let postings = std::mem::take(&mut self.postings);
        self.toc[2] = self.at;
        let label_offsets = self.write_label_indices(&postings)?;
        self.pad(4)?;
        self.toc[4] = self.at;
        let mut table = Vec::new();
        let all = std::mem::take(&mut self.all);
        self.write_postings(&mut table, "", "", &all)?;
        for ((name, value), series) in &postings {
            let text = |number: &u32| names.get(*number as usize).map_or("", String::as_str);
            self.write_postings(&mut table, text(name), text(value), series)?;
        }
        self.toc[3] = self.at;
        let mut offsets = (label_offsets.len() as u32).to_be_bytes().to_vec();
        for (name, at) in label_offsets {
            write_uvarint(&mut offsets, 1);
            codec::write_bytes(&mut offsets, names.get(name as usize).map_or(&[][..], String::as_bytes));
            write_uvarint(&mut offsets, at);
        }
        self.write_section(&offsets)?;
        self.toc[5] = self.at;
        let mut offsets = (postings.len() as u32 + 1).to_be_bytes().to_vec();
        offsets.extend_from_slice(&table);
        self.write_section(&offsets)?;
        let toc: Vec<u8> = self.toc.iter().flat_map(|offset| offset.to_be_bytes()).collect();
        let crc = crc32c::crc32c(&toc).to_be_bytes();
        self.write(&toc)?;
        self.write(&crc)?;
        let failed = |error: std::io::Error| BlockError::io(&self.path, &error);
        let file = self.file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.sync_all().map_err(failed)
    }

    fn names_of_symbols(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.symbols.len()];
        for (name, number) in &self.symbols {
            names[*number as usize].clone_from(name);
        }
        names
    }

    /// One list of values per label name. Nobody reads them any more; the original still writes them.
    fn write_label_indices(
        &mut self,
        postings: &BTreeMap<(u32, u32), Vec<u32>>,
    ) -> Result<Vec<(u32, u64)>, BlockError> {
        let mut values: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (name, value) in postings.keys() {
            values.entry(*name).or_default().push(*value);
        }
        let mut offsets = Vec::new();
        for (name, values) in values {
            self.pad(4)?;
            offsets.push((name, self.at));
            let mut body = 1u32.to_be_bytes().to_vec();
            body.extend_from_slice(&(values.len() as u32).to_be_bytes());
            body.extend(values.iter().flat_map(|value| value.to_be_bytes()));
            self.write_section(&body)?;
        }
        Ok(offsets)
    }

    fn write_postings(
        &mut self,
        table: &mut Vec<u8>,
        name: &str,
        value: &str,
        series: &[u32],
    ) -> Result<(), BlockError> {
        self.pad(4)?;
        write_uvarint(table, 2);
        codec::write_bytes(table, name.as_bytes());
        codec::write_bytes(table, value.as_bytes());
        write_uvarint(table, self.at);
        let mut body = Vec::with_capacity(4 + series.len() * 4);
        body.extend_from_slice(&(series.len() as u32).to_be_bytes());
        body.extend(series.iter().flat_map(|series| series.to_be_bytes()));
        self.write_section(&body)
    }

    fn number(&self, symbol: &str) -> Result<u32, BlockError> {
        let number = self.symbols.get(symbol).copied();
        number.ok_or_else(|| BlockError::new(format!("symbol entry for {symbol:?} does not exist")))
    }

    fn write_section(&mut self, body: &[u8]) -> Result<(), BlockError> {
        let len = u32::try_from(body.len())
            .map_err(|_| BlockError::new("a section of a block's index would exceed 4 GiB"))?;
        self.write(&len.to_be_bytes())?;
        self.write(body)?;
        self.write(&crc32c::crc32c(body).to_be_bytes())
    }

    fn pad(&mut self, align: u64) -> Result<(), BlockError> {
        let missing = self.at.next_multiple_of(align) - self.at;
        self.write(&[0; 16][..missing as usize])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BlockError> {
        self.at += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| BlockError::io(&self.path, &error))
    }
}
