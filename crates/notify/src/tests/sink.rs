//! An HTTP server that answers as it is told and keeps what it was sent.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request: the first line, the headers in lower case, and the body.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub headers: Vec<String>,
    pub body: String,
}

/// The raw bytes of an answer to a request.
pub type Answer = Box<dyn Fn(&Request) -> Vec<u8> + Send + Sync>;

pub struct Sink {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// The same answer to everything.
pub fn answers(status: &'static str, kind: &'static str, body: &'static str) -> Answer {
    Box::new(move |_| answer(status, kind, body))
}

pub fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

impl Sink {
    pub async fn start(answer: Answer) -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, seen.clone(), answer.clone()));
            }
        });
        Sink { url, requests }
    }

    /// What came since the last time.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One connection: requests until the client leaves, or until an answer that is none.
async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Request>>>, answer: Arc<Answer>) {
    let mut pending = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
                let head: Vec<u8> = pending.drain(..end + 4).collect();
                break String::from_utf8_lossy(&head).into_owned();
            }
            if !more(&mut stream, &mut pending).await {
                return;
            }
        };
        let mut lines = head.trim_end().split("\r\n").map(str::to_owned);
        let line = lines.next().unwrap_or_default();
        let headers: Vec<String> = lines
            .filter_map(|line| line.split_once(": ").map(|(k, v)| format!("{}: {v}", k.to_ascii_lowercase())))
            .collect();
        let length = headers.iter().find_map(|h| h.strip_prefix("content-length: "));
        let length = length.map_or(0, |n| n.parse().unwrap());
        while pending.len() < length {
            if !more(&mut stream, &mut pending).await {
                return;
            }
        }
        let body: Vec<u8> = pending.drain(..length).collect();
        let request = Request { line, headers, body: String::from_utf8(body).unwrap() };
        let bytes = answer(&request);
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let is_last = !bytes.starts_with(b"HTTP/1.1 ")
            || bytes.windows(17).take(200).any(|part| part == b"Connection: close");
        if stream.write_all(&bytes).await.is_err() || is_last {
            return;
        }
    }
}

async fn more(stream: &mut TcpStream, pending: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 8192];
    match stream.read(&mut chunk).await {
        Ok(n @ 1..) => {
            pending.extend_from_slice(&chunk[..n]);
            true
        }
        _ => false,
    }
}
