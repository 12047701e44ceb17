//! The API's envelope: `{"status":"success","data":…}` and its errors.
//!
//! Bodies are written straight into one string: sample values need Go's float text, and large results
//! should not be built twice.

use std::fmt::Write;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Error types of the API, each with the status the original sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    BadData,
    Execution,
    Timeout,
    Canceled,
    Internal,
    Unavailable,
    NotFound,
}

impl ErrorType {
    fn as_str(self) -> &'static str {
        match self {
            ErrorType::BadData => "bad_data",
            ErrorType::Execution => "execution",
            ErrorType::Timeout => "timeout",
            ErrorType::Canceled => "canceled",
            ErrorType::Internal => "internal",
            ErrorType::Unavailable => "unavailable",
            ErrorType::NotFound => "not_found",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            ErrorType::BadData => StatusCode::BAD_REQUEST,
            ErrorType::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorType::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            // nginx's "client closed request", which the original uses too.
            ErrorType::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            ErrorType::Internal | ErrorType::Unavailable => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorType::NotFound => StatusCode::NOT_FOUND,
        }
    }
}

/// A refused or failed API call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub kind: ErrorType,
    pub message: String,
}

impl ApiError {
    pub fn new(kind: ErrorType, message: impl Into<String>) -> ApiError {
        ApiError { kind, message: message.into() }
    }

    pub fn bad_data(message: impl Into<String>) -> ApiError {
        ApiError::new(ErrorType::BadData, message)
    }

    /// `invalid parameter "query": …`
    pub fn parameter(name: &str, why: impl std::fmt::Display) -> ApiError {
        ApiError::bad_data(format!("invalid parameter {name:?}: {why}"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = format!("{{\"status\":\"error\",\"errorType\":\"{}\",\"error\":", self.kind.as_str());
        write_string(&mut body, &self.message);
        body.push('}');
        (self.kind.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

impl From<storage::StoreError> for ApiError {
    fn from(e: storage::StoreError) -> ApiError {
        let kind = match e.kind {
            storage::ErrorKind::Cancelled => ErrorType::Canceled,
            storage::ErrorKind::LimitExceeded => ErrorType::Execution,
            storage::ErrorKind::Closed => ErrorType::Unavailable,
            _ => ErrorType::Internal,
        };
        ApiError::new(kind, e.message)
    }
}

impl From<front::PoolError> for ApiError {
    fn from(e: front::PoolError) -> ApiError {
        ApiError::new(ErrorType::Unavailable, e.to_string())
    }
}

/// A successful reply with notes.
#[derive(Debug, Default)]
pub struct Reply {
    /// JSON text of `data`.
    pub data: String,
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

impl Reply {
    pub fn new(data: String) -> Reply {
        Reply { data, ..Reply::default() }
    }

    /// `value` must serialise to JSON, which all our model types do.
    pub fn json(value: &impl serde::Serialize) -> Result<Reply, ApiError> {
        let data =
            serde_json::to_string(value).map_err(|e| ApiError::new(ErrorType::Internal, e.to_string()))?;
        Ok(Reply::new(data))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut body = String::with_capacity(self.data.len() + 64);
        body.push_str("{\"status\":\"success\",\"data\":");
        body.push_str(&self.data);
        for (name, notes) in [("warnings", &self.warnings), ("infos", &self.infos)] {
            if !notes.is_empty() {
                let _ = write!(body, ",\"{name}\":");
                write_strings(&mut body, notes);
            }
        }
        body.push('}');
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// Whether a JSON string writes any of these bytes otherwise. Nearly none does, and labels are most of large
/// replies, so eight bytes are looked at together.
fn needs_escapes(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte that is zero; a borrow can only add more, above one that is.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let special = |word: u64| {
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        (control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')))) != 0
    };
    let (words, rest) = text.as_chunks::<8>();
    words.iter().any(|word| special(u64::from_le_bytes(*word)))
        || rest.iter().any(|b| *b < 0x20 || *b == b'"' || *b == b'\\')
}

/// Appends a JSON string.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    if !needs_escapes(text.as_bytes()) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends a JSON array of strings.
pub fn write_strings<S: AsRef<str>>(out: &mut String, items: &[S]) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(out, item.as_ref());
    }
    out.push(']');
}

/// Appends a label set as a JSON object.
pub fn write_labels(out: &mut String, labels: &model::Labels) {
    out.push('{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        write_string(out, value);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_wherever_it_is_needed() {
        let check = |text: &str| {
            let mut out = String::new();
            write_string(&mut out, text);
            assert_eq!(serde_json::from_str::<String>(&out).ok().as_deref(), Some(text), "{out}");
            let plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
            assert_eq!(needs_escapes(text.as_bytes()), !plain, "{out}");
        };
        for filler in ["", "a", "é", " !", "#[]\u{7f}", "ÿ¢\u{20}"] {
            for special in ["", "\"", "\\", "\n", "\u{1f}", "\u{0}", " ", "\u{80}", "€"] {
                for before in 0..10 {
                    check(&format!("{}{special}{}", filler.repeat(before), filler.repeat(10 - before)));
                }
            }
        }
    }
}
