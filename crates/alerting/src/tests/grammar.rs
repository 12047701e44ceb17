//! Matchers and time intervals as people write them.

use crate::{IntervalSpec, MatcherMode, TimeInterval, format_matchers, parse_matcher, parse_matchers};

#[test]
fn matchers_in_both_grammars() {
    let check = |text: &str, expected: &str| {
        let parsed = parse_matchers(text, MatcherMode::Fallback).map(|all| format_matchers(&all));
        assert_eq!(parsed.as_deref().unwrap_or_else(|e| e), expected, "{text}");
    };
    check("", "{}");
    check("{}", "{}");
    check("a=b", "{a=\"b\"}");
    check("{a=\"b\"}", "{a=\"b\"}");
    check("{a=\"b\", c!=d , e=~\"f.*\",g!~h}", "{a=\"b\",c!=\"d\",e=~\"f.*\",g!~\"h\"}");
    check("a=\"b,c\"", "{a=\"b,c\"}");
    check("a=\"b\\\"c\\n\"", "{a=\"b\\\"c\\n\"}");
    check("a=", "{a=\"\"}");
    check("\"töst label\"=\"ü\"", "{\"töst label\"=\"ü\"}");
    check("ü=ö", "{ü=\"ö\"}");
    check("a", "bad matcher format: a");
    check("a=\"b", "matcher value contains unescaped double quote: \"b");
    check("a=~(", "error parsing regexp: missing closing ): `^(?:()$`");
    assert!(parse_matchers("ü=ö", MatcherMode::Classic).is_err());
    assert!(parse_matchers("a=", MatcherMode::Utf8).is_err());
    assert!(parse_matcher("a=b,c=d", MatcherMode::Utf8).is_err());
}

#[test]
fn time_intervals_contain_what_they_say() {
    let spec = |times: &str, weekdays: &str, days: &str, months: &str, years: &str, location: &str| {
        let list = |text: &str| -> Vec<String> {
            text.split(',').filter(|t| !t.is_empty()).map(str::to_owned).collect()
        };
        IntervalSpec {
            times: list(times)
                .iter()
                .map(|range| {
                    let (from, to) = range.split_once('-').unwrap();
                    (from.to_owned(), to.to_owned())
                })
                .collect(),
            weekdays: list(weekdays),
            days_of_month: list(days),
            months: list(months),
            years: list(years),
            location: location.to_owned(),
        }
    };
    let check = |spec: &IntervalSpec, at: &str, expected: bool| {
        let at: jiff::Timestamp = at.parse().unwrap();
        let interval = TimeInterval::new(spec).unwrap();
        assert_eq!(interval.contains(at.as_second() * 1_000_000_000), expected, "{spec:?} at {at}");
    };
    let office = spec("09:00-17:00", "monday:friday", "", "", "", "");
    check(&office, "2024-02-29T09:00:00Z", true);
    check(&office, "2024-02-29T16:59:59Z", true);
    check(&office, "2024-02-29T17:00:00Z", false);
    check(&office, "2024-03-02T10:00:00Z", false);
    let berlin = spec("09:00-17:00", "", "", "", "", "Europe/Berlin");
    check(&berlin, "2024-07-01T07:00:00Z", true);
    check(&berlin, "2024-01-01T07:59:00Z", false);
    let last_days = spec("", "", "-3:-1", "", "", "");
    check(&last_days, "2024-02-27T00:00:00Z", true);
    check(&last_days, "2024-02-26T23:00:00Z", false);
    check(&last_days, "2024-02-29T23:59:00Z", true);
    let thirty_first = spec("", "", "31", "", "", "");
    check(&thirty_first, "2024-02-29T00:00:00Z", false);
    check(&thirty_first, "2024-03-31T00:00:00Z", true);
    check(&spec("", "", "1:31", "", "", ""), "2024-02-29T00:00:00Z", true);
    check(&spec("", "", "", "may:august,12", "2020:2023", ""), "2022-12-25T00:00:00Z", true);
    check(&spec("", "", "", "may:august", "2020:2023", ""), "2024-06-25T00:00:00Z", false);
    check(&spec("22:00-24:00", "", "", "", "", ""), "2024-06-25T23:59:00Z", true);
    check(&spec("", "", "", "", "", ""), "2024-06-25T23:59:00Z", true);

    let fails = |spec: &IntervalSpec, expected: &str| {
        assert_eq!(TimeInterval::new(spec).err().as_deref(), Some(expected));
    };
    fails(&spec("17:00-09:00", "", "", "", "", ""), "start time cannot be equal or greater than end time");
    fails(&spec("9:00-17:00", "", "", "", "", ""), "couldn't parse timestamp 9:00, invalid format");
    fails(&spec("", "friday:monday", "", "", "", ""), "start day cannot be before end day");
    fails(&spec("", "caturday", "", "", "", ""), "caturday is not a valid weekday");
    fails(&spec("", "", "0", "", "", ""), "0 is not a valid day of the month: out of range");
    fails(&spec("", "", "-1:5", "", "", ""), "end day must be negative if start day is negative");
    fails(&spec("", "", "", "may:april", "", ""), "end month april is before start month may");
    fails(&spec("", "", "", "", "", "Mars/Base"), "unknown time zone Mars/Base");
}
