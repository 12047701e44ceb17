use std::sync::Mutex;

use blocks::chunk;
use model::Value;
use storage::ErrorKind;
use storage::metrics::{SampleColumns, SeriesHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wire::remote::read::{ChunkRef, ReadRequest, frame, write_chunked_series, write_series};

use super::*;

/// A store that holds what it was given.
struct Fixed(Vec<(Labels, SampleColumns)>);

impl MetricsStore for Fixed {
    fn appender(&self) -> Box<dyn Appender + '_> {
        unreachable!("nothing is appended here")
    }

    fn querier(&self, _: TimestampMs, _: TimestampMs) -> Result<Arc<dyn Querier>, StoreError> {
        Ok(Arc::new(Fixed(self.0.clone())))
    }

    fn delete_series(&self, _: &[Matcher], _: TimestampMs, _: TimestampMs) -> Result<(), StoreError> {
        Ok(())
    }

    fn exemplars(
        &self,
        _: &[Vec<Matcher>],
        _: TimestampMs,
        _: TimestampMs,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, StoreError> {
        Ok(Vec::new())
    }

    fn statistics(&self, _: usize) -> HeadStatistics {
        HeadStatistics::default()
    }

    fn time_range(&self) -> Option<(TimestampMs, TimestampMs)> {
        let times = || self.0.iter().flat_map(|(_, c)| &c.float_times).copied();
        Some((times().min()?, times().max()?))
    }
}

impl Querier for Fixed {
    fn select(&self, matchers: &[Matcher]) -> Result<Vec<SeriesHandle>, StoreError> {
        let all = self.0.iter().enumerate();
        let matching = all.filter(|(_, (labels, _))| Matcher::all_match(matchers, labels));
        Ok(matching
            .map(|(i, (labels, _))| SeriesHandle { labels: labels.clone(), token: i as u64 })
            .collect())
    }

    fn read(
        &self,
        series: &SeriesHandle,
        mint: TimestampMs,
        maxt: TimestampMs,
        out: &mut SampleColumns,
    ) -> Result<(), StoreError> {
        out.clear();
        let columns = &self.0.get(series.token as usize).ok_or(StoreError::new(ErrorKind::Invalid, "?"))?.1;
        for (t, v) in columns.float_times.iter().zip(&columns.floats) {
            if (mint..=maxt).contains(t) {
                out.push(*t, Value::Float(*v));
            }
        }
        Ok(())
    }

    fn label_names(&self, _: &[Matcher]) -> Result<Vec<String>, StoreError> {
        Ok(vec!["a".into()])
    }

    fn label_values(&self, _: &str, _: &[Matcher]) -> Result<Vec<String>, StoreError> {
        Ok(vec!["x".into()])
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn columns(times: &[i64]) -> SampleColumns {
    SampleColumns {
        float_times: times.to_vec(),
        floats: times.iter().map(|t| *t as f64).collect(),
        ..SampleColumns::default()
    }
}

const SAMPLES: &str = "application/x-protobuf";
const CHUNKS: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// What remotes are asked, as `start..end selector`.
type Asked = Arc<Mutex<Vec<String>>>;

/// A remote that always gives the same answer.
async fn remote(status: u16, kind: &'static str, body: Vec<u8>) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/read", listener.local_addr().unwrap());
    let asked = Asked::default();
    let noted = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (body, noted) = (body.clone(), noted.clone());
            tokio::spawn(async move {
                let mut buffer = Vec::new();
                let (split, length) = loop {
                    if stream.read_buf(&mut buffer).await.unwrap() == 0 {
                        return;
                    }
                    let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8_lossy(&buffer[..at]).to_ascii_lowercase();
                    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap();
                    break (at + 4, length.parse::<usize>().unwrap());
                };
                while buffer.len() < split + length {
                    stream.read_buf(&mut buffer).await.unwrap();
                }
                let plain = snap::raw::Decoder::new().decompress_vec(&buffer[split..]).unwrap();
                let query = ReadRequest::read(&plain).unwrap().queries.remove(0);
                let selector: Vec<String> = query.matchers.iter().map(ToString::to_string).collect();
                noted.lock().unwrap().push(format!("{}..{} {}", query.start, query.end, selector.join(",")));
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&body).await.unwrap();
            });
        }
    });
    (url, asked)
}

fn samples_answer(series: &[(Labels, SampleColumns)]) -> Vec<u8> {
    let mut result = Vec::new();
    for (labels, columns) in series {
        let floats = columns.float_times.iter().copied().zip(columns.floats.iter().copied());
        write_series(&mut result, labels, floats, std::iter::empty());
    }
    let mut plain = vec![0x0a];
    codec::write_uvarint(&mut plain, result.len() as u64);
    plain.extend_from_slice(&result);
    snap::raw::Encoder::new().compress_vec(&plain).unwrap()
}

fn chunks_answer(series: &[(Labels, SampleColumns)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (labels, columns) in series {
        // Two frames for one series, as a server with small frames sends them.
        let times = &columns.float_times;
        for half in [0..times.len() / 2, times.len() / 2..times.len()] {
            let data = chunk::encode_floats(&times[half.clone()], &columns.floats[half.clone()]);
            let chunk = ChunkRef { min_t: 0, max_t: 0, encoding: 1, data: &data };
            let mut message = Vec::new();
            write_chunked_series(&mut message, 0, labels, &[chunk]);
            out.extend(frame(&message));
        }
    }
    out
}

/// Runs a selection as a query does: on a blocking thread.
async fn select(
    store: &Arc<ReadFanout>,
    range: (i64, i64),
    matchers: Vec<Matcher>,
) -> (Vec<String>, Vec<String>) {
    let store = store.clone();
    let run = move || {
        let querier = store.querier(range.0, range.1).unwrap();
        let mut shown = Vec::new();
        for handle in querier.select(&matchers).unwrap() {
            let mut out = SampleColumns::default();
            querier.read(&handle, range.0, range.1, &mut out).unwrap();
            shown.push(format!("{} {:?}", handle.labels, out.float_times));
        }
        (shown, querier.warnings())
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn fanout(local: Vec<(Labels, SampleColumns)>, configs: &str) -> Arc<ReadFanout> {
    let store = ReadFanout::new(Arc::new(Fixed(local)), Handle::current(), &Registry::new(), "1");
    let configs: Vec<RemoteReadConfig> = config::parse_unchecked("c.yml", configs).unwrap();
    store.apply(configs, &labels(&[("cluster", "c1")])).unwrap();
    Arc::new(store)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_answer_are_merged_with_what_is_here() {
    let theirs = [
        (labels(&[("__name__", "m"), ("cluster", "c1"), ("i", "1")]), columns(&[1, 2, 3, 4])),
        (labels(&[("__name__", "m"), ("cluster", "c1"), ("i", "3")]), columns(&[2, 9, 11])),
    ];
    let local = vec![
        (labels(&[("__name__", "m"), ("i", "1")]), columns(&[3, 4, 5])),
        (labels(&[("__name__", "m"), ("i", "2")]), columns(&[6])),
    ];
    for (kind, body) in [(SAMPLES, samples_answer(&theirs)), (CHUNKS, chunks_answer(&theirs))] {
        let (url, asked) = remote(200, kind, body).await;
        let store = fanout(local.clone(), &format!("[{{url: '{url}', read_recent: true}}]"));
        let (shown, warnings) = select(&store, (2, 10), vec![Matcher::equal("__name__", "m")]).await;
        let expected = [r#"m{i="1"} [2, 3, 4, 5]"#, r#"m{i="2"} [6]"#, r#"m{i="3"} [2, 9]"#];
        assert_eq!((shown, warnings), (expected.map(String::from).to_vec(), vec![]), "{kind}");
        assert_eq!(*asked.lock().unwrap(), [r#"2..10 __name__="m",cluster="c1""#]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_for_what() {
    const HOUR: i64 = 3_600_000;
    let local = vec![(labels(&[("__name__", "m")]), columns(&[100 * HOUR]))];
    let (url, asked) = remote(200, SAMPLES, samples_answer(&[])).await;
    let check = async |config: &str, range: (i64, i64), matchers: &[Matcher], expected: &[&str]| {
        let store = fanout(local.clone(), &format!("[{{url: '{url}'{config}}}]"));
        let (_, warnings) = select(&store, range, matchers.to_vec()).await;
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), expected, "{config} {range:?}");
    };
    let m = Matcher::equal("__name__", "m");
    // What is here is not asked for elsewhere, unless that is wanted.
    check("", (200 * HOUR, 201 * HOUR), std::slice::from_ref(&m), &[]).await;
    let until_local = r#"0..374400000 __name__="m",cluster="c1""#;
    check("", (0, 200 * HOUR), std::slice::from_ref(&m), &[until_local]).await;
    let own = Matcher::equal("cluster", "other");
    check(", read_recent: true", (1, 2), &[own], &[r#"1..2 cluster="other""#]).await;
    let unfiltered = ", read_recent: true, filter_external_labels: false";
    check(unfiltered, (1, 2), std::slice::from_ref(&m), &[r#"1..2 __name__="m""#]).await;
    let required = ", read_recent: true, filter_external_labels: false, required_matchers: {job: a}";
    check(required, (1, 2), std::slice::from_ref(&m), &[]).await;
    check(required, (1, 2), &[Matcher::not_equal("job", "a")], &[]).await;
    check(required, (1, 2), &[Matcher::equal("job", "a")], &[r#"1..2 job="a""#]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_warnings() {
    let mut torn = chunks_answer(&[(labels(&[("a", "b")]), columns(&[1, 2]))]);
    torn.pop();
    let mut rotten = chunks_answer(&[(labels(&[("a", "b")]), columns(&[1, 2]))]);
    *rotten.last_mut().unwrap() ^= 1;
    let cases: [(u16, &str, Vec<u8>, &str); 6] = [
        (500, "text/plain", b"oh no\n".to_vec(), "returned http status 500 Internal Server Error: oh no"),
        (200, "text/html", b"hi".to_vec(), "unsupported content type text/html"),
        (200, SAMPLES, b"\xff\xff\xff".to_vec(), "error reading response: snappy: corrupt input"),
        (200, SAMPLES, snap::raw::Encoder::new().compress_vec(b"").unwrap(), "responses: want 1, got 0"),
        (200, CHUNKS, torn, "unexpected EOF"),
        (200, CHUNKS, rotten, "checksum mismatch"),
    ];
    let local = vec![(labels(&[("__name__", "m")]), columns(&[5]))];
    for (status, kind, body, expected) in cases {
        let (url, _) = remote(status, kind, body).await;
        let store = fanout(local.clone(), &format!("[{{url: '{url}', read_recent: true}}]"));
        let (shown, warnings) = select(&store, (1, 9), vec![Matcher::equal("__name__", "m")]).await;
        assert_eq!(shown, ["m [5]"]);
        assert!(warnings.len() == 1 && warnings[0].starts_with("remote_read: "), "{warnings:?}");
        assert!(warnings[0].contains(expected), "{expected}: {warnings:?}");
    }
    // Nobody is there at all.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let store = fanout(local, &format!("[{{url: 'http://127.0.0.1:{port}/r', read_recent: true}}]"));
    let (_, warnings) = select(&store, (1, 9), vec![Matcher::equal("__name__", "m")]).await;
    let address = format!("127.0.0.1:{port}");
    let expected = format!(
        "remote_read: error sending request: Post \"http://{address}/r\": dial tcp {address}: connect: connection refused"
    );
    assert_eq!(warnings, [expected]);
}

#[test]
fn hostile_streams_are_errors() {
    use super::answer::{Answer, Frames};
    let mut frames = Frames::new(100);
    frames.push(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(frames.next().unwrap_err().contains("exceeded the limit"));
    let mut frames = Frames::new(u64::MAX);
    frames.push(&[0xff; 20]);
    assert!(frames.next().is_err());
    for length in 0..40 {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 37 % 251) as u8).collect();
        let _ = Answer::default().chunks(&bytes);
        let _ = Answer::default().samples(&bytes);
    }
}
