//! What every request passes first: extra headers, then the password.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Web, auth};

/// For `middleware::from_fn_with_state`.
pub(crate) async fn guard(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let ready = web.current();
    let given = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let welcome = ready.users.is_empty()
        || match given.and_then(auth::basic) {
            Some((user, password)) => web.passwords.verify(&ready.users, &user, &password).await,
            None => false,
        };
    let mut response = if welcome { next.run(request).await } else { unauthorized() };
    for (name, value) in &ready.headers {
        // What a handler says about its own page stays.
        response.headers_mut().entry(name).or_insert(value.clone());
    }
    response
}

fn unauthorized() -> Response {
    let mut response = (StatusCode::UNAUTHORIZED, "Unauthorized\n").into_response();
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
