//! Go's `$1`, `${name}` and `$$` in replacements.

/// A reference in a replacement.
pub(crate) enum Reference<'a> {
    Number(usize),
    Name(&'a str),
}

/// Walks a replacement: `text` gets its literal parts, `group` its references.
pub(crate) fn walk<'a>(replacement: &'a str, mut each: impl FnMut(Result<&'a str, Reference<'a>>)) {
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        each(Ok(&rest[..at]));
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            each(Ok("$"));
            rest = after;
            continue;
        }
        match reference(rest) {
            Some((reference, after)) => {
                each(Err(reference));
                rest = after;
            }
            // What is no reference is text.
            None => each(Ok("$")),
        }
    }
    each(Ok(rest));
}

fn reference(text: &str) -> Option<(Reference<'_>, &str)> {
    let braced = text.strip_prefix('{');
    let inner = braced.unwrap_or(text);
    let end = inner.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, mut rest) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    if braced.is_some() {
        rest = rest.strip_prefix('}')?;
    }
    // A number with a leading zero is a name.
    let is_number = name.bytes().all(|b| b.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
    let number = name.parse::<usize>().ok().filter(|n| is_number && *n <= 1_000_000_000);
    Some((number.map_or(Reference::Name(name), Reference::Number), rest))
}
