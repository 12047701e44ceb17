use super::*;

fn events(body: &[u8], dialect: Dialect) -> Result<Vec<String>, ParseError> {
    let mut parser = Parser::new(body, dialect);
    let mut out = Vec::new();
    while let Some(event) = parser.next()? {
        out.push(match event {
            Event::Help { name, text } => format!("help {name} {text:?}"),
            Event::Type { name, kind } => format!("type {name} {kind}"),
            Event::Unit { name, unit } => format!("unit {name} {unit}"),
            Event::Comment(text) => format!("comment {}", String::from_utf8_lossy(text)),
            Event::Series(s) => {
                let labels = Labels::from_pairs(s.pairs()?);
                let mut line = format!("{labels} {}", s.value);
                if let Some(t) = s.timestamp {
                    line += &format!(" @{t}");
                }
                if let Some(e) = s.exemplar {
                    let e = e.decode();
                    line += &format!(" # {} {} {:?}", e.labels, e.value, e.timestamp);
                }
                line
            }
        });
    }
    Ok(out)
}

#[test]
fn text_samples() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(events(text.as_bytes(), Dialect::Text).unwrap(), expected, "{text:?}");
    };
    check("", &[]);
    check("\n\n", &[]);
    check("a 1", &["a 1"]);
    check("a 1\nb{} -2.5e3 77\n", &["a 1", "b -2500 @77"]);
    check("a{b=\"c\",d=\"e\",} 1\n", &[r#"a{b="c", d="e"} 1"#]);
    check("a {b=\"c\" d=\"e\"} \t1\n", &[r#"a{b="c", d="e"} 1"#]);
    check("a{b=\"}\\\"{,\\n\\\\\\x\"} 1\n", &[r#"a{b="}\"{,\n\\\\x"} 1"#]);
    check("a{b=\"raw\nbreak\"} 1\n", &[r#"a{b="raw\nbreak"} 1"#]);
    check("{\"my.metric\",\"x.y\"=\"1\"} +Inf\n", &[r#"{"my.metric", "x.y"="1"} inf"#]);
    check("  a 1 -5\n", &["a 1 @-5"]);
    check("#HELP\n# HELP a x \\\\ \\n \\\"\n", &["comment #HELP", r#"help a "x \\ \n \\\"""#]);
    check("# TYPE a counter\n# other\na 1\n", &["type a counter", "comment # other", "a 1"]);
    check(
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nx{quantile=\"1\"} 1\n",
        &["type h histogram", r#"h_bucket{le="1.0"} 1"#, r#"x{quantile="1"} 1"#],
    );
}

#[test]
fn text_errors_are_those_of_the_original() {
    let check = |text: &[u8], expected: &str| {
        assert_eq!(events(text, Dialect::Text).unwrap_err().0, expected, "{text:?}");
    };
    check(b"a", r#"expected value after metric, got "\n" ("INVALID") while parsing: "a\n""#);
    check(b"a{b='c'} 1\n", r#"expected label value, got "'" ("INVALID") while parsing: "a{b='""#);
    check(b"a{b=\n", r#"expected label value, got "\n" ("INVALID") while parsing: "a{b=\n""#);
    check(b"a{\xff=\"foo\"} 1\n", r#"expected label name, got "\xff" ("INVALID") while parsing: "a{\xff""#);
    check(b"a{b=\"\xff\"} 1\n", r#"invalid UTF-8 label value: "\"\xff\"""#);
    check(b"a true\n", r#"strconv.ParseFloat: parsing "true": invalid syntax while parsing: "a true""#);
    check(
        b"something_weird{problem=\"",
        r#"expected label value, got "\"\n" ("INVALID") while parsing: "something_weird{problem=\"\n""#,
    );
    check(
        b"empty_label_name{=\"\"} 0",
        r#"expected label name, got "=\"" ("EQUAL") while parsing: "empty_label_name{=\"""#,
    );
    check(b"foo 1_2\n", r#"unsupported character in float while parsing: "foo 1_2""#);
    check(b"foo 0x1p-3\n", r#"unsupported character in float while parsing: "foo 0x1p-3""#);
    check(
        b"foo 0 1_2\n",
        r#"expected next entry after timestamp, got "_" ("INVALID") while parsing: "foo 0 1_""#,
    );
    check(br#"{a="ok"} 1"#, r#"metric name not set while parsing: "{a=\"ok\"} 1""#);
    check(
        b"# TYPE #\n#EOF\n",
        r##"expected metric name after TYPE, got "#" ("INVALID") while parsing: "# TYPE #""##,
    );
    check(b"# TYPE a meh\n", r#"invalid metric type "meh""#);
    check(
        b"a 1 1 1\n",
        r#"expected next entry after timestamp, got "1\n" ("TIMESTAMP") while parsing: "a 1 1 1\n""#,
    );
}

#[test]
fn openmetrics() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(events(text.as_bytes(), Dialect::OpenMetrics).unwrap(), expected, "{text:?}");
    };
    check("# EOF\n", &[]);
    check("a 1 1.5\n# EOF", &["a 1 @1500"]);
    check(
        "# TYPE a_s counter\n# UNIT a_s s\n# HELP a_s x\\\"\na_s_total 1 # {t=\"1\"} 0.5 2\n# EOF\n",
        &["type a_s counter", "unit a_s s", r#"help a_s "x\"""#, r#"a_s_total 1 # {t="1"} 0.5 Some(2000)"#],
    );
    let fails = |text: &str, expected: &str| {
        assert_eq!(events(text.as_bytes(), Dialect::OpenMetrics).unwrap_err().0, expected, "{text:?}");
    };
    fails("", "data does not end with # EOF");
    fails("a 1\n", "data does not end with # EOF");
    fails("a 1\n# EOF\nb 1\n", "unexpected data after # EOF");
    fails("a 1 NaN\n# EOF\n", "invalid timestamp NaN");
    fails("# UNIT a s\n# EOF\n", r#"unit "s" not a suffix of metric "a""#);
    fails("\n# EOF\n", r#"expected a valid start token, got "\n" ("INVALID") while parsing: "\n""#);
    fails("a  1\n# EOF\n", r#"expected value after metric, got " " ("INVALID") while parsing: "a ""#);
}

#[test]
fn a_nan_is_never_a_staleness_marker() {
    let mut parser = Parser::new(b"a NaN\n", Dialect::Text);
    let Ok(Some(Event::Series(s))) = parser.next() else { panic!("no series") };
    assert_eq!(s.value.to_bits(), number::NORMAL_NAN_BITS);
}

/// The short cut and the careful path must agree on every line of real expositions.
#[test]
fn real_expositions_read_the_same_on_both_paths() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/prometheus/textparse");
    let Ok(files) = std::fs::read_dir(dir) else {
        println!("skipped: {dir} is absent");
        return;
    };
    let mut samples = 0;
    for file in files {
        let path = file.unwrap().path();
        let dialect =
            if path.to_string_lossy().contains(".om.") { Dialect::OpenMetrics } else { Dialect::Text };
        let mut body = std::fs::read(&path).unwrap();
        if dialect == Dialect::OpenMetrics && !body.trim_ascii_end().ends_with(b"# EOF") {
            body.extend_from_slice(b"# EOF\n");
        }
        let (mut fast, mut slow) = (Parser::new(&body, dialect), Parser::new(&body, dialect));
        loop {
            let a = fast.next().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let b = slow.careful().unwrap();
            if let Some(Event::Type { kind, .. }) = &b {
                slow.kind = *kind;
            }
            // NaN is not equal to itself, its text is.
            assert_eq!(format!("{a:?}"), format!("{b:?}"));
            match a {
                Some(Event::Series(s)) => samples += usize::from(s.pairs().is_ok()),
                Some(_) => {}
                None => break,
            }
        }
    }
    assert!(samples > 3000, "{samples}");
}

#[test]
fn short_decimals_are_what_the_careful_path_makes_of_them() {
    let mut seed = 7u64;
    for round in 0..20_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let digits = (seed >> 33).to_string().repeat(2);
        let (length, point) = (1 + round % 17, round % 19);
        let mut text = digits[..length.min(digits.len())].to_owned();
        if (1..text.len()).contains(&point) {
            text.insert(point, '.');
        }
        let expected: f64 = text.parse().unwrap();
        assert_eq!(number::parse_float(text.as_bytes()).unwrap().to_bits(), expected.to_bits(), "{text}");
    }
    for (text, expected) in [("1.", Some(1.0)), (".5", Some(0.5)), (".", None), ("1.2.3", None), ("", None)] {
        assert_eq!(number::parse_float(text.as_bytes()).ok(), expected, "{text}");
    }
}
