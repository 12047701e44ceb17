//! Request lines as people type them.
//!
//! `curl -g 'localhost:9090/api/v1/query?query=up{job="node"}'` sends the quotes as they are. The originals'
//! servers take that, our HTTP parser answers 400. So the first line of a connection is mended on its way in:
//! the three characters `"`, `<` and `>` are percent-encoded, everything else and everything after that line
//! passes untouched. Later requests of the same connection come from programs, and programs encode.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Read at a time while the first line is not over.
const PIECE_BYTES: usize = 4096;

/// A connection whose first line is mended.
pub(crate) struct Lenient<S> {
    stream: S,
    /// Still inside the first line.
    first_line: bool,
    /// Mended bytes that have not been read yet, from `read` on.
    mended: Vec<u8>,
    read: usize,
}

impl<S> Lenient<S> {
    pub fn new(stream: S) -> Lenient<S> {
        Lenient { stream, first_line: true, mended: Vec::new(), read: 0 }
    }

    fn mend(&mut self, piece: &[u8]) {
        let (line, rest) = match piece.iter().position(|b| *b == b'\n') {
            Some(end) => piece.split_at(end),
            None => (piece, &[][..]),
        };
        self.first_line = line.len() == piece.len();
        for byte in line {
            match byte {
                b'"' => self.mended.extend_from_slice(b"%22"),
                b'<' => self.mended.extend_from_slice(b"%3C"),
                b'>' => self.mended.extend_from_slice(b"%3E"),
                byte => self.mended.push(*byte),
            }
        }
        self.mended.extend_from_slice(rest);
    }

    /// Hands out mended bytes; false if there are none.
    fn hand_out(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let Some(left) = self.mended.get(self.read..).filter(|left| !left.is_empty()) else { return false };
        let count = left.len().min(buf.remaining());
        buf.put_slice(&left[..count]);
        self.read += count;
        if self.read == self.mended.len() {
            // Given back to the allocator: most of a connection's life comes after its first line.
            self.mended = Vec::new();
            self.read = 0;
        }
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lenient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.hand_out(buf) {
            return Poll::Ready(Ok(()));
        }
        if !self.first_line {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let mut space = [0; PIECE_BYTES];
        let mut piece = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        self.mend(piece.filled());
        // An empty piece is the end of the stream, and so is what is handed out then: nothing.
        self.hand_out(buf);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lenient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn check(pieces: &[&str], expected: &str) {
        let (client, server) = tokio::io::duplex(1 << 20);
        let mut lenient = Lenient::new(server);
        let mut read = Vec::new();
        let mut client = client;
        for piece in pieces {
            tokio::io::AsyncWriteExt::write_all(&mut client, piece.as_bytes()).await.unwrap();
            // A small buffer: what was mended comes out in several reads.
            let mut some = [0; 7];
            let count = lenient.read(&mut some).await.unwrap();
            read.extend_from_slice(&some[..count]);
        }
        drop(client);
        lenient.read_to_end(&mut read).await.unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), expected);
    }

    #[tokio::test]
    async fn only_the_first_line_is_mended() {
        check(&["GET /?a=\"b\" HTTP/1.1\r\n\r\n"], "GET /?a=%22b%22 HTTP/1.1\r\n\r\n").await;
        check(
            &["GET /?a<\"", "\">b HTTP/1.1\r\nX: \"<>\"\r\n", "\r\n\"body\""],
            concat!("GET /?a%3C%22%22%3Eb HTTP/1.1\r\nX: \"<>\"\r\n", "\r\n\"body\""),
        )
        .await;
        check(&["PRI * HTTP/2.0\r\n", "\r\nSM\r\n\r\n\"<>"], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\"<>").await;
        check(&["no line end \""], "no line end %22").await;
        check(&[], "").await;
    }
}
