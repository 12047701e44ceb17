//! `${VAR}` expansion of configuration text, as `-config.expand-env=true` means it.

/// Replaces `${NAME}` and `${NAME:-default}` by environment variables; unset names become empty.
/// `$${` stays a literal `${`. `lookup` is `std::env::var(..).ok()` in production.
pub fn expand_env(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push_str(&rest[at..]);
            return out;
        };
        let (name, default) = name.split_once(":-").unwrap_or((name, ""));
        out.push_str(&lookup(name).filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned()));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn expands() {
        let lookup = |name: &str| (name == "A").then(|| "1".to_owned());
        let check = |text: &str, expected: &str| assert_eq!(super::expand_env(text, lookup), expected);
        check("x: ${A}", "x: 1");
        check("x: ${B}", "x: ");
        check("x: ${B:-two}, ${A:-two}", "x: two, 1");
        check("$1 ${1", "$1 ${1");
        check("$${A} ${A}", "${A} 1");
    }
}
