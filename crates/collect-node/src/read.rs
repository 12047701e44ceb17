//! Reading small kernel files into one reused buffer, and numbers out of bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::failure::Failure;

/// Kernel files longer than this are refused: `/proc/stat` of a thousand cores has about 200 KiB.
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 20;

pub(crate) struct Reader<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Reader<'a> {
    pub fn new(buffer: &'a mut Vec<u8>) -> Reader<'a> {
        Reader { buffer }
    }

    /// The whole file as text; bytes that are no UTF-8 end it. Kernel files are ASCII.
    pub fn text(&mut self, path: &Path) -> Result<&str, Failure> {
        read_into(path, self.buffer).map_err(|e| Failure::io(path, &e))?;
        Ok(utf8_prefix(self.buffer))
    }
}

fn read_into(path: &Path, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    buffer.clear();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(buffer)?;
    if buffer.len() as u64 > FILE_BYTES_MAX {
        let message = format!("more than {FILE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
    }
    Ok(())
}

fn utf8_prefix(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or(""),
    }
}

/// A one-line file, trimmed; `None` when it cannot be read.
pub(crate) fn line(path: &Path) -> Option<String> {
    let mut buffer = Vec::with_capacity(64);
    read_into(path, &mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer).trim().to_owned())
}

/// A file that holds one number.
pub(crate) fn number_file(path: &Path) -> Option<f64> {
    line(path)?.parse().ok()
}

/// Names in a directory, sorted. An unreadable directory is an error.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, Failure> {
    let entries = std::fs::read_dir(path).map_err(|e| Failure::io(path, &e))?;
    let mut names: Vec<String> =
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    Ok(names)
}

/// A number of a kernel file; the error names what was read.
pub(crate) fn number(text: &str, what: &str) -> Result<f64, Failure> {
    text.parse().map_err(|_| Failure::broken(format!("invalid value {text:?} in {what}")))
}

/// A number that may be written in hexadecimal (`0x1003`) or decimal.
pub(crate) fn hex_or_decimal(text: &str) -> Option<f64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|v| v as f64),
        None => text.parse::<i64>().ok().map(|v| v as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(
            (hex_or_decimal("0x1003"), hex_or_decimal("-1"), hex_or_decimal("x")),
            (Some(4099.0), Some(-1.0), None)
        );
        assert!(matches!(number("12x", "/proc/stat"), Err(Failure::Broken(m)) if m.contains("12x")));
    }

    #[test]
    fn text_stops_at_what_is_no_text() {
        assert_eq!(utf8_prefix(b"ab\xffcd"), "ab");
    }

    #[test]
    fn an_absent_file_is_no_data() {
        let mut buffer = Vec::new();
        let outcome = Reader::new(&mut buffer).text(Path::new("/nonexistent/file")).map(str::to_owned);
        assert!(matches!(outcome, Err(Failure::NoData(_))));
    }
}
