//! Which moments an interval contains, and what is refused.

use super::*;

/// `times=09:00-17:00 weekdays=monday:friday …`
fn spec(text: &str) -> IntervalSpec {
    let mut spec = IntervalSpec::default();
    for field in text.split_whitespace() {
        let (key, value) = field.split_once('=').unwrap();
        let all = || value.split(',').map(str::to_owned).collect();
        match key {
            "times" => {
                let pair =
                    |part: &str| part.split_once('-').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
                spec.times = value.split(',').map(pair).collect();
            }
            "weekdays" => spec.weekdays = all(),
            "days" => spec.days_of_month = all(),
            "months" => spec.months = all(),
            "years" => spec.years = all(),
            "location" => spec.location = value.to_owned(),
            other => panic!("{other}"),
        }
    }
    spec
}

fn at(text: &str) -> TimestampNs {
    text.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64
}

#[test]
fn moments_inside_and_outside() {
    // The interval, moments inside, moments outside.
    let cases: [(&str, &[&str], &[&str]); 17] = [
        ("", &["2006-01-02T15:04:00Z", "1969-12-31T23:59:59Z"], &[]),
        (
            "times=09:00-17:00 weekdays=monday:friday",
            &["2020-05-04T15:04:00Z", "2020-05-05T10:04:00Z", "2020-06-09T09:00:00Z", "2020-07-08T16:59:59Z"],
            &["2020-05-03T15:04:00Z", "2020-05-04T08:59:59Z", "2020-05-05T17:00:00Z"],
        ),
        (
            "days=4:6 months=april years=2020",
            &["2020-04-04T15:04:00Z", "2020-04-05T00:00:00Z", "2020-04-06T23:05:00Z"],
            &["2018-05-03T15:04:00Z", "2020-04-03T23:59:59Z", "2020-06-04T23:59:00Z", "2020-04-07T00:00:00Z"],
        ),
        (
            "days=-3:-1",
            &["2020-01-31T15:04:00Z", "2020-01-29T15:04:00Z", "2020-06-30T00:00:00Z", "2020-02-29T23:05:00Z"],
            &["2018-05-03T15:04:00Z", "2020-01-28T15:04:00Z", "2020-03-01T00:00:00Z", "2020-02-26T00:00:00Z"],
        ),
        ("days=1:-1", &["2021-02-01T00:00:00Z", "2021-02-28T23:59:59Z", "2021-12-31T12:00:00Z"], &[]),
        (
            "days=-31:-1 months=june",
            &["2020-06-01T00:00:00Z", "2020-06-30T00:00:00Z"],
            &["2020-07-01T00:00:00Z"],
        ),
        // Days that a month does not have are not moved to its last one.
        ("days=30:31 months=february", &[], &["2021-02-28T13:00:00Z", "2020-02-29T13:00:00Z"]),
        ("days=28:31 months=february", &["2021-02-28T13:00:00Z"], &["2021-02-27T13:00:00Z"]),
        (
            "weekdays=monday:friday,sunday months=january:march days=-7:-1 years=2020:2025,2030:2035 times=09:00-17:00",
            &["2021-01-27T09:00:00Z", "2021-01-28T16:59:00Z", "2025-03-31T13:00:00Z", "2035-01-31T13:00:00Z"],
            &["2021-01-30T13:00:00Z", "2021-04-01T13:00:00Z", "2026-01-30T13:00:00Z", "2035-01-31T17:01:00Z"],
        ),
        (
            "weekdays=monday:wednesday,saturday,sunday times=13:00-15:00 days=1,10,20:-1 years=2020:2023 months=january:march",
            &["2021-01-10T13:00:00Z", "2021-01-30T14:24:00Z"],
            &["2021-01-09T13:00:00Z", "2021-01-20T12:59:00Z", "2021-02-02T13:00:00Z"],
        ),
        ("times=00:00-24:00", &["2021-01-01T00:00:00Z", "2021-01-01T23:59:59Z"], &[]),
        (
            "times=23:00-24:00,00:00-01:00",
            &["2021-01-01T23:30:00Z", "2021-01-01T00:30:00Z"],
            &["2021-01-01T01:00:00Z"],
        ),
        ("months=13", &[], &["2021-01-01T00:00:00Z", "2021-12-31T00:00:00Z"]),
        ("months=December,1:2", &["2021-12-31T00:00:00Z", "2021-02-01T00:00:00Z"], &["2021-03-01T00:00:00Z"]),
        // Working hours in Sydney, in winter and in summer time.
        (
            "times=09:00-17:00 weekdays=monday:friday location=Australia/Sydney",
            &["2021-04-06T03:00:00Z", "2021-10-31T22:00:00Z"],
            &["2021-04-06T13:00:00Z", "2021-10-31T21:59:00Z"],
        ),
        // The day the clocks change is one of the month's days like any other.
        (
            "days=-1 location=Europe/Berlin",
            &["2024-03-30T23:00:00Z", "2024-03-31T21:59:59Z", "2021-10-31T22:59:59Z"],
            &["2024-03-30T22:59:59Z", "2024-03-31T22:00:00Z"],
        ),
        ("location=Local", &["2021-01-01T00:00:00Z"], &[]),
    ];
    for (text, inside, outside) in cases {
        let interval = TimeInterval::new(&spec(text)).unwrap();
        for moment in inside {
            assert!(interval.contains(at(moment)), "{text} has {moment}");
        }
        for moment in outside {
            assert!(!interval.contains(at(moment)), "{text} does not have {moment}");
        }
    }
}

#[test]
fn what_is_refused_and_why() {
    let cases = [
        ("times=01:99-23:59", "couldn't parse timestamp 01:99, invalid format"),
        ("times=00:00-99:99", "couldn't parse timestamp 99:99, invalid format"),
        ("times=9:00-17:00", "couldn't parse timestamp 9:00, invalid format"),
        ("times=12:30-24:01", "couldn't parse timestamp 24:01, invalid format"),
        ("times=09:30-07:41", "start time cannot be equal or greater than end time"),
        ("times=17:31-17:31", "start time cannot be equal or greater than end time"),
        ("times=24:00-17:41", "start time cannot be equal or greater than end time"),
        ("times=14:03-", "both start and end times must be provided"),
        ("weekdays=friday:monday", "start day cannot be before end day"),
        ("weekdays=blurgsday:flurgsday", "blurgsday is not a valid weekday"),
        ("weekdays=1:3", "1 is not a valid weekday"),
        ("weekdays=-2:-1", "-2 is not a valid weekday"),
        ("weekdays=a:b:C", "couldn't parse range a:b:c, invalid format"),
        ("days=0", "0 is not a valid day of the month: out of range"),
        ("days=-50:-20", "-50 is not a valid day of the month: out of range"),
        ("days=1:50", "50 is not a valid day of the month: out of range"),
        ("days=-15:5", "end day must be negative if start day is negative"),
        ("days=10:-25", "end day -25 is always before start day 10"),
        ("days=10:-19", "end day -19 is always before start day 10"),
        ("days=5:3", "end day 3 is always before start day 5"),
        ("days=-2:-3", "end day -3 is always before start day -2"),
        ("days=first", "strconv.Atoi: parsing \"first\": invalid syntax"),
        ("days=1:", "strconv.Atoi: parsing \"\": invalid syntax"),
        ("years=99999999999", "strconv.Atoi: parsing \"99999999999\": value out of range"),
        ("months=martius:june", "martius is not a valid month"),
        ("months=march:junius", "junius is not a valid month"),
        ("months=december:january", "end month january is before start month december"),
        ("months=14:13", "end month  is before start month "),
        ("years=2022:2020", "end year 2020 is before start year 2022"),
        ("location=Europe/Atlantis", "unknown time zone Europe/Atlantis"),
        ("location=utc", "unknown time zone utc"),
        ("location=../etc/passwd", "time: invalid location name"),
        ("location=/etc/localtime", "time: invalid location name"),
    ];
    for (text, message) in cases {
        assert_eq!(TimeInterval::new(&spec(text)).unwrap_err(), message, "{text}");
    }
    assert!(TimeInterval::new(&spec("days=10:-18")).is_ok());
}
