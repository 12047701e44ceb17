//! Paths into JSON values (`a.b[0]["c d"]`) and keys of logfmt pairs, as the parsers' expressions write
//! them. Error texts are those of Loki's two small grammars.

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Field(String),
    Index(usize),
}

#[derive(Debug, PartialEq)]
enum Token {
    Field(String),
    Text(String),
    Index(usize),
    Dot,
    Open,
    Close,
    End,
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::Field(_) => "FIELD",
            Token::Text(_) => "STRING",
            Token::Index(_) => "INDEX",
            Token::Dot => "DOT",
            Token::Open => "LSB",
            Token::Close => "RSB",
            Token::End => "$end",
        }
    }
}

/// Parses a JSON path.
pub fn parse(text: &str) -> Result<Path, String> {
    let mut rest = text;
    let mut steps = Vec::new();
    let unexpected = |token: &Token, expecting: &str| {
        let list = if expecting.is_empty() { String::new() } else { format!(", expecting {expecting}") };
        format!("syntax error: unexpected {}{list}", token.name())
    };
    let mut token = next(&mut rest)?;
    match token {
        Token::Field(name) => steps.push(Step::Field(name)),
        Token::Open => steps.push(bracket(&mut rest)?),
        other => return Err(unexpected(&other, "LSB or FIELD")),
    }
    loop {
        token = next(&mut rest)?;
        match token {
            Token::End => return Ok(Path { steps }),
            Token::Open => steps.push(bracket(&mut rest)?),
            Token::Dot => match next(&mut rest)? {
                Token::Field(name) => steps.push(Step::Field(name)),
                other => return Err(unexpected(&other, "FIELD")),
            },
            other => return Err(unexpected(&other, "")),
        }
    }
}

fn bracket(rest: &mut &str) -> Result<Step, String> {
    let step = match next(rest)? {
        Token::Text(name) => Step::Field(name),
        Token::Index(index) => Step::Index(index),
        other => return Err(format!("syntax error: unexpected {}, expecting STRING or INDEX", other.name())),
    };
    match next(rest)? {
        Token::Close => Ok(step),
        // After an index, an unterminated bracket is reported as if the index were still open.
        Token::End => Err("syntax error: unexpected $end, expecting STRING or INDEX".into()),
        other => Err(format!("syntax error: unexpected {}, expecting RSB", other.name())),
    }
}

fn next(rest: &mut &str) -> Result<Token, String> {
    *rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
    let Some(c) = rest.chars().next() else { return Ok(Token::End) };
    let take = |rest: &mut &str, ok: fn(char) -> bool| {
        let end = rest.find(|c| !ok(c)).unwrap_or(rest.len());
        let (taken, after) = rest.split_at(end);
        *rest = after;
        taken.to_owned()
    };
    match c {
        '.' | '[' | ']' => {
            *rest = &rest[1..];
            Ok(match c {
                '.' => Token::Dot,
                '[' => Token::Open,
                _ => Token::Close,
            })
        }
        '"' => match rest[1..].find('"') {
            Some(end) => {
                let text = rest[1..=end].to_owned();
                *rest = &rest[end + 2..];
                Ok(Token::Text(text))
            }
            None => Err("unexpected char \"".into()),
        },
        '0'..='9' => {
            let digits = take(rest, |c| c.is_ascii_digit());
            digits.parse().map(Token::Index).map_err(|_| format!("index {digits} is out of range"))
        }
        c if c == '_' || c.is_alphabetic() => {
            Ok(Token::Field(take(rest, |c| c == '_' || c.is_alphabetic() || c.is_ascii_digit())))
        }
        c => Err(format!("unexpected char {c}")),
    }
}

/// Parses the key of a logfmt expression: a bare word or a quoted text.
pub fn parse_key(text: &str) -> Result<String, String> {
    let mut rest = text;
    let key_char = |c: char| !c.is_whitespace() && !matches!(c, '"' | '=' | '.' | '[' | ']');
    rest = rest.trim_start();
    let Some(first) = rest.chars().next() else {
        return Err("syntax error: unexpected $end, expecting STRING or KEY".into());
    };
    let key = if first == '"' {
        let end = rest[1..].find('"').ok_or("unexpected char \"")?;
        let key = rest[1..=end].to_owned();
        rest = &rest[end + 2..];
        key
    } else {
        let end = rest.find(|c| !key_char(c)).unwrap_or(rest.len());
        let key = rest[..end].to_owned();
        rest = &rest[end..];
        key
    };
    match rest.trim_start().chars().next() {
        None => Ok(key),
        Some('"') => Err("syntax error: unexpected STRING".into()),
        Some(c) if key_char(c) => Err("syntax error: unexpected KEY".into()),
        Some(c) => Err(format!("unexpected char {c}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let field = |s: &str| Step::Field(s.into());
        let check = |text: &str, steps: Vec<Step>| assert_eq!(parse(text), Ok(Path { steps }), "{text}");
        check("a", vec![field("a")]);
        check("a.b[0]", vec![field("a"), field("b"), Step::Index(0)]);
        check(r#"["a b"].c"#, vec![field("a b"), field("c")]);
        check("[0]", vec![Step::Index(0)]);
        let refuse = |text: &str, error: &str| assert_eq!(parse(text).unwrap_err(), error, "{text}");
        refuse("bar[", "syntax error: unexpected $end, expecting STRING or INDEX");
        refuse("a.b[0", "syntax error: unexpected $end, expecting STRING or INDEX");
        refuse("a..b", "syntax error: unexpected DOT, expecting FIELD");
        refuse("", "syntax error: unexpected $end, expecting LSB or FIELD");
        refuse("a.b-c", "unexpected char -");
        refuse("a b", "syntax error: unexpected FIELD");
        refuse("a[x]", "syntax error: unexpected FIELD, expecting STRING or INDEX");
        refuse("a]", "syntax error: unexpected RSB");
    }

    #[test]
    fn keys() {
        assert_eq!(parse_key("a-b"), Ok("a-b".into()));
        assert_eq!(parse_key("\"a b\""), Ok("a b".into()));
        let refuse = |text: &str, error: &str| assert_eq!(parse_key(text).unwrap_err(), error, "{text}");
        refuse("bar[", "unexpected char [");
        refuse("a.b", "unexpected char .");
        refuse("", "syntax error: unexpected $end, expecting STRING or KEY");
        refuse("a b", "syntax error: unexpected KEY");
    }
}
