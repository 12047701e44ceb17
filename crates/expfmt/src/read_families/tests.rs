use super::*;
use crate::{Format, encode};

#[test]
fn reads_what_the_encoder_writes() {
    let text = "# HELP a Some\\n \\\\ help.\n# TYPE a counter\na{instance=\"\",x=\"q\\\"\\n\"} 1\na 2\n\
        # TYPE h histogram\nh_bucket{l=\"1\",le=\"0.5\"} 1\nh_bucket{l=\"1\",le=\"+Inf\"} 3\n\
        h_sum{l=\"1\"} 1.5\nh_count{l=\"1\"} 3\n\
        # TYPE s summary\ns{quantile=\"0.9\"} NaN\ns_sum 2\ns_count 7\n\
        # TYPE u untyped\nu 1e+06 123\n";
    let families = read_families(text.as_bytes()).unwrap();
    let mut out = String::new();
    encode(&families, Format::Text, &mut out);
    assert_eq!(out, text);
}

#[test]
fn quoted_names_and_loose_blanks() {
    let families =
        read_families(b"\n  # just a comment\n{ \"my.metric\" , \"a b\" = \"c\" , }\t 1\n").unwrap();
    assert_eq!(families[0].name, "my.metric");
    assert_eq!(families[0].metrics[0].labels, [("a b".to_owned(), "c".to_owned())]);
    assert_eq!(read_families(b"# TYPE only counter\n"), Ok(vec![]));
}

#[test]
fn errors_name_line_and_reason() {
    let check = |text: &str, line: usize, message: &str| {
        let expected = format!("text format parsing error in line {line}: {message}");
        assert_eq!(read_families(text.as_bytes()).unwrap_err().to_string(), expected, "{text:?}");
    };
    check("a 1", 1, "unexpected end of input stream");
    check("a 1\n# x", 2, "unexpected end of input stream");
    check("a 1\n0a 1\n", 2, "invalid metric name");
    check("{} 1\n", 1, "invalid metric name");
    check("a{\n", 1, "invalid label name for metric \"a\"");
    check("a{b} 1\n", 1, "expected '=' after label name, found '}'");
    check("a{b=c} 1\n", 1, "expected '\"' at start of label value, found 'c'");
    check("a{b=\"\n", 1, "label value \"\" contains unescaped new-line");
    check("a{b=\"\\x\"} 1\n", 1, "invalid escape sequence '\\x'");
    check("a{b=\"c\"d} 1\n", 1, "unexpected end of label value \"c\"");
    check("a{b=\"c\",b=\"d\"} 1\n", 1, "duplicate label names for metric \"a\"");
    check("a{__name__=\"c\"} 1\n", 1, "label name \"__name__\" is reserved");
    check("a b\n", 1, "expected float as value, got \"b\"");
    check("a \n", 1, "expected float as value, got \"\"");
    check("a 1 x\n", 1, "expected integer as timestamp, got \"x\"");
    check("a 1 2 3\n", 1, "spurious string after timestamp: \" 3\"");
    check("# TYPE a nonsense\n", 1, "unknown metric type \"nonsense\"");
    check(
        "a 1\n# TYPE a counter\n",
        2,
        "second TYPE line for metric name \"a\", or TYPE reported after samples",
    );
    check("# HELP a x\n# HELP a y\n", 2, "second HELP line for metric name \"a\"");
    check(
        "# TYPE h histogram\nh_bucket{le=\"x\"} 1\n",
        2,
        "expected float as value for 'le' label, got \"x\"",
    );
}
