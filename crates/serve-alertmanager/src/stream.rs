//! Replies that are written while they are being sent.
//!
//! A list of all alerts can be tens of megabytes; it goes out in pieces, so that a reader costs a few of
//! these at most, however slow it is. A reply that fits into one piece is sent with its length.

use std::io;
use std::ops::ControlFlow;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::model::error_text;

/// Bytes of one piece.
const PIECE_BYTES: usize = 64 << 10;

/// Pieces that may wait for the reader.
const PIECES_WAITING_MAX: usize = 4;

type Piece = Result<Bytes, io::Error>;

/// Where a reply is written to, away from the request threads.
pub struct Sink {
    pub buffer: Vec<u8>,
    pieces: mpsc::Sender<Piece>,
    is_complete: bool,
}

impl Sink {
    /// Sends what was written once it is enough for a piece; breaks when the reader is gone. Blocks while
    /// too many pieces wait.
    pub fn pass(&mut self) -> ControlFlow<()> {
        if self.buffer.len() < PIECE_BYTES { ControlFlow::Continue(()) } else { self.send() }
    }

    fn send(&mut self) -> ControlFlow<()> {
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES + 4096));
        match self.pieces.blocking_send(Ok(piece.into())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if !self.is_complete {
            // The writer panicked: the reader must not take half a reply for a whole one.
            let _ = self.pieces.try_send(Err(io::Error::other("the query failed")));
        }
    }
}

/// A JSON reply that `write` writes piece by piece.
pub async fn json(write: impl FnOnce(&mut Sink) + Send + 'static) -> Response {
    let (pieces, mut written) = mpsc::channel::<Piece>(PIECES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut sink = Sink { buffer: Vec::with_capacity(4096), pieces, is_complete: false };
        write(&mut sink);
        // Whether the reader is still there makes no difference any more.
        let _ = sink.send();
        sink.is_complete = true;
    });
    let Some(Ok(first)) = written.recv().await else {
        return error_text(StatusCode::INTERNAL_SERVER_ERROR, "the query failed");
    };
    let body = match written.recv().await {
        None => Body::from(first),
        Some(second) => Body::from_stream(stream::unfold(
            (vec![second, Ok(first)], written),
            |(mut ready, mut written)| async move {
                let piece = match ready.pop() {
                    Some(piece) => piece,
                    None => written.recv().await?,
                };
                Some((piece, (ready, written)))
            },
        )),
    };
    let mut response = Response::new(body);
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
