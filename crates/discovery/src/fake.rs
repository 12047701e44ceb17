//! A service of the tests: answers each path as a table says, over TCP or a Unix socket.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a request gets.
#[derive(Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: String,
    /// The connection stays open after the body, which has no end then: a watch.
    pub hold: bool,
}

impl Answer {
    pub fn json(body: impl ToString) -> Answer {
        Answer { status: 200, body: body.to_string(), ..Answer::default() }
    }
}

type Respond = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

#[derive(Clone)]
pub struct Fake {
    pub address: String,
    /// Request lines and headers as they came.
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub async fn tcp(respond: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Fake {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let fake = Fake { address, requests: Arc::default() };
        let (respond, requests): (Respond, _) = (Arc::new(respond), fake.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, respond.clone(), requests.clone()));
            }
        });
        fake
    }

    pub async fn unix(path: &Path, respond: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Fake {
        let listener = tokio::net::UnixListener::bind(path).expect("a socket");
        let fake = Fake { address: path.display().to_string(), requests: Arc::default() };
        let (respond, requests): (Respond, _) = (Arc::new(respond), fake.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, respond.clone(), requests.clone()));
            }
        });
        fake
    }

    pub fn saw(&self, text: &str) -> bool {
        self.requests.lock().expect("requests").iter().any(|r| r.contains(text))
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    respond: Respond,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) if head.len() < 1 << 16 => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split_whitespace().nth(1).unwrap_or("").to_owned();
    requests.lock().expect("requests").push(head);
    let answer = respond(&target);
    let length =
        if answer.hold { String::new() } else { format!("content-length: {}\r\n", answer.body.len()) };
    let text = format!(
        "HTTP/1.1 {} X\r\ncontent-type: application/json\r\nconnection: close\r\n{length}{}\r\n{}",
        answer.status, answer.headers, answer.body
    );
    let _ = stream.write_all(text.as_bytes()).await;
    if answer.hold {
        let _ = stream.flush().await;
        std::future::pending::<()>().await;
    }
}

/// Waits until the groups are as `done` wants them.
pub async fn groups_when(
    watch: &mut crate::Watch,
    done: impl Fn(&[crate::TargetGroup]) -> bool,
) -> Vec<crate::TargetGroup> {
    let wait = async {
        loop {
            let groups = watch.groups();
            if done(&groups) {
                return groups;
            }
            watch.changed().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), wait).await.expect("the groups come")
}

/// The sources of a YAML text.
pub fn sources(yaml: &str) -> crate::Sources {
    struct Of(crate::Sources);
    impl<'de> serde::Deserialize<'de> for Of {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Of, D::Error> {
            config::section::deserialize(deserializer).map(Of)
        }
    }
    config::parse_unchecked::<Of>("test", yaml).expect("the sources read").0
}
