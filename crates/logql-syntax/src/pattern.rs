//! Patterns: literal text with captures, `<ip> - <_> "<method> <path>"`. Used by the `pattern` parser
//! (named captures) and by the `|>` and `!>` line filters (`<_>` only).

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Literal(String),
    /// `None` for `<_>`.
    Capture(Option<String>),
}

impl Pattern {
    /// A pattern for the `pattern` parser. The error is Loki's text.
    pub fn parser(text: &str) -> Result<Pattern, String> {
        let pattern = Pattern::parse(text)?;
        let mut seen: Vec<&str> = Vec::new();
        for name in pattern.names() {
            if seen.contains(&name) {
                return Err(format!("duplicate capture name ({name}): invalid expression"));
            }
            seen.push(name);
        }
        if seen.is_empty() {
            return Err("at least one capture is required".into());
        }
        pattern.check_consecutive()?;
        Ok(pattern)
    }

    /// A pattern for a line filter. The error is Loki's text.
    pub fn line_filter(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            return Ok(Pattern { nodes: Vec::new() });
        }
        let pattern = Pattern::parse(text)?;
        pattern.check_consecutive()?;
        if pattern.names().next().is_some() {
            return Err("named captures are not allowed: invalid expression".into());
        }
        Ok(pattern)
    }

    fn parse(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            return Err(
                "parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL"
                    .into(),
            );
        }
        let (mut nodes, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(c) = rest.chars().next() {
            if let Some((name, after)) = capture(rest) {
                if !literal.is_empty() {
                    nodes.push(Node::Literal(std::mem::take(&mut literal)));
                }
                nodes.push(Node::Capture((name != "_").then(|| name.to_owned())));
                rest = after;
            } else {
                literal.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        if !literal.is_empty() {
            nodes.push(Node::Literal(literal));
        }
        Ok(Pattern { nodes })
    }

    fn check_consecutive(&self) -> Result<(), String> {
        let show = |name: &Option<String>| format!("<{}>", name.as_deref().unwrap_or("_"));
        for pair in self.nodes.windows(2) {
            if let [Node::Capture(a), Node::Capture(b)] = pair {
                return Err(format!(
                    "found consecutive capture '{}{}': invalid expression",
                    show(a),
                    show(b)
                ));
            }
        }
        Ok(())
    }

    /// Names of the captures in order; `<_>` left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|n| match n {
            Node::Capture(Some(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Texts that every line accepted by [`Pattern::matches`] contains.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|n| match n {
            Node::Literal(text) => Some(text.as_str()),
            Node::Capture(_) => None,
        })
    }

    /// Calls `found` with each named capture of `line`. A capture whose closing literal is missing takes
    /// the rest of the line and ends the walk. A line that does not start with the pattern's leading
    /// literal has no captures.
    pub fn captures<'l>(&self, line: &'l str, mut found: impl FnMut(&str, &'l str)) {
        let mut rest = line;
        let mut nodes = self.nodes.as_slice();
        if let [Node::Literal(first), after @ ..] = nodes {
            let Some(stripped) = rest.strip_prefix(first.as_str()) else { return };
            (rest, nodes) = (stripped, after);
        }
        while let [Node::Capture(name), after @ ..] = nodes {
            let (value, next) = match after.first() {
                Some(Node::Literal(literal)) => match rest.split_once(literal.as_str()) {
                    Some((value, next)) => (value, Some(next)),
                    None => (rest, None),
                },
                _ => (rest, None),
            };
            if let Some(name) = name {
                found(name, value);
            }
            let Some(next) = next else { return };
            rest = next;
            nodes = after.get(1..).unwrap_or(&[]);
        }
    }

    /// Whether the whole line has this form. Captures stand for at least one character.
    pub fn matches(&self, line: &str) -> bool {
        if line.is_empty() || self.nodes.is_empty() {
            return line.is_empty() && self.nodes.is_empty();
        }
        let mut rest = line;
        for (i, node) in self.nodes.iter().enumerate() {
            let Node::Literal(literal) = node else { continue };
            let Some(at) = rest.find(literal.as_str()) else { return false };
            if (i == 0) != (at == 0) {
                return false;
            }
            rest = &rest[at + literal.len()..];
        }
        let ends_open = matches!(self.nodes.last(), Some(Node::Capture(_)));
        ends_open != rest.is_empty()
    }
}

/// `<name>` at the start of `text`, and what follows it.
fn capture(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let first = name.bytes().next()?;
    let rest_ok = name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
    ((first == b'_' || first.is_ascii_alphabetic()) && rest_ok).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures() {
        let check = |pattern: &str, line: &str, expected: &[(&str, &str)]| {
            let pattern = Pattern::parser(pattern).unwrap();
            let mut found = Vec::new();
            pattern.captures(line, |name, value| found.push((name.to_owned(), value.to_owned())));
            let expected: Vec<_> = expected.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
            assert_eq!(found, expected);
        };
        check("<ip> - <_> <user>", "1.2.3.4 - x bob", &[("ip", "1.2.3.4"), ("user", "bob")]);
        check("lvl=<l> <msg>", "lvl=info all good", &[("l", "info"), ("msg", "all good")]);
        check("lvl=<l> <msg>", "level info", &[]);
        check("<a>,<b>,<c>", "1,2", &[("a", "1"), ("b", "2")]);
        check("<a> < b", "x < b", &[("a", "x")]);
    }

    #[test]
    fn whole_lines() {
        let check = |pattern: &str, line: &str, expected: bool| {
            assert_eq!(Pattern::line_filter(pattern).unwrap().matches(line), expected, "{pattern} on {line}");
        };
        check("a <_> b", "a x b", true);
        check("a <_> b", "a x bc", false);
        check("a <_> b", "xa x b", false);
        check("<_>level=debug<_>", "t level=debug m", true);
        check("<_>level=debug<_>", "t level=info m", false);
        check("abc", "abc", true);
        check("", "", true);
        check("", "x", false);
    }

    #[test]
    fn refusals_are_loki_s() {
        let check = |text: &str, expected: &str| assert_eq!(Pattern::parser(text).unwrap_err(), expected);
        check("abc", "at least one capture is required");
        check("<_><_>", "at least one capture is required");
        check("<a> <a>", "duplicate capture name (a): invalid expression");
        check("<a><b>", "found consecutive capture '<a><b>': invalid expression");
        assert!(Pattern::line_filter("<name> x").is_err());
    }
}
