//! A small SMTP client: one message per connection.
//!
//! Invariant: every line from the server is bounded, and nothing the server says is trusted further than
//! its status code. Addresses were checked before they get here.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::md5::hmac_hex;

/// RFC 5321 allows 512; some servers are more talkative.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Lines of one reply.
const REPLY_LINES_MAX: usize = 100;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A conversation with a server.
pub(crate) struct Smtp {
    stream: Box<dyn Stream>,
    /// Read but not yet used.
    pending: Vec<u8>,
    /// The server's extensions, in capitals, as `EHLO` listed them.
    extensions: Vec<String>,
    is_encrypted: bool,
}

/// Why it went wrong.
#[derive(Debug)]
pub(crate) enum SmtpError {
    Network(io::Error),
    /// The server's answer, with its code.
    Refused {
        step: &'static str,
        code: u16,
        text: String,
    },
}

impl std::fmt::Display for SmtpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SmtpError::Network(e) => write!(f, "{e}"),
            SmtpError::Refused { code, text, .. } => write!(f, "{code} {text}"),
        }
    }
}

impl From<io::Error> for SmtpError {
    fn from(e: io::Error) -> SmtpError {
        SmtpError::Network(e)
    }
}

impl Smtp {
    /// Starts the conversation: waits for the greeting and introduces itself as `hello`.
    pub async fn start(stream: Box<dyn Stream>, is_encrypted: bool, hello: &str) -> Result<Smtp, SmtpError> {
        let mut smtp = Smtp { stream, pending: Vec::new(), extensions: Vec::new(), is_encrypted };
        smtp.reply("greeting", 220).await?;
        smtp.introduce(hello).await?;
        Ok(smtp)
    }

    async fn introduce(&mut self, hello: &str) -> Result<(), SmtpError> {
        match self.command("EHLO", &format!("EHLO {hello}"), 250).await {
            Ok(lines) => {
                self.extensions = lines.iter().skip(1).map(|l| l.to_ascii_uppercase()).collect();
                Ok(())
            }
            Err(SmtpError::Refused { .. }) => {
                self.extensions.clear();
                self.command("HELO", &format!("HELO {hello}"), 250).await.map(|_| ())
            }
            Err(e) => Err(e),
        }
    }

    pub fn offers(&self, extension: &str) -> bool {
        self.extensions.iter().any(|e| e.split(' ').next() == Some(extension))
    }

    /// The authentication mechanisms the server offers.
    pub fn mechanisms(&self) -> Vec<String> {
        self.extensions
            .iter()
            .filter_map(|e| e.strip_prefix("AUTH ").or_else(|| e.strip_prefix("AUTH=")))
            .flat_map(|list| list.split_whitespace().map(str::to_owned))
            .collect()
    }

    /// Changes to TLS. Whatever the server sent before the handshake is thrown away: it was not protected.
    pub async fn start_tls(
        mut self,
        tls: std::sync::Arc<rustls::ClientConfig>,
        name: &str,
        hello: &str,
    ) -> Result<Smtp, SmtpError> {
        self.command("STARTTLS", "STARTTLS", 220).await?;
        let stream = wrap_tls(self.stream, tls, name).await?;
        let mut smtp = Smtp { stream, pending: Vec::new(), extensions: Vec::new(), is_encrypted: true };
        smtp.introduce(hello).await?;
        Ok(smtp)
    }

    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Answers the server's challenge with a digest: the secret itself does not travel (RFC 2195).
    pub async fn auth_cram_md5(&mut self, user: &str, secret: &str) -> Result<(), SmtpError> {
        let challenge = self.command("AUTH", "AUTH CRAM-MD5", 334).await?;
        let challenge = challenge.first().map(String::as_str).unwrap_or_default();
        let challenge = STANDARD.decode(challenge).map_err(|_| broken("the challenge is not base64"))?;
        let answer = format!("{user} {}", hmac_hex(secret.as_bytes(), &challenge));
        self.command("AUTH", &base64(&answer), 235).await.map(|_| ())
    }

    pub async fn auth_plain(&mut self, identity: &str, user: &str, password: &str) -> Result<(), SmtpError> {
        let token = base64(&format!("{identity}\0{user}\0{password}"));
        self.command("AUTH", &format!("AUTH PLAIN {token}"), 235).await.map(|_| ())
    }

    pub async fn auth_login(&mut self, user: &str, password: &str) -> Result<(), SmtpError> {
        self.command("AUTH", "AUTH LOGIN", 334).await?;
        self.command("AUTH", &base64(user), 334).await?;
        self.command("AUTH", &base64(password), 235).await.map(|_| ())
    }

    /// Hands over one message; returns what the server said to it.
    pub async fn send(&mut self, from: &str, to: &[String], message: &str) -> Result<String, SmtpError> {
        let mut mail = format!("MAIL FROM:<{from}>");
        for (extension, parameter) in [("8BITMIME", " BODY=8BITMIME"), ("SMTPUTF8", " SMTPUTF8")] {
            if self.offers(extension) {
                mail.push_str(parameter);
            }
        }
        self.command("MAIL", &mail, 250).await?;
        for address in to {
            self.command("RCPT", &format!("RCPT TO:<{address}>"), 250).await?;
        }
        self.command("DATA", "DATA", 354).await?;
        let mut body = String::with_capacity(message.len() + 16);
        let message = message.strip_suffix("\r\n").unwrap_or(message);
        for row in message.split("\r\n") {
            // A line that is a dot would end the message.
            if row.starts_with('.') {
                body.push('.');
            }
            body.push_str(row);
            body.push_str("\r\n");
        }
        body.push_str(".\r\n");
        self.stream.write_all(body.as_bytes()).await?;
        self.stream.flush().await?;
        let said = self.reply("DATA", 250).await?;
        // The message is delivered; how the server takes its leave does not matter.
        let _ = self.command("QUIT", "QUIT", 221).await;
        Ok(said.join(" "))
    }

    async fn command(
        &mut self,
        step: &'static str,
        line: &str,
        expected: u16,
    ) -> Result<Vec<String>, SmtpError> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await?;
        self.reply(step, expected).await
    }

    /// Reads `250-first`, `250 last`.
    async fn reply(&mut self, step: &'static str, expected: u16) -> Result<Vec<String>, SmtpError> {
        let mut texts = Vec::new();
        loop {
            let line = self.line().await?;
            let code = line.get(..3).and_then(|digits| digits.parse::<u16>().ok());
            let Some(code) = code else {
                return Err(broken("the server's answer has no status code"));
            };
            texts.push(line.get(4..).unwrap_or("").to_owned());
            if line.as_bytes().get(3) == Some(&b'-') {
                if texts.len() >= REPLY_LINES_MAX {
                    return Err(broken("the server's answer has too many lines"));
                }
                continue;
            }
            // RCPT may answer 251, DATA 250 or 252: what counts is the first digit.
            if code / 100 == expected / 100 && (expected / 100 == 2 || code == expected) {
                return Ok(texts);
            }
            return Err(SmtpError::Refused { step, code, text: texts.join(" ") });
        }
    }

    async fn line(&mut self) -> Result<String, SmtpError> {
        loop {
            if let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.pending.len() > LINE_BYTES_MAX {
                return Err(broken("the server's answer has an overlong line"));
            }
            let mut chunk = [0; 1024];
            let n = self.stream.read(&mut chunk).await?;
            if n == 0 {
                let gone = io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
                return Err(gone.into());
            }
            self.pending.extend_from_slice(chunk.get(..n).unwrap_or_default());
        }
    }
}

fn broken(message: &str) -> SmtpError {
    io::Error::new(io::ErrorKind::InvalidData, message).into()
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

pub(crate) async fn connect(host: &str, port: u16) -> Result<Box<dyn Stream>, SmtpError> {
    let stream = TcpStream::connect((host, port)).await?;
    Ok(Box::new(stream))
}

pub(crate) async fn wrap_tls(
    stream: Box<dyn Stream>,
    tls: std::sync::Arc<rustls::ClientConfig>,
    name: &str,
) -> Result<Box<dyn Stream>, SmtpError> {
    let name = rustls::pki_types::ServerName::try_from(name.to_owned())
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e.to_string()))?;
    let stream = tokio_rustls::TlsConnector::from(tls).connect(name, stream).await?;
    Ok(Box::new(stream))
}
