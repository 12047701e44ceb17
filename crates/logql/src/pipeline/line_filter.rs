//! Line filters.

use logql_syntax::ast::{self, LineFilterOp, LineTest};
use logql_syntax::ip::IpPattern;
use logql_syntax::pattern::Pattern;
use memchr::memmem::Finder;

use crate::error::QueryError;

pub(super) struct LineFilter {
    negated: bool,
    tests: Vec<Test>,
}

enum Test {
    Contains(Finder<'static>),
    Regex(re2::Regex),
    Pattern(Pattern),
    Ip(IpPattern),
}

impl LineFilter {
    pub fn compile(filter: &ast::LineFilter) -> Result<LineFilter, QueryError> {
        let compile = |test: &LineTest| {
            Ok(match (filter.op, test) {
                (_, LineTest::Ip(text)) => Test::Ip(IpPattern::parse(text)?),
                (LineFilterOp::Contains | LineFilterOp::NotContains, LineTest::Text(text)) => {
                    Test::Contains(Finder::new(text).into_owned())
                }
                (LineFilterOp::Regex | LineFilterOp::NotRegex, LineTest::Text(text)) => {
                    match plain_text(text) {
                        Some(plain) => Test::Contains(Finder::new(plain).into_owned()),
                        None => Test::Regex(re2::Regex::new(text).map_err(|e| e.to_string())?),
                    }
                }
                (LineFilterOp::Pattern | LineFilterOp::NotPattern, LineTest::Text(text)) => {
                    Test::Pattern(Pattern::line_filter(text)?)
                }
            })
        };
        let tests: Result<Vec<Test>, String> = filter.alternatives.iter().map(compile).collect();
        let tests = tests.map_err(|e| QueryError::bad(format!("parse error : {e}")))?;
        Ok(LineFilter { negated: filter.op.negated(), tests })
    }

    pub fn accepts(&self, line: &str) -> bool {
        self.tests.iter().any(|test| test.holds(line)) != self.negated
    }
}

impl Test {
    fn holds(&self, line: &str) -> bool {
        match self {
            Test::Contains(finder) => finder.find(line.as_bytes()).is_some(),
            Test::Regex(regex) => regex.is_match(line),
            Test::Pattern(pattern) => pattern.matches(line),
            Test::Ip(pattern) => pattern.found_in(line),
        }
    }
}

/// The literal text that a regular expression searches for, when it is nothing but that.
fn plain_text(regex: &str) -> Option<&str> {
    let inner = regex.strip_prefix(".*").unwrap_or(regex);
    let inner = inner.strip_suffix(".*").unwrap_or(inner);
    // `.` stops at line breaks, which matters only to what stands between the anchors and is gone now.
    (!inner.contains(|c| r"\.+*?()|[]{}^$".contains(c))).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator() {
        let check = |filter: &str, line: &str, expected: bool| {
            let log = logql_syntax::parse_log(&format!("{{a=\"b\"}} {filter}")).unwrap();
            let logql_syntax::ast::Stage::LineFilter(filter) = &log.stages[0] else { panic!() };
            assert_eq!(LineFilter::compile(filter).unwrap().accepts(line), expected, "{filter} on {line}");
        };
        check("|= `err`", "an error", true);
        check("|= ``", "x", true);
        check("|= `a` or `b`", "xbx", true);
        check("!= `a` or `b`", "xbx", false);
        check("!= `a` or `b`", "xcx", true);
        check("|~ `e.r`", "an error", true);
        check("|~ `.*err.*`", "an error", true);
        check("!~ `e.r`", "an error", false);
        check("|~ `(?i)ERR`", "an error", true);
        check("|> `an <_>`", "an error", true);
        check("!> `an <_>`", "the error", true);
        check("|= ip(`10.0.0.0/8`)", "from 10.1.1.1", true);
        check("!= ip(`10.0.0.0/8`)", "from 10.1.1.1", false);
    }
}
