//! Lines in and out.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{Fixture, T, fixture};

const ON: &[&str] = &["--web.enable-remote-write-receiver"];

async fn send(f: &Fixture, path: &str, body: &str) -> (u16, String) {
    let (status, text) = f.call(Request::post(path).body(Body::from(body.to_owned())).unwrap()).await;
    (status.as_u16(), text)
}

async fn export(f: &Fixture, name: &str) -> Vec<Value> {
    let path = format!("/api/v1/export?match[]=%7B__name__=~%22{name}%22%7D");
    let (_, text) = f.call(Request::get(path).body(Body::empty()).unwrap()).await;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_format_and_back() {
    let f = fixture(ON).await;
    let line = |name: &str, labels: Value, values: &[f64]| {
        let mut metric = json!({"__name__": name});
        metric.as_object_mut().unwrap().extend(labels.as_object().unwrap().clone());
        let times: Vec<i64> = (0..values.len() as i64).map(|i| T + i * 1000).collect();
        json!({"metric": metric, "values": values, "timestamps": times})
    };
    let influx = format!("cpu,host=a use=0.5,n=3i,s=\"x\" {}\n", T / 1000);
    assert_eq!(send(&f, "/write?precision=s&db=d", &influx).await, (204, String::new()));
    assert_eq!(
        export(&f, "cpu_.*").await,
        [
            line("cpu_n", json!({"db": "d", "host": "a"}), &[3.0]),
            line("cpu_use", json!({"db": "d", "host": "a"}), &[0.5])
        ]
    );
    let text = format!("# TYPE t gauge\nt{{a=\"b\"}} 1 {T}\nt{{a=\"b\"}} 2 {}", T + 1000);
    let path = "/api/v1/import/prometheus?extra_label=a=c";
    assert_eq!(send(&f, path, &text).await, (204, String::new()));
    assert_eq!(export(&f, "t").await, [line("t", json!({"a": "c"}), &[1.0, 2.0])]);
    let json_line = line("j", json!({"x": "y"}), &[1.5, 2.5]);
    assert_eq!(send(&f, "/api/v1/import", &format!("{json_line}\n\n")).await, (204, String::new()));
    assert_eq!(export(&f, "j").await, [json_line]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_name_the_line_and_nothing_is_stored() {
    let f = fixture(ON).await;
    for (path, body, expected) in [
        ("/write?precision=s", format!("m f=1 {}\nm", T / 1000), "line 2: no fields\n"),
        ("/api/v2/write?precision=d", String::new(), "unknown precision \"d\"\n"),
        (
            "/influx/write",
            format!("m f=1 {}", i64::MAX),
            "line 1: out of bounds: timestamp is too far in the future\n",
        ),
        (
            "/api/v1/import",
            r#"{"metric":{"__name__":"m"},"values":[1],"timestamps":[]}"#.into(),
            "line 1: 1 values, 0 timestamps\n",
        ),
        (
            "/api/v1/import",
            r#"{"metric":{"a":"m"},"values":[1],"timestamps":[1]}"#.into(),
            "line 1: invalid metric name or labels, got {a=\"m\"}\n",
        ),
    ] {
        assert_eq!(send(&f, path, &body).await, (400, expected.to_owned()), "{path}");
    }
    assert!(send(&f, "/api/v1/import/prometheus", "ok 1\nbroken{").await.1.starts_with("line 2: "));
    assert!(export(&f, "m_f|ok").await.is_empty());
    let off = fixture(&[]).await;
    assert_eq!(send(&off, "/write", "m f=1").await.0, 404);
}
