//! `/federate` from outside. It looks at the present, so the sample is written now.

use axum::body::Body;
use axum::http::Request;
use model::stale_nan;

use super::write::{sample, send, series};
use super::{Fixture, fixture};

async fn write(f: &Fixture, name: &str, t: i64, v: f64) {
    let message = series(&[("__name__", name), ("job", "j")], &[sample(t, v)]);
    assert_eq!(send(f, message).await.0, 204);
}

async fn get(f: &Fixture, query: &str) -> (u16, String) {
    let (status, body) = f.call(Request::get(format!("/federate{query}")).body(Body::empty()).unwrap()).await;
    (status.as_u16(), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_samples_of_what_is_selected() {
    let f = fixture(&["--web.enable-remote-write-receiver"]).await;
    let now = crate::handlers::now_ms();
    for (name, v) in [("fed_b", 1.0), ("fed_a", 2.5), ("fed_gone", stale_nan())] {
        write(&f, name, now - 2000, 7.0).await;
        write(&f, name, now - 1000, v).await;
    }
    let shown = |name: &str, v: &str| {
        format!("# TYPE {name} untyped\n{name}{{job=\"j\",instance=\"\",region=\"eu\"}} {v} {}\n", now - 1000)
    };
    let both = shown("fed_a", "2.5") + &shown("fed_b", "1");
    assert_eq!(get(&f, "?match[]=fed_b&match[]=%7B__name__=~%22fed_.*%22%7D").await, (200, both));
    assert_eq!(get(&f, "").await, (200, String::new()));
    // The fixture's own samples are years old.
    assert_eq!(get(&f, "?match[]=up").await, (200, String::new()));
    let (status, text) = get(&f, "?match[]=%7B").await;
    assert_eq!((status, text.as_str()), (400, "1:2: parse error: unexpected end of input inside braces\n"));
}
