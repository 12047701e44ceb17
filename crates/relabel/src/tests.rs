//! Rules as YAML keys (written here as JSON, a subset of YAML), labels in, labels out.

use model::Labels;

use crate::{RelabelConfig, process};

fn rule(json: &str) -> Result<RelabelConfig, String> {
    serde_json::from_str(json).map_err(|e| e.to_string())
}

#[test]
fn rules_rewrite_labels() {
    /// `dropped` as expectation means the labelled thing goes away.
    #[track_caller]
    fn check(input: &[(&str, &str)], rules: &[&str], expected: &str) {
        let rules: Vec<_> = rules.iter().map(|r| rule(r).unwrap()).collect();
        let labels = Labels::from_pairs(input.iter().copied());
        let got = process(labels.to_builder(), &rules)
            .map_or("dropped".to_owned(), |b| b.build().iter().map(|(n, v)| format!("{n}={v} ")).collect());
        assert_eq!(got.trim_end(), expected);
    }
    let abc = [("a", "foo"), ("b", "bar"), ("c", "baz")];

    check(
        &abc,
        &[r#"{"source_labels":["a"],"target_label":"d","regex":"f(.*)","replacement":"ch${1}-ch${1}"}"#],
        "a=foo b=bar c=baz d=choo-choo",
    );
    check(
        &abc,
        &[r#"{"source_labels":["a"],"target_label":"d","regex":"nope","replacement":"x"}"#],
        "a=foo b=bar c=baz",
    );
    check(
        &abc,
        &[r#"{"source_labels":["a","b"],"target_label":"d","separator":"-"}"#],
        "a=foo b=bar c=baz d=foo-bar",
    );
    check(&abc, &[r#"{"target_label":"job","replacement":"static"}"#], "a=foo b=bar c=baz job=static");
    check(&abc, &[r#"{"source_labels":["gone"],"target_label":"a"}"#], "b=bar c=baz");
    check(
        &abc,
        &[r#"{"source_labels":["a"],"regex":"(f)(.*)","target_label":"${1}x","replacement":"$2"}"#],
        "a=foo b=bar c=baz fx=oo",
    );
    check(&abc, &[r#"{"source_labels":["a"],"regex":"foo|x","action":"keep"}"#], "a=foo b=bar c=baz");
    check(&abc, &[r#"{"source_labels":["a"],"regex":"fo","action":"keep"}"#], "dropped");
    check(&abc, &[r#"{"source_labels":["a","b"],"regex":"foo;bar","action":"DROP"}"#], "dropped");
    check(&abc, &[r#"{"source_labels":["a"],"regex":"x","action":"drop"}"#], "a=foo b=bar c=baz");
    check(&abc, &[r#"{"action":"labeldrop","regex":"[ab]"}"#], "c=baz");
    check(&abc, &[r#"{"action":"labelkeep","regex":"[ab]"}"#], "a=foo b=bar");
    check(
        &abc,
        &[r#"{"source_labels":["a"],"target_label":"u","action":"uppercase"}"#],
        "a=foo b=bar c=baz u=FOO",
    );
    check(&[("a", "FoO")], &[r#"{"source_labels":["a"],"target_label":"a","action":"lowercase"}"#], "a=foo");
    check(
        &[("a", "1"), ("b", "1")],
        &[r#"{"source_labels":["a"],"target_label":"b","action":"keepequal"}"#],
        "a=1 b=1",
    );
    check(
        &[("a", "1"), ("b", "2")],
        &[r#"{"source_labels":["a"],"target_label":"b","action":"keepequal"}"#],
        "dropped",
    );
    check(
        &[("a", "1"), ("b", "1")],
        &[r#"{"source_labels":["a"],"target_label":"b","action":"dropequal"}"#],
        "dropped",
    );
    check(
        &[("__meta_x_name", "n"), ("__meta_x_role", "r")],
        &[r#"{"action":"labelmap","regex":"__meta_x_(.+)","replacement":"x_$1"}"#],
        "__meta_x_name=n __meta_x_role=r x_name=n x_role=r",
    );
    check(
        &[("a", "foo")],
        &[
            r#"{"source_labels":["a"],"target_label":"b"}"#,
            r#"{"source_labels":["b"],"regex":"foo","action":"drop"}"#,
        ],
        "dropped",
    );
}

/// The original takes the low eight bytes of the sum, big-endian.
#[test]
fn hashmod_uses_the_low_half_of_md5() {
    let config = rule(
        r#"{"source_labels":["c"],"target_label":"d","separator":";","action":"hashmod","modulus":1000}"#,
    )
    .unwrap();
    let labels = Labels::from_pairs([("a", "foo"), ("b", "bar"), ("c", "baz")]);
    let out = process(labels.to_builder(), std::slice::from_ref(&config)).unwrap();
    assert_eq!(out.get("d"), "976");
}

#[test]
fn invalid_rules_are_refused_in_the_words_of_the_original() {
    #[track_caller]
    fn check(json: &str, expected: &str) {
        let got = rule(json).unwrap_err();
        assert!(got.starts_with(expected), "{json}: {got}");
    }
    check(r#"{"action":"fly"}"#, r#"unknown relabel action "fly""#);
    check(r#"{}"#, "relabel configuration for replace action requires 'target_label' value");
    check(
        r#"{"action":"hashmod","target_label":"x"}"#,
        "relabel configuration for hashmod requires non-zero modulus",
    );
    check(
        r#"{"action":"uppercase","target_label":"x","replacement":"y"}"#,
        "'replacement' can not be set for uppercase action",
    );
    check(
        r#"{"action":"keepequal","target_label":"x","regex":"y"}"#,
        "keepequal action requires only 'source_labels' and `target_label`, and no other fields",
    );
    check(
        r#"{"action":"labeldrop","source_labels":["a"]}"#,
        "labeldrop action requires only 'regex', and no other fields",
    );
    check(r#"{"target_label":"x","regex":"("}"#, "error parsing regexp: missing closing ): `");
    check(r#"{"target_label":"x","colour":"red"}"#, "unknown field `colour`");
}

#[test]
fn a_rule_is_written_as_the_original_writes_it() {
    let config = rule(r#"{"source_labels":["a"],"target_label":"x","regex":"y"}"#).unwrap();
    let expected = r#"{"source_labels":["a"],"separator":";","regex":"y","target_label":"x","replacement":"$1","action":"replace"}"#;
    assert_eq!(serde_json::to_string(&config).unwrap(), expected);
    assert_eq!(rule(expected).unwrap(), config);
}
