//! The router from outside, without sockets where none are needed.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{api, auth, catalog, flags, routes, state};

struct Fixture {
    router: Router,
    _dir: tempfile::TempDir,
}

/// A service whose data source `prom` is at `url`.
fn fixture(url: &str, loopback_only: bool) -> Fixture {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "grafana/provisioning/datasources/d.yml",
        &format!(
            "apiVersion: 1\ndatasources:\n- {{name: Prom, type: prometheus, uid: prom, url: '{url}', isDefault: true}}\n"
        ),
    );
    write(
        "grafana/provisioning/dashboards/d.yml",
        "apiVersion: 1\nproviders:\n- {name: x, folder: CloudOS, folderUid: cloudos, type: file, allowUiUpdates: true, options: {path: grafana/dashboards}}\n",
    );
    write(
        "grafana/dashboards/a.json",
        r#"{"title":"System Overview","uid":"sys","tags":["host"],"panels":[]}"#,
    );
    let settings = flags::Settings {
        config_dir: dir.path().to_owned(),
        data_path: dir.path().join("data"),
        listen_address: String::new(),
        admin_user: "admin".into(),
        admin_password: config::Secret::new(flags::DEFAULT_PASSWORD),
    };
    let db = state::Database::in_memory();
    crate::seed(&db, &settings).unwrap();
    let api = api::Api::new(api::Shared {
        db: Arc::new(db),
        catalog: Arc::new(catalog::Catalog::open(dir.path()).unwrap()),
        pool: front::Pool::new("grafana", 2, 64),
        client: reqwest::Client::new(),
        attempts: auth::Attempts::default(),
        verified: auth::Verified::default(),
        loopback_only,
        host: front::Host::detached(),
    });
    Fixture { router: routes::router(api), _dir: dir }
}

const ADMIN: &str = "Basic YWRtaW46Y2xvdWRvczEyMw==";

impl Fixture {
    async fn call(&self, request: Request<Body>) -> (StatusCode, header::HeaderMap, Value) {
        let reply = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = axum::body::to_bytes(reply.into_body(), 1 << 24).await.unwrap();
        (status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).header(header::AUTHORIZATION, ADMIN).body(Body::empty()).unwrap();
        let (status, _, body) = self.call(request).await;
        (status, body)
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, header::HeaderMap, Value) {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, ADMIN)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        self.call(request).await
    }

    async fn login(&self, body: Value) -> (StatusCode, header::HeaderMap, Value) {
        self.call(Request::post("/login").body(Body::from(body.to_string())).unwrap()).await
    }
}

#[tokio::test]
async fn the_api_wants_a_login_and_a_session_gives_it() {
    let f = fixture("http://127.0.0.1:1", true);
    let (status, _, body) = f.call(Request::get("/api/user").body(Body::empty()).unwrap()).await;
    assert_eq!((status, body), (StatusCode::UNAUTHORIZED, json!({"message": "Unauthorized"})));
    let (status, _, body) = f.call(Request::get("/api/health").body(Body::empty()).unwrap()).await;
    assert_eq!((status, &body["database"]), (StatusCode::OK, &json!("ok")));

    let (status, headers, body) = f.login(json!({"user": "admin", "password": "cloudos123"})).await;
    assert_eq!((status, &body["message"]), (StatusCode::OK, &json!("Logged in")));
    let cookie = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
    let session = cookie.split(';').next().unwrap().to_owned();
    let with_cookie =
        |path: &str| Request::get(path).header(header::COOKIE, &session).body(Body::empty()).unwrap();
    let (status, _, body) = f.call(with_cookie("/api/user")).await;
    assert_eq!((status, &body["login"]), (StatusCode::OK, &json!("admin")));
    f.call(with_cookie("/logout")).await;
    assert_eq!(f.call(with_cookie("/api/user")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn wrong_passwords_are_limited() {
    let f = fixture("http://127.0.0.1:1", true);
    for _ in 0..5 {
        let (status, _, body) = f.login(json!({"user": "admin", "password": "no"})).await;
        let expected = json!({"message": "Invalid username or password"});
        assert_eq!((status, body), (StatusCode::UNAUTHORIZED, expected));
    }
    let (status, _, _) = f.login(json!({"user": "admin", "password": "cloudos123"})).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "blocked even with the right one");
    assert_eq!(f.login(json!({"user": 1})).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_default_password_is_no_good_on_an_open_port() {
    let f = fixture("http://127.0.0.1:1", false);
    assert_eq!(f.login(json!({"user": "admin", "password": "cloudos123"})).await.0, StatusCode::FORBIDDEN);
    let change = json!({"user": "admin", "password": "cloudos123", "newPassword": "longer one"});
    assert_eq!(f.login(change).await.0, StatusCode::OK);
    assert_eq!(f.login(json!({"user": "admin", "password": "longer one"})).await.0, StatusCode::OK);
}

#[tokio::test]
async fn other_origins_cannot_change_anything() {
    let f = fixture("http://127.0.0.1:1", true);
    let post = |origin: &str| {
        Request::post("/api/annotations")
            .header(header::AUTHORIZATION, ADMIN)
            .header(header::HOST, "localhost:3000")
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(r#"{"text":"x","time":5}"#))
            .unwrap()
    };
    assert_eq!(f.call(post("http://evil.example")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(f.call(post("http://localhost:3000")).await.0, StatusCode::OK);
    let (_, list) = f.get("/api/annotations?from=0&to=10").await;
    assert_eq!((list[0]["text"].as_str(), list[0]["login"].as_str()), (Some("x"), Some("admin")));
}

#[tokio::test]
async fn dashboards_are_found_read_and_saved() {
    let f = fixture("http://127.0.0.1:1", true);
    let (_, hits) = f.get("/api/search?type=dash-db&query=system").await;
    assert_eq!((hits[0]["uid"].as_str(), hits[0]["folderTitle"].as_str()), (Some("sys"), Some("CloudOS")));
    let (_, found) = f.get("/api/dashboards/uid/sys").await;
    assert_eq!(found["dashboard"]["title"], "System Overview");
    assert_eq!(found["meta"]["provisioned"], true);
    let missing = f.get("/api/dashboards/uid/none").await;
    assert_eq!(missing, (StatusCode::NOT_FOUND, json!({"message": "Dashboard not found"})));

    let board = |version: i64| json!({"dashboard": {"title": "Mine", "uid": "mine", "version": version}});
    let (status, _, body) = f.post("/api/dashboards/db", board(0)).await;
    assert_eq!((status, &body["version"]), (StatusCode::OK, &json!(1)));
    let (status, _, body) = f.post("/api/dashboards/db", board(7)).await;
    assert_eq!((status, &body["status"]), (StatusCode::PRECONDITION_FAILED, &json!("version-mismatch")));
    let (status, _, _) = f.post("/api/dashboards/db", json!({"dashboard": {"title": " "}})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(f.get("/api/nothing/here").await, (StatusCode::NOT_FOUND, json!({"message": "Not found"})));
}

/// A data source on loopback that answers what it was asked.
async fn stub() -> String {
    use axum::routing::{get, post};
    let range = post(|axum::Form(form): axum::Form<std::collections::HashMap<String, String>>| async move {
        if form["query"].contains("bad") {
            let error = json!({"status": "error", "errorType": "bad_data", "error": "no such thing"});
            return (StatusCode::BAD_REQUEST, axum::Json(error));
        }
        let metric = json!({"__name__": "up", "q": form["query"], "step": form["step"]});
        let result = json!([{"metric": metric, "values": [[1, "1"], [2, "NaN"]]}]);
        let data = json!({"status": "success", "data": {"resultType": "matrix", "result": result}});
        (StatusCode::OK, axum::Json(data))
    });
    let router = Router::new()
        .route("/api/v1/query_range", range)
        .route("/api/v1/labels", get(|| async { axum::Json(json!({"status": "success", "data": ["job"]})) }));
    let door = front::Door::bind("stub", "127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", door.address());
    // Ends with the test's runtime.
    std::mem::forget(door.serve(router, &front::Host::detached()));
    url
}

#[tokio::test]
async fn one_bad_query_does_not_spoil_the_others() {
    let f = fixture(&stub().await, true);
    let query = |ref_id: &str, expr: &str| {
        json!({"refId": ref_id, "datasource": {"uid": "prom"}, "expr": expr, "range": true,
               "legendFormat": "{{__name__}} {{q}}", "intervalMs": 30000, "maxDataPoints": 100})
    };
    let body = json!({"from": "0", "to": "3600000",
                      "queries": [query("1/A", "rate(x[$__rate_interval])"), query("2/A", "bad")]});
    let (status, _, reply) = f.post("/api/ds/query", body).await;
    assert_eq!(status, StatusCode::MULTI_STATUS);
    let good = &reply["results"]["1/A"]["frames"][0];
    assert_eq!(good["schema"]["fields"][1]["config"]["displayNameFromDS"], "up rate(x[1m])");
    assert_eq!(good["data"]["values"], json!([[1000, 2000], [1.0, null]]));
    assert_eq!(reply["results"]["2/A"]["error"], "bad_data: no such thing");
    let (status, _, _) = f.post("/api/ds/query", json!({"from": "x", "to": "1", "queries": [{}]})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_proxy_passes_on_and_names_what_is_down() {
    let f = fixture(&stub().await, true);
    let (status, body) = f.get("/api/datasources/proxy/uid/prom/api/v1/labels").await;
    assert_eq!((status, &body["data"]), (StatusCode::OK, &json!(["job"])));
    let (status, body) = f.get("/api/datasources/uid/prom/resources/api/v1/labels").await;
    assert_eq!((status, &body["data"]), (StatusCode::OK, &json!(["job"])));
    assert_eq!(f.get("/api/datasources/proxy/uid/none/x").await.0, StatusCode::NOT_FOUND);
    let f = fixture("http://127.0.0.1:1", true);
    let (status, body) = f.get("/api/datasources/proxy/uid/prom/api/v1/labels").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(body["message"].as_str().unwrap().contains("not reachable"), "{body}");
}

#[tokio::test]
async fn the_proxy_stays_below_the_data_source() {
    // The data source is what lies below /api/v2; the labels lie beside it.
    let f = fixture(&format!("{}/api/v2", stub().await), true);
    for escape in ["..%2Fv1/labels", "%2e%2e/v1/labels", "%252e%252e/v1/labels", "..%5Cv1/labels"] {
        let (status, body) = f.get(&format!("/api/datasources/proxy/uid/prom/{escape}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{escape}: {body}");
    }
}

#[tokio::test]
async fn a_websocket_goes_through_the_proxy() {
    use axum::extract::ws::{Message, WebSocketUpgrade};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let echo = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(Message::Text(text))) = socket.recv().await {
                let _ = socket.send(Message::Text(format!("echo {text}").into())).await;
            }
        })
    };
    let source = front::Door::bind("stub", "127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", source.address());
    let host = front::Host::detached();
    let source = source.serve(Router::new().route("/tail", axum::routing::any(echo)), &host);
    let f = fixture(&url, true);
    let door = front::Door::bind("grafana", "127.0.0.1:0").await.unwrap();
    let address = door.address();
    let service = door.serve(f.router.clone(), &host);

    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let handshake = format!(
        "GET /api/datasources/proxy/uid/prom/tail HTTP/1.1\r\nHost: {address}\r\nAuthorization: {ADMIN}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(handshake.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    // A masked text frame "hi" with an all-zero mask; the echo comes back unmasked.
    socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut frame = [0u8; 9];
    socket.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x07echo hi");
    drop(socket);
    host.shutdown.cancel();
    service.stop().await;
    source.stop().await;
}
