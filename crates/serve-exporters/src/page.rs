//! The small HTML pages of the exporters.

use std::fmt::Write;

use axum::response::{Html, IntoResponse, Response};

const STYLE: &str = "body{font-family:system-ui,sans-serif;margin:2rem;max-width:60rem}\
    table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0}\
    td.n{text-align:right;font-variant-numeric:tabular-nums}\
    @media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}";

/// A page that says what this is and where its metrics are.
pub fn landing(title: &str, about: &str, version: &str, links: &[(&str, &str)]) -> Response {
    let mut body = String::new();
    let _ = write!(body, "<p>{}</p><p>Version: {}</p><ul>", escape(about), escape(version));
    for (path, text) in links {
        let _ = write!(body, "<li><a href=\"{}\">{}</a></li>", escape(path), escape(text));
    }
    body.push_str("</ul>");
    document(title, &body)
}

/// A whole page around `body`, which is HTML already.
pub fn document(title: &str, body: &str) -> Response {
    let title = escape(title);
    let text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><h1>{title}</h1>{body}</body></html>\n"
    );
    Html(text).into_response()
}

/// Text that stands for itself in HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
