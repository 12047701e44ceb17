//! Remote read: `prometheus.ReadRequest`, and the two forms of its answer.

mod ask;
mod request;
mod response;

pub use ask::write_request;
pub use request::{Query, ReadRequest, ResponseType};
pub use response::{ChunkRef, frame, write_chunked_series, write_result, write_series};
