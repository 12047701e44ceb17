//! Remote read from outside. The fixture's external label is `region="eu"`.

use axum::body::Body;
use axum::http::Request;
use storage::metrics::SampleColumns;
use wire::protobuf::Reader;
use wire::remote::v1::{Item, Series, WriteRequest};

use super::messages::{bytes, snappy, uint};
use super::{Fixture, T, fixture};

fn matcher(op: u64, name: &str, value: &str) -> Vec<u8> {
    bytes(3, [uint(1, op), bytes(2, name), bytes(3, value)].concat())
}

fn query(start: i64, end: i64, matchers: &[Vec<u8>]) -> Vec<u8> {
    bytes(1, [uint(1, start as u64), uint(2, end as u64), matchers.concat()].concat())
}

struct Answer {
    status: u16,
    kind: String,
    body: Vec<u8>,
}

async fn send(f: &Fixture, message: Vec<u8>) -> Answer {
    let request = Request::post("/api/v1/read").body(Body::from(snappy(message))).unwrap();
    let reply = tower::ServiceExt::oneshot(f.router.clone(), request).await.unwrap();
    let kind = reply.headers().get("content-type").map_or("", |v| v.to_str().unwrap()).to_owned();
    let status = reply.status().as_u16();
    Answer { status, kind, body: axum::body::to_bytes(reply.into_body(), 1 << 24).await.unwrap().to_vec() }
}

fn labels(series: &Series<'_>) -> String {
    let (mut labels, mut out) = (series.labels(), Vec::new());
    while let Some(pair) = labels.next_pair().unwrap() {
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
        out.push(format!("{}={}", text(pair.name), text(pair.value)));
    }
    out.join(",")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_in_one_piece() {
    let f = fixture(&[]).await;
    let up = matcher(0, "__name__", "up");
    let queries = [
        query(T, T + 20_000, &[up.clone(), matcher(0, "region", "eu")]),
        query(T, T, &[matcher(2, "job", "a|b"), up]),
        query(T, T, &[matcher(0, "region", "us")]),
    ];
    let answer = send(&f, queries.concat()).await;
    assert_eq!((answer.status, answer.kind.as_str()), (200, "application/x-protobuf"));
    let plain = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap();
    let (mut reader, mut results) = (Reader::new(&plain), Vec::new());
    while let Some(field) = reader.next_field().unwrap() {
        let (mut request, mut shown) = (WriteRequest::new(field.bytes().unwrap()), Vec::new());
        while let Some(series) = request.next_series().unwrap() {
            let (mut items, mut times) = (series.items(), Vec::new());
            while let Some(Item::Sample { t, value }) = items.next_item().unwrap() {
                times.push((t - T, value));
            }
            shown.push((labels(&series), times));
        }
        results.push(shown);
    }
    let series =
        |job: &str, samples: &[(i64, f64)]| (format!("__name__=up,job={job},region=eu"), samples.to_vec());
    assert_eq!(
        results[0],
        [series("a", &[(0, 1.0), (15_000, 1.0)]), series("b", &[(0, 0.0), (15_000, 0.0)])]
    );
    assert_eq!(results[1], [series("a", &[(0, 1.0)]), series("b", &[(0, 0.0)])]);
    assert_eq!((results.len(), results[2].len()), (3, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_in_frames() {
    let f = fixture(&["--storage.remote.read-max-bytes-in-frame=1"]).await;
    let message = [query(T, T + 20_000, &[matcher(0, "job", "a")]), uint(2, 1)].concat();
    let answer = send(&f, message).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.kind, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
    let length = answer.body[0] as usize;
    let message = &answer.body[5..];
    assert_eq!(message.len(), length);
    assert_eq!(answer.body[1..5], crc32c::crc32c(message).to_be_bytes());
    let series = Reader::new(message).next_field().unwrap().unwrap().bytes().unwrap();
    let (mut reader, mut samples) = (Reader::new(series), SampleColumns::default());
    while let Some(field) = reader.next_field().unwrap() {
        if field.number == 2 {
            let mut chunk = Reader::new(field.bytes().unwrap());
            while let Some(field) = chunk.next_field().unwrap() {
                if field.number == 4 {
                    blocks::chunk::decode(blocks::chunk::Encoding::Xor, field.bytes().unwrap(), &mut samples)
                        .unwrap();
                }
            }
        }
    }
    assert_eq!((samples.float_times, samples.floats), (vec![T, T + 15_000], vec![1.0, 1.0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_answered() {
    let f = fixture(&["--storage.remote.read-sample-limit=3"]).await;
    let check = async |message: Vec<u8>, expected: &str| {
        let answer = send(&f, message).await;
        let text = String::from_utf8(answer.body).unwrap();
        assert!(answer.status == 400 && text.contains(expected), "{} {text}", answer.status);
    };
    check(query(T, T + 60_000, &[matcher(0, "__name__", "up")]), "exceeded sample limit (3)\n").await;
    check(query(T, T, &[matcher(2, "a", "(")]), "missing").await;
    check(query(T, T, &[matcher(9, "a", "b")]), "invalid matcher type").await;
    check([query(T, T, &[]), uint(2, 7)].concat(), "does not support any of the requested response types")
        .await;
    check(vec![0x0a, 0xff], "unmarshal").await;
}
