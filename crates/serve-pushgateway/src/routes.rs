//! Which path leads to which handler.

use std::sync::Arc;

use ::flags::Flags;
use axum::Router;
use axum::routing::{MethodRouter, any, get, put};

use crate::NAME;
use crate::handlers::{self, Gateway};

pub fn router(gateway: Arc<Gateway>, flags: &Flags) -> Router {
    let only_get = |route: MethodRouter<Arc<Gateway>>| {
        route.fallback(|| async { handlers::method_not_allowed("GET, OPTIONS") })
    };
    let quit = put(handlers::quit).post(handlers::quit).get(handlers::quit_by_get);
    let mut router = Router::new()
        .route(&telemetry_path(flags), only_get(get(handlers::scrape)))
        .route("/metrics/{*group}", any(handlers::group))
        .route("/api/v1/status", only_get(get(handlers::status).options(handlers::options)))
        .route("/api/v1/metrics", only_get(get(handlers::metrics).options(handlers::options)))
        .route("/-/healthy", only_get(get(handlers::healthy)))
        .route("/-/ready", only_get(get(handlers::healthy)))
        .route("/-/quit", quit)
        .merge(front::assets::routes(NAME, &["/", "/status"]));
    if flags.is_on("web.enable-admin-api") {
        let wipe = put(handlers::wipe).fallback(|| async { handlers::method_not_allowed("OPTIONS, PUT") });
        router = router.route("/api/v1/admin/wipe", wipe);
    }
    let prefix = route_prefix(flags.get("web.route-prefix"), flags.get("web.external-url"));
    let router = if prefix.is_empty() { router } else { Router::new().nest(&prefix, router) };
    router.fallback(handlers::not_found).with_state(gateway)
}

fn telemetry_path(flags: &Flags) -> String {
    let path = flags.get("web.telemetry-path");
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Empty, or starting with a slash and not ending with one.
fn route_prefix(prefix: &str, external_url: &str) -> String {
    let path = if prefix.is_empty() {
        let after_scheme = external_url.split_once("://").map_or("", |(_, rest)| rest);
        after_scheme.find('/').map_or("", |at| &after_scheme[at..])
    } else {
        prefix
    };
    let path = path.trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

#[cfg(test)]
mod tests {
    #[test]
    fn prefixes() {
        let check = |prefix: &str, url: &str, expected: &str| {
            assert_eq!(super::route_prefix(prefix, url), expected);
        };
        check("", "", "");
        check("/", "http://h/x", "");
        check("", "http://h", "");
        check("", "http://h/x/", "/x");
        check("a/b", "http://h/x/", "/a/b");
    }
}
