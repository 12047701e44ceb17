//! The short way to a target that is asked the same thing over and over: HTTP/1.1 without TLS, proxy or
//! credentials, on a connection of its own.
//!
//! A general client spends more on one small exchange than it takes to read what was exchanged: request and
//! connection are looked up, headers copied, and a second task drives the connection. Here the request is
//! written out once, and one task writes it and reads the answer into one buffer. Whatever is not this plain
//! is left to [`Client`](crate::Client).

use std::io::{self, Read};
use std::path::PathBuf;

use bytes::Bytes;
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::explain::explain_io;

/// Longer heads are refused.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Heads with more fields are refused.
const FIELDS_MAX: usize = 100;

/// How much is asked of the kernel at once when nothing is known about the length.
const READ_BYTES: usize = 16 << 10;

/// An announced length is believed up to here; beyond, the buffer grows as the bytes come.
const BYTES_BELIEVED: usize = 4 << 20;

/// One request to one target, again and again.
pub struct PlainGet {
    url: Url,
    socket: Option<PathBuf>,
    request: Vec<u8>,
    /// Kept open between requests. Taken out while one runs, so that a cancelled one leaves none behind.
    stream: Option<Stream>,
    /// Bytes of the last answer: the next one will need as many.
    last: usize,
}

/// A complete answer.
#[derive(Debug)]
pub struct PlainAnswer {
    pub status: u16,
    pub reason: String,
    pub content_type: String,
    pub body: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainError {
    /// The body is as long as the limit, or longer.
    BodyTooLong,
    Failed(String),
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Duplex for T {}

type Stream = Box<dyn Duplex>;

impl PlainGet {
    pub(crate) fn new(url: Url, socket: Option<PathBuf>, headers: &[(&str, &str)]) -> PlainGet {
        let mut request = format!("GET {}", url.path());
        if let Some(query) = url.query() {
            request.extend(["?", query]);
        }
        request.extend([" HTTP/1.1\r\nHost: ", url.host_str().unwrap_or_default()]);
        if let Some(port) = url.port() {
            request.push_str(&format!(":{port}"));
        }
        request.push_str("\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        PlainGet { url, socket, request: request.into_bytes(), stream: None, last: 0 }
    }

    /// Asks once. The body is unpacked; `limit` holds for it packed and unpacked.
    pub async fn fetch(&mut self, limit: u64) -> Result<PlainAnswer, PlainError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if let Some(stream) = self.stream.take() {
            match self.exchange(stream, limit).await {
                // The other side had closed the connection meanwhile.
                Err(Trouble::Gone) => {}
                other => return self.finish(other),
            }
        }
        let stream = self.connect().await.map_err(|e| self.failed(&e))?;
        let result = self.exchange(stream, limit).await;
        self.finish(result)
    }

    async fn connect(&self) -> io::Result<Stream> {
        if let Some(path) = &self.socket {
            return Ok(Box::new(UnixStream::connect(path).await?));
        }
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, self.url.port_or_known_default().unwrap_or(80))).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    fn finish(&self, result: Result<PlainAnswer, Trouble>) -> Result<PlainAnswer, PlainError> {
        result.map_err(|trouble| match trouble {
            Trouble::Gone => self.failed(&io::ErrorKind::UnexpectedEof.into()),
            Trouble::Io(e) => self.failed(&e),
            Trouble::BodyTooLong => PlainError::BodyTooLong,
            Trouble::Malformed(what) => PlainError::Failed(format!(
                "Get {:?}: net/http: HTTP/1.x transport connection broken: {what}",
                self.url.as_str()
            )),
        })
    }

    fn failed(&self, error: &io::Error) -> PlainError {
        PlainError::Failed(format!("Get {:?}: {}", self.url.as_str(), explain_io(&self.url, error)))
    }

    async fn exchange(&mut self, mut stream: Stream, limit: usize) -> Result<PlainAnswer, Trouble> {
        stream.write_all(&self.request).await.map_err(gone)?;
        let mut buffer = Vec::with_capacity(self.last.clamp(READ_BYTES, BYTES_BELIEVED) + READ_BYTES);
        let head = loop {
            let read = stream.read_buf(&mut buffer).await.map_err(gone)?;
            if read == 0 {
                return Err(if buffer.is_empty() { Trouble::Gone } else { unexpected_end() });
            }
            match Head::parse(&buffer)? {
                Some(head) => break head,
                None if buffer.len() > HEAD_BYTES_MAX => return Err(Trouble::Malformed("head too long")),
                None => {}
            }
        };
        let mut reader = BodyReader { stream: &mut stream, buffer, limit };
        let body = reader.read(&head).await?;
        self.last = reader.buffer.len().max(body.len());
        if !head.closes {
            self.stream = Some(stream);
        }
        let body = if head.is_gzip { unpack(&body, limit)? } else { body };
        if body.len() >= limit {
            return Err(Trouble::BodyTooLong);
        }
        Ok(PlainAnswer { status: head.status, reason: head.reason, content_type: head.content_type, body })
    }
}

enum Trouble {
    /// Nothing came back: the connection was not there any more.
    Gone,
    Io(io::Error),
    BodyTooLong,
    Malformed(&'static str),
}

fn gone(error: io::Error) -> Trouble {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    match error.kind() {
        BrokenPipe | ConnectionReset | NotConnected => Trouble::Gone,
        _ => Trouble::Io(error),
    }
}

fn unexpected_end() -> Trouble {
    Trouble::Io(io::ErrorKind::UnexpectedEof.into())
}

/// What stands before a body.
struct Head {
    /// Where the body begins.
    length: usize,
    status: u16,
    reason: String,
    content_type: String,
    is_gzip: bool,
    /// The connection serves no other request after this one.
    closes: bool,
    framing: Framing,
}

/// How the end of a body is found.
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

impl Head {
    /// `None` when more bytes are needed.
    fn parse(bytes: &[u8]) -> Result<Option<Head>, Trouble> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Trouble::Malformed("malformed HTTP response")),
        };
        let status = response.code.unwrap_or_default();
        let mut head = Head {
            length,
            status,
            reason: response.reason.unwrap_or_default().to_owned(),
            content_type: String::new(),
            is_gzip: false,
            closes: response.version == Some(0),
            framing: Framing::UntilClosed,
        };
        for field in response.headers.iter() {
            let Ok(value) = std::str::from_utf8(field.value) else { continue };
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-type") {
                value.clone_into(&mut head.content_type);
            } else if is("content-encoding") {
                head.is_gzip = value.eq_ignore_ascii_case("gzip");
            } else if is("connection") {
                head.closes |= value.split(',').any(|v| v.trim().eq_ignore_ascii_case("close"));
            } else if is("transfer-encoding") {
                if !value.eq_ignore_ascii_case("chunked") {
                    return Err(Trouble::Malformed("unsupported transfer encoding"));
                }
                head.framing = Framing::Chunked;
            } else if is("content-length") && !matches!(head.framing, Framing::Chunked) {
                let length = value.trim().parse().map_err(|_| Trouble::Malformed("bad Content-Length"))?;
                head.framing = Framing::Length(length);
            }
        }
        if matches!(status, 100..200 | 204 | 304) {
            head.framing = Framing::Length(0);
        }
        head.closes |= matches!(head.framing, Framing::UntilClosed);
        Ok(Some(head))
    }
}

struct BodyReader<'a> {
    stream: &'a mut Stream,
    /// Everything that came so far, the head first.
    buffer: Vec<u8>,
    limit: usize,
}

impl BodyReader<'_> {
    async fn read(&mut self, head: &Head) -> Result<Bytes, Trouble> {
        match head.framing {
            Framing::Length(length) => {
                if length >= self.limit {
                    return Err(Trouble::BodyTooLong);
                }
                let end = head.length.saturating_add(length);
                self.buffer.reserve(end.saturating_sub(self.buffer.len()).min(BYTES_BELIEVED));
                while self.buffer.len() < end {
                    self.more().await?;
                }
                self.buffer.truncate(end);
            }
            Framing::UntilClosed => loop {
                match self.more().await {
                    Ok(()) => {}
                    Err(Trouble::Io(e)) if e.kind() == io::ErrorKind::UnexpectedEof => break,
                    Err(e) => return Err(e),
                }
            },
            Framing::Chunked => return self.chunks(head.length).await,
        }
        let whole = Bytes::from(std::mem::take(&mut self.buffer));
        Ok(whole.slice(head.length..))
    }

    /// Joins the chunks that begin at `at`.
    async fn chunks(&mut self, mut at: usize) -> Result<Bytes, Trouble> {
        let mut body = Vec::with_capacity(self.buffer.capacity());
        loop {
            let rest = self.buffer.get(at..).unwrap_or_default();
            let size = match httparse::parse_chunk_size(rest) {
                Ok(httparse::Status::Complete((used, size))) => {
                    at += used;
                    usize::try_from(size).unwrap_or(usize::MAX)
                }
                Ok(httparse::Status::Partial) if rest.len() <= HEAD_BYTES_MAX => {
                    self.more().await?;
                    continue;
                }
                _ => return Err(Trouble::Malformed("malformed chunked encoding")),
            };
            if size == 0 {
                return self.trailers(at).await.map(|()| Bytes::from(body));
            }
            if body.len().saturating_add(size) >= self.limit {
                return Err(Trouble::BodyTooLong);
            }
            let end = at.saturating_add(size);
            while self.buffer.len() < end + 2 {
                self.more().await?;
            }
            body.extend_from_slice(self.buffer.get(at..end).unwrap_or_default());
            if self.buffer.get(end..end + 2) != Some(b"\r\n") {
                return Err(Trouble::Malformed("malformed chunked encoding"));
            }
            at = end + 2;
            // What was taken over need not stay.
            self.buffer.drain(..at);
            at = 0;
        }
    }

    /// Reads past fields after the last chunk, up to the empty line.
    async fn trailers(&mut self, mut at: usize) -> Result<(), Trouble> {
        loop {
            let rest = self.buffer.get(at..).unwrap_or_default();
            match rest.windows(2).position(|pair| pair == b"\r\n") {
                Some(0) => return Ok(()),
                Some(line) => at += line + 2,
                None if rest.len() > HEAD_BYTES_MAX => return Err(Trouble::Malformed("trailer too long")),
                None => self.more().await?,
            }
        }
    }

    /// Reads what there is; a body that grows beyond the limit is given up.
    async fn more(&mut self) -> Result<(), Trouble> {
        if self.buffer.len() > self.limit.saturating_add(2 * HEAD_BYTES_MAX) {
            return Err(Trouble::BodyTooLong);
        }
        if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(READ_BYTES);
        }
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err(unexpected_end()),
            Ok(_) => Ok(()),
            Err(e) => Err(Trouble::Io(e)),
        }
    }
}

fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, Trouble> {
    let mut body = Vec::with_capacity(packed.len().saturating_mul(6).min(BYTES_BELIEVED));
    let mut reader = flate2::read::MultiGzDecoder::new(packed).take(limit as u64);
    reader.read_to_end(&mut body).map_err(Trouble::Io)?;
    Ok(body.into())
}
