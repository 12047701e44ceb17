//! YAML text in the manner of the library the original uses: which words stand bare, which in quotes, where
//! long ones are folded.

/// What is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Text(String),
    /// Numbers and truth values: never quoted.
    Raw(String),
    List(Vec<Node>),
    /// A list of words in brackets.
    Inline(Vec<String>),
    Map(Vec<(String, Node)>),
}

/// Bare and quoted words that pass this column go on in the next line.
const WIDTH: usize = 80;

pub fn write(node: &Node) -> String {
    let mut out = String::new();
    match node {
        Node::Map(entries) if !entries.is_empty() => map(entries, 0, false, &mut out),
        _ => out.push_str("{}\n"),
    }
    out
}

/// `inside` says that the first entry goes on in a line that has begun with a dash.
fn map(entries: &[(String, Node)], indent: usize, inside: bool, out: &mut String) {
    for (i, (name, node)) in entries.iter().enumerate() {
        if i > 0 || !inside {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        text(name, indent, false, out);
        out.push(':');
        value(node, indent, out);
    }
}

fn value(node: &Node, indent: usize, out: &mut String) {
    match node {
        Node::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            map(entries, indent + 2, false, out);
        }
        // Lists of a mapping stand at its own depth.
        Node::List(items) if !items.is_empty() => {
            out.push('\n');
            list(items, indent, out);
        }
        scalar => {
            out.push(' ');
            flat(scalar, indent + 2, out);
        }
    }
}

fn list(items: &[Node], indent: usize, out: &mut String) {
    for item in items {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str("- ");
        match item {
            Node::Map(entries) if !entries.is_empty() => map(entries, indent + 2, true, out),
            Node::List(items) if !items.is_empty() => {
                let mut inner = String::new();
                list(items, indent + 2, &mut inner);
                out.push_str(inner.trim_start());
            }
            scalar => flat(scalar, indent + 2, out),
        }
    }
}

fn flat(node: &Node, indent: usize, out: &mut String) {
    match node {
        Node::Text(words) => text(words, indent, false, out),
        Node::Raw(words) => out.push_str(words),
        Node::Inline(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                text(item, indent, true, out);
            }
            out.push(']');
        }
        Node::List(_) => out.push_str("[]"),
        Node::Map(_) => out.push_str("{}"),
    }
    out.push('\n');
}

/// One string. `flow` is inside brackets, where more characters have a meaning.
fn text(words: &str, indent: usize, flow: bool, out: &mut String) {
    if words.contains('\n') && !flow {
        return block(words, indent, out);
    }
    let odd = words.chars().any(|c| c.is_control());
    if odd || is_something_else(words) {
        return double_quoted(words, out);
    }
    if is_plain(words, flow) {
        return folded(words, indent, out);
    }
    out.push('\'');
    folded(&words.replace('\'', "''"), indent, out);
    out.push('\'');
}

/// Several lines: `|`, then each at the depth of a child.
fn block(words: &str, indent: usize, out: &mut String) {
    out.push('|');
    let kept = words.strip_suffix('\n');
    match kept {
        None => out.push('-'),
        Some(rest) if rest.ends_with('\n') || rest.is_empty() => out.push('+'),
        Some(_) => {}
    }
    for line in kept.unwrap_or(words).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
}

/// Breaks at single spaces once the line has become too long.
fn folded(words: &str, indent: usize, out: &mut String) {
    let mut column = out.len() - out.rfind('\n').map_or(0, |at| at + 1);
    let characters: Vec<char> = words.chars().collect();
    for (i, c) in characters.iter().enumerate() {
        let single = *c == ' '
            && i > 0
            && characters[i - 1] != ' '
            && characters.get(i + 1).is_some_and(|next| *next != ' ');
        if single && column > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else {
            out.push(*c);
            column += 1;
        }
    }
}

fn double_quoted(words: &str, out: &mut String) {
    out.push('"');
    for c in words.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\x{:02X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether a bare word would be read as a number, a truth value, a time or nothing.
fn is_something_else(words: &str) -> bool {
    const WORDS: &[&str] = &[
        "", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "true",
        "True", "TRUE", "false", "False", "FALSE", "on", "On", "ON", "off", "Off", "OFF", ".nan", ".NaN",
        ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", "<<",
    ];
    if WORDS.contains(&words) {
        return true;
    }
    let bare = words.replace('_', "");
    let digits = bare.strip_prefix(['-', '+']).unwrap_or(&bare);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let based = |prefix: &str, base: u32| {
        digits.strip_prefix(prefix).is_some_and(|rest| u64::from_str_radix(rest, base).is_ok())
    };
    let decimal = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'))
        && digits.parse::<f64>().is_ok();
    // Base 60 (`1:30`) is read as a number by old readers, so it is quoted for their sake.
    let sixty = digits.split(':').count() > 1
        && digits.split(':').all(|part| !part.is_empty() && part.len() <= 2)
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b':');
    decimal || based("0x", 16) || based("0b", 2) || based("0o", 8) || sixty || is_date(words)
}

/// `2001-12-14`, with or without a time behind it.
fn is_date(words: &str) -> bool {
    let mut parts = words.splitn(3, '-');
    let number = |part: Option<&str>, lengths: std::ops::RangeInclusive<usize>| {
        part.is_some_and(|p| lengths.contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    let (year, month, rest) = (parts.next(), parts.next(), parts.next());
    let day = rest.map(|r| &r[..r.find(['T', 't', ' ']).unwrap_or(r.len())]);
    number(year, 4..=4) && number(month, 1..=2) && number(day, 1..=2)
}

/// Whether the reader would take the bare word for what it is.
fn is_plain(words: &str, flow: bool) -> bool {
    let characters: Vec<char> = words.chars().collect();
    let (Some(first), Some(last)) = (characters.first(), characters.last()) else { return false };
    if *first == ' ' || *last == ' ' || words.starts_with("---") || words.starts_with("...") {
        return false;
    }
    let space_after = |i: usize| characters.get(i + 1).is_none_or(|c| *c == ' ');
    for (i, c) in characters.iter().enumerate() {
        let bad = match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`'
                if i == 0 =>
            {
                true
            }
            '?' | '-' if i == 0 => space_after(i) || (flow && *c == '?'),
            ',' | '?' | '[' | ']' | '{' | '}' => flow,
            ':' => flow || space_after(i),
            '#' => characters[i - 1] == ' ',
            _ => false,
        };
        if bad {
            return false;
        }
    }
    true
}
