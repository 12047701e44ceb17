//! The web app, embedded precompressed at build time.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

pub(crate) struct File {
    path: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

mod table {
    use super::File;
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

/// What `index.html` says until a service's name is put in.
const SERVICE_MARK: &str = "data-service=\"grafana\"";

/// Nothing from elsewhere, no inline script: what is embedded is all there is.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
                      connect-src 'self' ws: wss:; frame-ancestors 'self'";

/// The start page of one service.
#[derive(Debug, Clone)]
pub struct Page {
    pub service: &'static str,
    /// Empty: the app's own.
    pub title: String,
    /// Path under which browsers see the service's root, without a slash at its end; empty for `/`.
    pub base: String,
    /// Port of the dashboards on the same host, where there are any.
    pub dashboards: Option<u16>,
}

/// Serves the app's files, and its start page on each of `pages`.
pub fn routes<S: Clone + Send + Sync + 'static>(service: &'static str, pages: &[&str]) -> Router<S> {
    page_routes(Page::of(service), pages)
}

/// As [`routes`], for a page with a title or a path of its own.
pub fn page_routes<S: Clone + Send + Sync + 'static>(page: Page, pages: &[&str]) -> Router<S> {
    let files =
        get(|axum::extract::Path(path): axum::extract::Path<String>, headers: HeaderMap| async move {
            file(&format!("ui-assets/{path}"), &headers)
        });
    let icon = get(|headers: HeaderMap| async move { file("favicon.svg", &headers) });
    let mut router = Router::new().route("/ui-assets/{*path}", files).route("/favicon.svg", icon);
    for path in pages {
        let page = page.clone();
        router = router.route(path, get(move || async move { page.render() }));
    }
    router
}

/// The start page for `service`.
pub fn index(service: &'static str) -> Response {
    Page::of(service).render()
}

impl Page {
    /// A page under `/` with the app's own title.
    pub fn of(service: &'static str) -> Page {
        Page { service, title: String::new(), base: String::new(), dashboards: None }
    }

    fn render(&self) -> Response {
        let html = find("index.html").and_then(|f| std::str::from_utf8(f.plain).ok());
        let Some(html) = html else {
            let text = "<!doctype html><title>cloudos-monitor</title><p>This build has no web app. \
                        Build it with <code>./scripts/start-monitoring.sh build</code>; the APIs work without it.";
            return (StatusCode::SERVICE_UNAVAILABLE, Html(text)).into_response();
        };
        let mut mark = format!("data-service=\"{}\"", self.service);
        if !self.base.is_empty() {
            mark += &format!(" data-base=\"{}\"", escaped(&self.base));
        }
        if let Some(port) = self.dashboards {
            mark += &format!(" data-dashboards=\"{port}\"");
        }
        let mut page = html.replacen(SERVICE_MARK, &mark, 1);
        if !self.base.is_empty() {
            for attribute in ["src", "href"] {
                let (from, to) =
                    (format!("{attribute}=\"/"), format!("{attribute}=\"{}/", escaped(&self.base)));
                page = page.replace(&from, &to);
            }
        }
        if let (false, Some(start), Some(end)) =
            (self.title.is_empty(), page.find("<title>"), page.find("</title>"))
        {
            page.replace_range(start + "<title>".len()..end, &escaped(&self.title));
        }
        let headers = [
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, Html(page)).into_response()
    }
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn find(path: &str) -> Option<&'static File> {
    table::FILES.iter().find(|f| f.path == path)
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = find(path) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("");
    let accepts = |coding: &str| accepts.split(',').any(|c| c.trim().split(';').next() == Some(coding));
    let (body, coding) = match (file.brotli, file.gzip) {
        (Some(body), _) if accepts("br") => (body, Some("br")),
        (_, Some(body)) if accepts("gzip") => (body, Some("gzip")),
        _ => (file.plain, None),
    };
    let mut response = body.into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    out.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Names carry a hash of the content, so a file never changes under its name.
    let cache =
        if path.starts_with("ui-assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Some(coding) = coding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
