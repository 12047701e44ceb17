//! The careful path: one line at a time through the lexer, with the original's error texts.

use std::borrow::Cow;

use model::MetricType;

use super::lexer::{Lexer, Token};
use super::number::{parse_float, parse_int, quote};
use super::{Dialect, Event, Pairs, ParseError, Parser, RawExemplar, Series};

impl<'a> Parser<'a> {
    pub(super) fn careful(&mut self) -> Result<Option<Event<'a>>, ParseError> {
        loop {
            let start = self.at;
            self.lexer.seek(start);
            let token = self.lexer.next();
            let event = match token {
                Token::End if self.dialect == Dialect::Text => return Ok(None),
                Token::End => return Err(fail("data does not end with # EOF")),
                Token::EofWord => {
                    return match self.lexer.next() {
                        Token::End => Ok(None),
                        _ => Err(fail("unexpected data after # EOF")),
                    };
                }
                Token::Linebreak => {
                    self.at = self.lexer.at;
                    continue;
                }
                Token::Help | Token::Type | Token::Unit => self.metadata(start, token)?,
                Token::Comment => {
                    let text = self.lexer.token();
                    self.expect_linebreak(start, "linebreak expected after comment")?;
                    Event::Comment(text)
                }
                Token::BraceOpen | Token::MetricName => Event::Series(self.series(start, token)?),
                other => return Err(unexpected(&self.lexer, start, "expected a valid start token", other)),
            };
            self.at = self.lexer.at;
            return Ok(Some(event));
        }
    }

    fn metadata(&mut self, start: usize, what: Token) -> Result<Event<'a>, ParseError> {
        let token = self.lexer.next();
        if token != Token::MetricName {
            let expected = format!("expected metric name after {}", what.name());
            return Err(unexpected(&self.lexer, start, &expected, token));
        }
        let name = unquote(self.lexer.token());
        let name_text = String::from_utf8_lossy(name);
        let token = self.lexer.next();
        let text = match (token, self.dialect) {
            (Token::Text, Dialect::Text) => self.lexer.token().get(1..).unwrap_or_default(),
            (Token::Text, Dialect::OpenMetrics) => {
                let line = self.lexer.token();
                line.get(1..line.len().saturating_sub(1)).unwrap_or_default()
            }
            (token, Dialect::Text) => {
                return Err(ParseError(format!("expected text in {}, got {}", what.name(), token.name())));
            }
            _ => return Err(ParseError(format!("expected text in {}", what.name()))),
        };
        if what == Token::Help && std::str::from_utf8(text).is_err() {
            return Err(ParseError(format!("help text {} is not a valid utf8 string", quote(text))));
        }
        let event = match what {
            Token::Type => Event::Type { name: name_text, kind: metric_type(text, self.dialect)? },
            Token::Unit => {
                let fits =
                    name.strip_suffix(text).is_some_and(|base| text.is_empty() || base.ends_with(b"_"));
                if !fits {
                    return Err(ParseError(format!(
                        "unit {} not a suffix of metric {}",
                        quote(text),
                        quote(name)
                    )));
                }
                Event::Unit { name: name_text, unit: String::from_utf8_lossy(text) }
            }
            _ => Event::Help { name: name_text, text: unescape(text, self.dialect == Dialect::OpenMetrics) },
        };
        if self.dialect == Dialect::Text {
            self.expect_linebreak(start, "linebreak expected after metadata")?;
        }
        Ok(event)
    }

    fn series(&mut self, start: usize, first: Token) -> Result<Series<'a>, ParseError> {
        let name_start = self.lexer.start;
        let head = series_head(&mut self.lexer, start, first)?;
        let raw = self.lexer.slice(name_start, head.end);
        if !head.named {
            let quoted = self.lexer.quoted(start, self.lexer.at);
            return Err(ParseError(format!("metric name not set while parsing: {quoted}")));
        }
        let value = self.value(start, head.next, "expected value after metric")?;
        let mut series =
            Series { raw, value, timestamp: None, exemplar: None, dialect: self.dialect, kind: self.kind };
        let mut token = self.lexer.next();
        if token == Token::Timestamp {
            let text = self.lexer.token();
            let timestamp = match self.dialect {
                Dialect::Text => parse_int(text),
                Dialect::OpenMetrics => parse_float(&text[1..]).and_then(|t| millis(t, "timestamp")),
            };
            series.timestamp = Some(timestamp.map_err(|e| self.while_parsing(start, &e))?);
            token = self.lexer.next();
            if token != Token::Linebreak && token != Token::Comment {
                return Err(unexpected(&self.lexer, start, "expected next entry after timestamp", token));
            }
        }
        match (token, self.dialect) {
            (Token::Linebreak, _) => {}
            (Token::Comment, Dialect::OpenMetrics) => series.exemplar = Some(self.exemplar(start)?),
            (Token::End, Dialect::OpenMetrics) => return Err(fail("data does not end with # EOF")),
            _ => return Err(unexpected(&self.lexer, start, "expected timestamp or new record", token)),
        }
        Ok(series)
    }

    fn exemplar(&mut self, start: usize) -> Result<RawExemplar<'a>, ParseError> {
        let mut labels = Pairs::new();
        label_pairs(&mut self.lexer, start, true, &mut labels)?;
        let token = self.lexer.next();
        let value = self.value(start, token, "expected value after exemplar labels")?;
        let mut timestamp = None;
        let mut token = self.lexer.next();
        if token == Token::Timestamp {
            let seconds = parse_float(&self.lexer.token()[1..]);
            let ms = seconds.and_then(|t| millis(t, "exemplar timestamp"));
            timestamp = Some(ms.map_err(|e| self.while_parsing(start, &e))?);
            token = self.lexer.next();
            if token != Token::Linebreak {
                let expected = "expected next entry after exemplar timestamp";
                return Err(unexpected(&self.lexer, start, expected, token));
            }
        }
        match token {
            Token::Linebreak => Ok(RawExemplar { labels, value, timestamp }),
            Token::End => Err(fail("data does not end with # EOF")),
            other => Err(unexpected(&self.lexer, start, "expected timestamp or comment", other)),
        }
    }

    fn value(&mut self, start: usize, token: Token, expected: &str) -> Result<f64, ParseError> {
        if token != Token::Value {
            return Err(unexpected(&self.lexer, start, expected, token));
        }
        let text = self.lexer.token();
        let number = if self.dialect == Dialect::Text { text } else { &text[1..] };
        parse_float(number).map_err(|e| self.while_parsing(start, &e))
    }

    fn expect_linebreak(&mut self, start: usize, expected: &str) -> Result<(), ParseError> {
        match self.lexer.next() {
            Token::Linebreak => Ok(()),
            other => Err(unexpected(&self.lexer, start, expected, other)),
        }
    }

    fn while_parsing(&self, start: usize, error: &str) -> ParseError {
        if error.starts_with("invalid ") {
            return ParseError(error.to_owned());
        }
        ParseError(format!("{error} while parsing: {}", self.lexer.quoted(start, self.lexer.at)))
    }
}

/// Name and labels of one series, the name first.
pub(super) fn series_pairs(raw: &[u8], dialect: Dialect) -> Result<Pairs<'_>, ParseError> {
    let mut lexer = Lexer::new(raw, dialect);
    let first = lexer.next();
    Ok(series_head(&mut lexer, 0, first)?.pairs)
}

struct Head<'a> {
    pairs: Pairs<'a>,
    named: bool,
    /// Where the series' bytes end.
    end: usize,
    /// The token after it.
    next: Token,
}

fn series_head<'a>(lexer: &mut Lexer<'a>, start: usize, first: Token) -> Result<Head<'a>, ParseError> {
    let mut pairs = Pairs::new();
    if first == Token::BraceOpen {
        label_pairs(lexer, start, false, &mut pairs)?;
        let named = pairs.first().is_some_and(|(name, _)| name == model::METRIC_NAME);
        return Ok(Head { pairs, named, end: lexer.at, next: lexer.next() });
    }
    let name = String::from_utf8_lossy(lexer.token());
    pairs.push((Cow::Borrowed(model::METRIC_NAME), name));
    let mut end = lexer.at;
    let mut next = lexer.next();
    if next == Token::BraceOpen {
        label_pairs(lexer, start, false, &mut pairs)?;
        end = lexer.at;
        next = lexer.next();
    }
    Ok(Head { pairs, named: true, end, next })
}

/// The inside of braces, the closing one included. A lone quoted string is the metric name; it goes first.
fn label_pairs<'a>(
    lexer: &mut Lexer<'a>,
    start: usize,
    exemplar: bool,
    pairs: &mut Pairs<'a>,
) -> Result<(), ParseError> {
    let mut named = !pairs.is_empty();
    let mut token = lexer.next();
    loop {
        if token == Token::BraceClose {
            return Ok(());
        }
        if token != Token::LabelName && token != Token::QuotedString {
            return Err(unexpected(lexer, start, "expected label name", token));
        }
        let quoted = token == Token::QuotedString;
        let name = lexer.token();
        token = lexer.next();
        if quoted && matches!(token, Token::Comma | Token::BraceClose) {
            if exemplar {
                return Err(unexpected(lexer, start, "expected label name", token));
            }
            if named {
                let quoted = lexer.quoted(start, lexer.at);
                return Err(ParseError(format!("metric name already set while parsing: {quoted}")));
            }
            named = true;
            pairs.insert(0, (Cow::Borrowed(model::METRIC_NAME), text(lexer, start, unquote(name))?));
            if token == Token::Comma {
                token = lexer.next();
            }
            continue;
        }
        if token != Token::Equal {
            return Err(unexpected(lexer, start, "expected equal", token));
        }
        token = lexer.next();
        if token != Token::LabelValue {
            return Err(unexpected(lexer, start, "expected label value", token));
        }
        let value = lexer.token();
        if std::str::from_utf8(value).is_err() {
            return Err(ParseError(format!("invalid UTF-8 label value: {}", quote(value))));
        }
        pairs.push((text(lexer, start, unquote(name))?, unescape(unquote(value), true)));
        token = lexer.next();
        if token == Token::Comma {
            token = lexer.next();
        } else if token != Token::BraceClose && lexer.dialect() == Dialect::OpenMetrics {
            return Err(unexpected(lexer, start, "expected comma or brace close", token));
        }
    }
}

fn text<'a>(lexer: &Lexer<'a>, start: usize, bytes: &'a [u8]) -> Result<Cow<'a, str>, ParseError> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(unexpected(lexer, start, "expected label name", Token::Invalid));
    }
    Ok(unescape(bytes, true))
}

fn metric_type(text: &[u8], dialect: Dialect) -> Result<MetricType, ParseError> {
    let open = dialect == Dialect::OpenMetrics;
    Ok(match text {
        b"counter" => MetricType::Counter,
        b"gauge" => MetricType::Gauge,
        b"histogram" => MetricType::Histogram,
        b"summary" => MetricType::Summary,
        b"untyped" if !open => MetricType::Unknown,
        b"unknown" if open => MetricType::Unknown,
        b"gaugehistogram" if open => MetricType::GaugeHistogram,
        b"info" if open => MetricType::Info,
        b"stateset" if open => MetricType::StateSet,
        other => return Err(ParseError(format!("invalid metric type {}", quote(other)))),
    })
}

/// OpenMetrics writes seconds; milliseconds are what is kept.
fn millis(seconds: f64, what: &str) -> Result<i64, String> {
    if !seconds.is_finite() {
        let shown = if seconds.is_nan() {
            "NaN"
        } else if seconds > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return Err(format!("invalid {what} {shown}"));
    }
    Ok((seconds * 1000.0) as i64)
}

fn unquote(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\"").and_then(|b| b.strip_suffix(b"\"")).unwrap_or(bytes)
}

/// Resolves `\\`, `\n` and, with `quotes`, `\"`. Other backslashes stand for themselves.
fn unescape(bytes: &[u8], quotes: bool) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    if !bytes.contains(&b'\\') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let resolved = match (c, chars.peek()) {
            ('\\', Some('\\')) => '\\',
            ('\\', Some('n')) => '\n',
            ('\\', Some('"')) if quotes => '"',
            _ => {
                out.push(c);
                continue;
            }
        };
        chars.next();
        out.push(resolved);
    }
    Cow::Owned(out)
}

fn fail(message: &str) -> ParseError {
    ParseError(message.to_owned())
}

fn unexpected(lexer: &Lexer<'_>, start: usize, expected: &str, got: Token) -> ParseError {
    ParseError(format!(
        "{expected}, got {} ({:?}) while parsing: {}",
        lexer.quoted_from(lexer.start),
        got.name(),
        lexer.quoted_from(start)
    ))
}
