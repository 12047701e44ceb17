//! Scripts to commands.
//!
//! ```text
//! load 5m                                  series lines follow
//! load_with_nhcb 5m                        the same, classic histograms also as native ones
//! clear
//! eval instant at 10m <expr>               expectations follow
//! eval range from 0 to 10m step 5m <expr>
//! ```

use promql::notation::{SeriesLine, series_line};

pub enum Command {
    Clear,
    Load { step: i64, with_nhcb: bool, series: Vec<SeriesLine> },
    Eval(Box<Eval>),
}

pub struct Eval {
    /// Line number in the script, from 1.
    pub line: usize,
    pub expr: String,
    pub at: When,
    pub expected: Expected,
}

#[derive(Clone, Copy)]
pub enum When {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// An annotation or error that must come.
pub enum Pattern {
    Any,
    Message(String),
    Regex(String),
}

#[derive(Default)]
pub struct Expected {
    pub fail: Option<Pattern>,
    pub warn: Vec<Pattern>,
    pub info: Vec<Pattern>,
    pub no_warn: bool,
    pub no_info: bool,
    pub ordered: bool,
    pub string: Option<String>,
    pub range_vector: Option<(i64, i64, i64)>,
    pub scalar: Option<f64>,
    pub series: Vec<SeriesLine>,
}

pub fn parse(text: &str) -> Result<Vec<Command>, String> {
    // A comment ends a command's lines, as an empty line does.
    let trimmed = text.lines().map(str::trim);
    let lines: Vec<&str> = trimmed.map(|l| if l.starts_with('#') { "" } else { l }).collect();
    let (mut commands, mut at) = (Vec::new(), 0);
    while at < lines.len() {
        let line = lines[at];
        let number = at + 1;
        at += 1;
        if line.is_empty() {
            continue;
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        // Everything up to the next empty line belongs to the command.
        let body_end = lines[at..].iter().position(|l| l.is_empty()).map_or(lines.len(), |n| at + n);
        let body: Vec<&str> = lines[at..body_end].to_vec();
        let context = |e: String| format!("line {number}: {line}: {e}");
        match word {
            "clear" => commands.push(Command::Clear),
            "load" | "load_with_nhcb" => {
                let step = model::duration::parse(rest.trim()).map_err(|e| context(e.to_string()))?;
                let series: Result<Vec<_>, _> = body.iter().map(|l| series_line(l)).collect();
                let with_nhcb = word == "load_with_nhcb";
                commands.push(Command::Load { step, with_nhcb, series: series.map_err(context)? });
                at = body_end;
            }
            _ if word.starts_with("eval") => {
                let mut eval = eval_line(rest, number).map_err(context)?;
                match word {
                    "eval_fail" => eval.expected.fail = Some(Pattern::Any),
                    "eval_warn" => eval.expected.warn.push(Pattern::Any),
                    "eval_info" => eval.expected.info.push(Pattern::Any),
                    "eval_ordered" => eval.expected.ordered = true,
                    _ => {}
                }
                for line in body {
                    expectation(line, &mut eval.expected).map_err(context)?;
                }
                commands.push(Command::Eval(Box::new(eval)));
                at = body_end;
            }
            _ => return Err(context("unknown command".into())),
        }
    }
    Ok(commands)
}

/// A time or duration: `5m`, `90`, `1.5`, `-1m`.
fn time(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    if let Ok(seconds) = digits.parse::<f64>() {
        return Ok(sign * (seconds * 1000.0) as i64);
    }
    model::duration::parse(digits).map(|ms| sign * ms).map_err(|e| e.to_string())
}

fn eval_line(rest: &str, line: usize) -> Result<Eval, String> {
    let word = |text: &str| -> (String, String) {
        let text = text.trim_start();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        (word.to_owned(), rest.to_owned())
    };
    let after = |text: &str, keyword: &str| -> Result<(i64, String), String> {
        let (found, rest) = word(text);
        if found != keyword {
            return Err(format!("expected {keyword:?}, got {found:?}"));
        }
        let (value, rest) = word(&rest);
        Ok((time(&value)?, rest))
    };
    let (kind, rest) = word(rest);
    let (at, expr) = match kind.as_str() {
        "instant" => {
            let (t, expr) = after(&rest, "at")?;
            (When::Instant(t), expr)
        }
        "range" => {
            let (start, rest) = after(&rest, "from")?;
            let (end, rest) = after(&rest, "to")?;
            let (step, expr) = after(&rest, "step")?;
            (When::Range { start, end, step }, expr)
        }
        other => return Err(format!("unknown kind {other:?}")),
    };
    Ok(Eval { line, expr: expr.trim().to_owned(), at, expected: Expected::default() })
}

fn expectation(line: &str, expected: &mut Expected) -> Result<(), String> {
    let Some(what) = line.strip_prefix("expect ") else {
        if let Ok(v) = promql::notation::float(line) {
            expected.scalar = Some(v);
        } else {
            expected.series.push(series_line(line)?);
        }
        return Ok(());
    };
    let what = what.trim();
    let (word, detail) = what.split_once(char::is_whitespace).unwrap_or((what, ""));
    let detail = detail.trim();
    let pattern = || {
        if let Some(text) = detail.strip_prefix("msg:") {
            Pattern::Message(text.trim().to_owned())
        } else if let Some(text) = detail.strip_prefix("regex:") {
            Pattern::Regex(text.trim().to_owned())
        } else {
            Pattern::Any
        }
    };
    match word {
        "fail" => expected.fail = Some(pattern()),
        "warn" => expected.warn.push(pattern()),
        "info" => expected.info.push(pattern()),
        "no_warn" => expected.no_warn = true,
        "no_info" => expected.no_info = true,
        "ordered" => expected.ordered = true,
        "string" => {
            let bytes = promql_syntax::unquote(detail).ok_or("bad string")?;
            expected.string = Some(String::from_utf8(bytes).map_err(|e| e.to_string())?);
        }
        "range" => {
            let words: Vec<&str> = detail.split_whitespace().collect();
            let [_, _, start, _, end, _, step] = words[..] else { return Err("bad range vector".into()) };
            expected.range_vector = Some((time(start)?, time(end)?, time(step)?));
        }
        other => return Err(format!("unknown expectation {other:?}")),
    }
    Ok(())
}
