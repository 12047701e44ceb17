//! What the values of attributes are.

/// The language of an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Plain,
    Css,
    Html,
    Js,
    Srcset,
    Url,
    /// Affects the meaning of other things in the page, so a template value must not choose it.
    Unsafe,
}

const URLS: &[&str] = &[
    "action",
    "archive",
    "background",
    "cite",
    "classid",
    "codebase",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
    "manifest",
    "poster",
    "profile",
    "src",
    "usemap",
    "xmlns",
];

const UNSAFE: &[&str] = &[
    "accept-charset",
    "async",
    "challenge",
    "charset",
    "content",
    "crossorigin",
    "defer",
    "enctype",
    "form",
    "formenctype",
    "formmethod",
    "formnovalidate",
    "http-equiv",
    "keytype",
    "language",
    "method",
    "novalidate",
    "pattern",
    "rel",
    "type",
    "value",
];

/// By a lower-case attribute name. Names that are not known are guessed: `on…` are handlers, and what
/// mentions a source or a URL holds one.
pub(super) fn content(name: &str) -> Content {
    let name = match (name.strip_prefix("data-"), name.split_once(':')) {
        (Some(custom), _) => custom,
        (None, Some(("xmlns", _))) => return Content::Url,
        (None, Some((_, local))) => local,
        (None, None) => name,
    };
    match name {
        "style" => Content::Css,
        "srcdoc" => Content::Html,
        "srcset" => Content::Srcset,
        "srclang" => Content::Plain,
        name if URLS.contains(&name) => Content::Url,
        name if UNSAFE.contains(&name) => Content::Unsafe,
        name if name.starts_with("on") => Content::Js,
        name if ["src", "uri", "url"].iter().any(|part| name.contains(part)) => Content::Url,
        _ => Content::Plain,
    }
}
