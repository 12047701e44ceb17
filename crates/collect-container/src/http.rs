//! One GET over a Unix socket. HTTP/1.0 keeps it small: the answer is neither chunked nor kept alive.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long the engine may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Answers longer than this are refused: a list of a thousand containers has about 2 MiB.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// The body of `GET path`; anything but 200 is an error.
pub fn get(socket: &Path, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer)?;
    if answer.len() as u64 > ANSWER_BYTES_MAX {
        return Err(bad(format!("answer to {path} has more than {ANSWER_BYTES_MAX} bytes")));
    }
    body(path, answer)
}

fn body(path: &str, mut answer: Vec<u8>) -> io::Result<Vec<u8>> {
    let end =
        answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(|| bad("not an HTTP answer".into()))?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap_or("");
    if status != "200" {
        return Err(bad(format!("{path} answered {}", head.lines().next().unwrap_or(""))));
    }
    answer.drain(..end + 4);
    Ok(answer)
}

fn bad(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert_eq!(body("/", b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}".to_vec()).unwrap(), b"{}");
        assert!(
            body("/x", b"HTTP/1.0 404 Not Found\r\n\r\n".to_vec()).unwrap_err().to_string().contains("404")
        );
        assert!(body("/", b"nonsense".to_vec()).is_err());
    }
}
