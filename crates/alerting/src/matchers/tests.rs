//! Both notations against what the original reads and says.
//!
//! `testdata/matchers.jsonl` has one case per line: mode, input, `ok` or `error`, and then the matchers in
//! order as they are printed, or the message. It was recorded from the original's `amtool`.

use super::*;

#[test]
fn inputs_are_read_as_the_original_reads_them() {
    let text = include_str!("../../testdata/matchers.jsonl");
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in text.lines() {
        let (mode, input, kind, expected): (String, String, String, String) =
            serde_json::from_str(line).unwrap();
        let parsed_mode = match mode.as_str() {
            "classic" => MatcherMode::Classic,
            "utf8" => MatcherMode::Utf8,
            _ => MatcherMode::Fallback,
        };
        let (is, shown) = match parse_matchers(&input, parsed_mode) {
            Ok(mut all) => {
                sort(&mut all);
                ("ok", format_matchers(&all))
            }
            Err(error) => ("error", error),
        };
        if (is, shown.as_str()) != (kind.as_str(), expected.as_str()) {
            wrong.push(format!("{mode} {input:?}\n  is   {is} {shown}\n  want {kind} {expected}"));
        }
        seen += 1;
    }
    assert!(seen > 400, "{seen}");
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_single_matcher_has_no_braces_and_no_companions() {
    let fails = |text: &str, mode, message: &str| assert_eq!(parse_matcher(text, mode).unwrap_err(), message);
    fails("{a=b}", MatcherMode::Utf8, "unexpected open or close brace: {a=b}");
    fails("a=b}", MatcherMode::Fallback, "unexpected open or close brace: a=b}");
    fails("", MatcherMode::Utf8, "no matchers");
    fails("", MatcherMode::Fallback, "bad matcher format: ");
    fails("a=b,c=d,e=f", MatcherMode::Utf8, "expected 1 matcher, found 3");
    // The classic notation takes the rest as the value, and wins.
    let one = parse_matcher("a=b,c=d", MatcherMode::Fallback).unwrap();
    assert_eq!(format_matcher(&one), "a=\"b,c=d\"");
    let one = parse_matcher("{a=b}", MatcherMode::Classic).unwrap_err();
    assert_eq!(one, "bad matcher format: {a=b}");
    assert_eq!(parse_matcher("wörld=b", MatcherMode::Fallback).unwrap().name, "wörld");
}

#[test]
fn what_is_printed_can_be_read_again() {
    for (name, value) in
        [("a", "b"), ("a b", "c\"d\\e\nf\tg"), ("wörld", "ü"), ("{}", ""), ("a", "\\n\"\n"), ("\"", "'`")]
    {
        for op in [MatchOp::Equal, MatchOp::NotEqual] {
            let matcher = new_matcher(op, name, value).unwrap();
            for mode in [MatcherMode::Utf8, MatcherMode::Fallback] {
                assert_eq!(
                    parse_matchers(&format_matcher(&matcher), mode).unwrap(),
                    std::slice::from_ref(&matcher)
                );
            }
        }
    }
}

#[test]
fn label_names_depend_on_the_mode() {
    for (name, classic, utf8) in
        [("a_1", true, true), ("a-b", false, true), ("ü", false, true), ("", false, false)]
    {
        assert_eq!(is_label_name(name, MatcherMode::Classic), classic, "{name}");
        assert_eq!(is_label_name(name, MatcherMode::Utf8), utf8, "{name}");
        assert_eq!(is_label_name(name, MatcherMode::Fallback), utf8, "{name}");
    }
}
