//! The one compression of the remote protocols: a raw snappy block.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnappyError {
    /// The block says it is larger than `limit` bytes when decompressed.
    TooLarge {
        declared: usize,
        limit: usize,
    },
    Corrupt,
}

impl fmt::Display for SnappyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnappyError::TooLarge { limit, .. } => {
                write!(f, "decoded size exceeds the {limit} bytes limit")
            }
            SnappyError::Corrupt => f.write_str("snappy: corrupt input"),
        }
    }
}

impl std::error::Error for SnappyError {}

/// Decompresses `body` into the front of `buffer`, which grows as needed but never beyond `limit` bytes:
/// the declared length is judged before anything is allocated. Returns the plain bytes.
pub fn decompress<'b>(body: &[u8], buffer: &'b mut Vec<u8>, limit: usize) -> Result<&'b [u8], SnappyError> {
    let declared = snap::raw::decompress_len(body).map_err(|_| SnappyError::Corrupt)?;
    if declared > limit {
        return Err(SnappyError::TooLarge { declared, limit });
    }
    if buffer.len() < declared {
        buffer.resize(declared, 0);
    }
    let written = snap::raw::Decoder::new().decompress(body, buffer).map_err(|_| SnappyError::Corrupt)?;
    Ok(buffer.get(..written).unwrap_or_default())
}

/// One raw block of `plain`.
pub fn compress(plain: &[u8]) -> Vec<u8> {
    let mut encoder = snap::raw::Encoder::new();
    // Only beyond four gigabytes does the format fail, which no limit of ours lets through.
    encoder.compress_vec(plain).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        let mut buffer = Vec::new();
        let pack = |text: &[u8]| snap::raw::Encoder::new().compress_vec(text).unwrap();
        assert_eq!(decompress(&pack(b"a longer text"), &mut buffer, 100).unwrap(), b"a longer text");
        assert_eq!(decompress(&pack(b"short"), &mut buffer, 100).unwrap(), b"short");
        assert_eq!(decompress(&pack(b""), &mut buffer, 100).unwrap(), b"");
    }

    #[test]
    fn lies_about_the_length_cost_nothing() {
        let mut buffer = Vec::new();
        let four_gigabytes = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        assert!(matches!(
            decompress(&four_gigabytes, &mut buffer, 1 << 20),
            Err(SnappyError::TooLarge { limit: 1_048_576, .. })
        ));
        for bad in [&b""[..], b"\xff\xff\xff\xff\xff\xff", b"\x05hello", b"\x05\x00"] {
            assert_eq!(decompress(bad, &mut buffer, 1 << 20), Err(SnappyError::Corrupt), "{bad:?}");
        }
        assert!(buffer.capacity() < 1024);
    }
}
