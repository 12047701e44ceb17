use super::*;

fn verdict(text: &str) -> Result<(), String> {
    validate(text.as_bytes()).map_err(|e| e.0)
}

#[test]
fn good_documents() {
    for text in [
        "# EOF",
        "# TYPE a counter\n# HELP a x\na_total{b=\"c\"} 1 1.5 # {t=\"1\"} 1\na_created{b=\"c\"} 7 2\n# EOF\n",
        "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 9\n# EOF\n",
        "# TYPE s stateset\ns{s=\"on\"} 1\ns{s=\"off\"} 0\n# EOF\n",
        "a 1\nb 2\n# EOF\n",
    ] {
        assert_eq!(verdict(text), Ok(()), "{text}");
    }
}

#[test]
fn broken_documents() {
    let check = |text: &str, reason: &str| {
        let got = verdict(&format!("{text}# EOF\n")).unwrap_err();
        assert!(got.contains(reason), "{text}: {got}");
    };
    check("a 1\nb 1\na 2\n", "clashes");
    check("a{x=\"1\",} 1\n", "trailing comma");
    check("a{x=\"1\",x=\"2\"} 1\n", "more than once");
    check("# TYPE a counter\na 1\n", "clashes");
    check("# TYPE a counter\na_total NaN\n", "neither NaN");
    check("# TYPE a gauge\na 1 2\na 1\n", "with and without timestamp");
    check("# TYPE a histogram\na_bucket{le=\"1\"} 3\n", "+Inf");
    check("# TYPE a summary\na{quantile=\"2\"} 3\n", "between 0 and 1");
    check("# TYPE a gauge\na 1 # {} 1\n", "exemplar");
    check("# TYPE a_s info\n# UNIT a_s s\n", "unit");
    check("# hello\n", "valid start token");
}

/// The reference parser's own cases: every one is judged as there.
#[test]
fn reference_cases() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/openmetrics");
    let Ok(cases) = std::fs::read_dir(dir) else {
        println!("skipped: {dir} is absent");
        return;
    };
    let (mut total, mut wrong) = (0, Vec::new());
    for case in cases {
        let case = case.unwrap().path();
        let expected = std::fs::read_to_string(case.join("test.json")).unwrap();
        let good = expected.replace(' ', "").contains("\"shouldParse\":true");
        let got = validate(&std::fs::read(case.join("metrics")).unwrap());
        total += 1;
        if got.is_ok() != good {
            wrong.push(format!("{}: {got:?}", case.display()));
        }
    }
    println!("{} of {total} cases agree", total - wrong.len());
    assert!(total >= 211, "{total}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
