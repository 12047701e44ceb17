//! OTLP over gRPC: `TraceService/Export`. Messages are read by our own decoder, straight from the buffer.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::http::{Request, Response};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Status};
use wire::otlp::ExportTraces;

use crate::handlers::otlp::partial_success;
use crate::ingest::{Ingest, IngestError, MESSAGE_BYTES_MAX};

const SERVICE: &str = "opentelemetry.proto.collector.trace.v1.TraceService";
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The gRPC side as a router; unknown methods answer "unimplemented".
pub fn router(ingest: Ingest) -> Router {
    tonic::service::Routes::new(TraceService { ingest }).into_axum_router()
}

#[derive(Clone)]
struct TraceService {
    ingest: Ingest,
}

impl NamedService for TraceService {
    const NAME: &'static str = SERVICE;
}

type Reply = Pin<Box<dyn Future<Output = Result<Response<tonic::body::Body>, Infallible>> + Send>>;

impl tower::Service<Request<tonic::body::Body>> for TraceService {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Reply {
        let export = Export { ingest: self.ingest.clone() };
        Box::pin(async move {
            if request.uri().path() != EXPORT {
                let status =
                    Status::new(Code::Unimplemented, format!("unknown method {}", request.uri().path()));
                return Ok(status.into_http());
            }
            let mut grpc = Grpc::new(OtlpCodec)
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(MESSAGE_BYTES_MAX);
            Ok(grpc.unary(export, request).await)
        })
    }
}

struct Export {
    ingest: Ingest,
}

impl UnaryService<ExportTraces> for Export {
    type Response = u64;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<u64>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<ExportTraces>) -> Self::Future {
        let ingest = self.ingest.clone();
        Box::pin(async move {
            let request = request.into_inner();
            let rejected = request.rejected;
            match ingest.push("grpc", request).await {
                Ok(()) => Ok(tonic::Response::new(rejected)),
                Err(IngestError::Invalid(m)) => Err(Status::invalid_argument(m)),
                // Senders retry "unavailable", with a pause that grows.
                Err(IngestError::Busy(m)) => Err(Status::unavailable(m)),
                Err(IngestError::Failed(m)) => Err(Status::internal(m)),
            }
        })
    }
}

/// Requests decode to spans; a response is the number of spans left out.
#[derive(Clone, Copy)]
struct OtlpCodec;

impl Codec for OtlpCodec {
    type Encode = u64;
    type Decode = ExportTraces;
    type Encoder = OtlpCodec;
    type Decoder = OtlpCodec;

    fn encoder(&mut self) -> OtlpCodec {
        OtlpCodec
    }

    fn decoder(&mut self) -> OtlpCodec {
        OtlpCodec
    }
}

impl Encoder for OtlpCodec {
    type Item = u64;
    type Error = Status;

    fn encode(&mut self, rejected: u64, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(out, &partial_success(rejected));
        Ok(())
    }
}

impl Decoder for OtlpCodec {
    type Item = ExportTraces;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<ExportTraces>, Status> {
        let bytes = bytes::Buf::copy_to_bytes(buffer, bytes::Buf::remaining(buffer));
        wire::otlp::decode_traces(&bytes).map(Some).map_err(|e| Status::invalid_argument(e.to_string()))
    }
}
