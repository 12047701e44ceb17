//! Tables: what parses prints like this, what does not fails like that.

use crate::parser::MAX_DEPTH;
use crate::{ParseOptions, parse, parse_selector, parse_with};

#[test]
fn expressions_print_in_canonical_form() {
    #[track_caller]
    fn check(input: &str, printed: &str) {
        let expr = parse_with(input, ParseOptions::all()).unwrap_or_else(|e| panic!("{input}: {e}"));
        assert_eq!(expr.to_string(), printed);
        let again = parse_with(printed, ParseOptions::all()).unwrap_or_else(|e| panic!("{printed}: {e}"));
        assert_eq!(again.to_string(), printed, "printing is not stable");
    }
    check("1", "1");
    check(".5", "0.5");
    check("0x1F", "31");
    check("0755", "493");
    check("1_000.5", "1000.5");
    check("1e-3", "0.001");
    check("+Inf", "+Inf");
    check("-nan", "NaN");
    check("5m", "5m");
    check("-1h30m", "-1h30m");
    check("'a\\tb'", "\"a\\tb\"");
    check("`raw\\n`", "\"raw\\\\n\"");
    check("up", "up");
    check("UP{ job = 'x' , }", "UP{job=\"x\"}");
    check("a:b:c", "a:b:c");
    check("{\"my.metric\", \"a.b\"=\"c\"}", "{\"a.b\"=\"c\",__name__=\"my.metric\"}");
    check("sum{a!~'b|c'}", "sum{a!~\"b|c\"}");
    check("on_x or offset", "on_x or offset");
    check("up offset 5m", "up offset 5m");
    check("up offset -5m @ 10", "up @ 10.000 offset -5m");
    check("up[5m] @ start()", "up[5m] @ start()");
    check("rate(up[5m:])", "rate(up[5m:])");
    check("rate(up[1h:30s] offset 1w @ end())", "rate(up[1h:30s] @ end() offset 1w)");
    check("rate(up[2 * (1m + 30)])", "rate(up[2 * (1m + 30)])");
    check("up offset (step() - 1s)", "up offset (step() - 1s)");
    check("increase(up[5m] anchored)", "increase(up[5m] anchored)");
    check("sum(up)by(job,on)", "sum by (job, on) (up)");
    check("sum without () (up)", "sum without () (up)");
    check("SUM by (\"a.b\") (up)", "sum by (\"a.b\") (up)");
    check("topk(3, up)", "topk(3, up)");
    check("count_values('x', up)", "count_values(\"x\", up)");
    check("a+b*c^d^e-f", "a + b * c ^ d ^ e - f");
    check("-a^b", "-a ^ b");
    check("(1)", "(1)");
    check("a == bool on(x) group_left(y) b", "a == bool on (x) group_left (y) b");
    check("a / ignoring(x) group_right b", "a / ignoring (x) group_right () b");
    check("a + fill(0) b", "a + fill (0) b");
    check("a + on(x) fill_left(-1) fill_right(2) b", "a + on (x) fill_left (-1) fill_right (2) b");
    check("fill + fill", "fill + fill");
    check("a and on() b unless c", "a and on () b unless c");
    check("time() # comment", "time()");
    check("histogram >/ 5", "histogram >/ 5");
    check("start() + step()", "start() + step()");
}

#[test]
fn operators_bind_as_in_the_original() {
    /// Full parentheses around every operation.
    fn shape(e: &crate::Expr) -> String {
        match e {
            crate::Expr::Binary(b) => format!("({}{}{})", shape(&b.lhs), b.op.as_str(), shape(&b.rhs)),
            crate::Expr::Unary(u) => format!("(-{})", shape(&u.expr)),
            crate::Expr::Paren(p) => shape(&p.expr),
            other => other.to_string(),
        }
    }
    let check = |input: &str, expected: &str| assert_eq!(shape(&parse(input).unwrap()), expected, "{input}");
    check("a + b * c", "(a+(b*c))");
    check("a - b - c", "((a-b)-c)");
    check("a ^ b ^ c", "(a^(b^c))");
    check("-a ^ b", "(-(a^b))");
    check("-a * b", "((-a)*b)");
    check("a ^ -b * c", "((a^(-b))*c)");
    check("a or b and c", "(aor(bandc))");
    check("a > b + c", "(a>(b+c))");
    check("a % b atan2 c", "((a%b)atan2c)");
    check("-1 ^ 2 + a", "((-(1^2))+a)");
    check("1 + up offset 5m", "(1+up offset 5m)");
}

#[test]
fn errors_name_place_and_reason() {
    #[track_caller]
    fn check(input: &str, expected: &str) {
        let error = parse(input).expect_err(input).to_string();
        assert_eq!(error, expected, "{input}");
    }
    check("", "unknown position: parse error: no expression found in input");
    check("# only a comment", "1:1: parse error: no expression found in input");
    check("1+", "1:3: parse error: unexpected end of input");
    check(".", "1:1: parse error: unexpected character: '.'");
    check("2.5.", "1:1: parse error: bad number or duration syntax: \"2.5.\"");
    check("0deadbeef", "1:1: parse error: bad number or duration syntax: \"0de\"");
    check("*1", "1:1: parse error: unexpected <op:*>");
    check("(1))", "1:5: parse error: unexpected right parenthesis ')'");
    check("((1)", "1:5: parse error: unclosed left parenthesis");
    check("1 and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression");
    check("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier");
    check("1 =~ 1", "1:3: parse error: unexpected character after '=': '~'");
    check("1 !~ 1", "1:3: parse error: unexpected character after '!': '~'");
    check(
        "-\"string\"",
        "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
    );
    check(
        "1 offset 1d",
        "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
    );
    check("foo offset 1s offset 2s", "1:1: parse error: offset may not be set multiple times");
    check("a - on(b) ignoring(c) d", "1:11: parse error: unexpected <ignoring>");
    check("foo{", "1:5: parse error: unexpected end of input inside braces");
    check("foo{a}", "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator");
    check("foo{a=}", "1:7: parse error: unexpected \"}\" in label matching, expected string");
    check(
        "foo{a='b' c}",
        "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
    );
    check("foo{,}", "1:5: parse error: unexpected \",\" in label matching, expected identifier or \"}\"");
    check("foo{a=~'('}", "1:5: parse error: error parsing regexp: missing closing ): `(`");
    check("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher");
    check("{a=''}", "1:1: parse error: vector selector must contain at least one non-empty matcher");
    check("foo{__name__='bar'}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\"");
    check("foo[5m", "1:7: parse error: unclosed left bracket");
    check(
        "foo[5m]offset",
        "1:14: parse error: unexpected end of input in offset, expected number, duration, step(), or range()",
    );
    check("foo[0]", "1:5: parse error: duration must be greater than 0");
    check("foo[5m][5m]", "1:8: parse error: ranges only allowed for vector selectors");
    check("foo offset 1m[5m]", "1:14: parse error: no offset modifiers allowed before range");
    check("foo @ 1[5m]", "1:8: parse error: no @ modifiers allowed before range");
    check("foo @ x", "1:7: parse error: unexpected identifier \"x\" in @, expected timestamp");
    check(
        "rate(foo)",
        "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
    );
    check("unknown_function()", "1:1: parse error: unknown function with name \"unknown_function\"");
    check("floor()", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 0");
    check("floor(a, 1)", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 2");
    check("round(a, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3");
    check(
        "label_join(a, 'b')",
        "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 2",
    );
    check("abs(a,)", "1:6: parse error: trailing commas not allowed in function call args");
    check("sum()", "1:1: parse error: no arguments for aggregate expression provided");
    check(
        "topk(a)",
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
    );
    check(
        "topk(a, b)",
        "1:6: parse error: expected type scalar in aggregation parameter, got instant vector",
    );
    check("sum by (==) (a)", "1:9: parse error: unexpected <op:==> in grouping opts, expected label");
    check("sum 5", "1:5: parse error: unexpected number \"5\"");
    check("sum by a", "1:8: parse error: unexpected identifier \"a\" in grouping opts, expected \"(\"");
    check("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators");
    check(
        "a + on(x) group_left(x) b",
        "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once",
    );
    check("a and on(x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation");
    check("a + on(x) 1", "1:1: parse error: vector matching only allowed between instant vectors");
    check("a b", "1:3: parse error: unexpected identifier \"b\"");
    check("foo\n  bar", "2:3: parse error: unexpected identifier \"bar\"");
    check("'a", "1:1: parse error: unterminated quoted string");
    check("'\\q'", "1:1: parse error: unknown escape sequence U+0071 'q'");
    check("info(a)", "1:1: parse error: function \"info\" is not enabled");
    check("a[5m] smoothed", "1:1: parse error: smoothed modifier is experimental and not enabled");
    check("a + fill(1) b", "1:5: parse error: binop fill modifiers are experimental and not enabled");
}

#[test]
fn selectors_of_match_parameters() {
    let shown = |input: &str| -> Vec<String> {
        parse_selector(input).unwrap().iter().map(|m| m.to_string()).collect()
    };
    assert_eq!(shown("up{job=~'a.*'}"), ["job=~\"a.*\"", "__name__=\"up\""]);
    assert_eq!(shown("{__name__!=''}"), ["__name__!=\"\""]);
    assert!(shown("{}").is_empty());
    for bad in ["", "1", "up[5m]", "up offset 5m", "rate(up[5m])", "up or down"] {
        assert!(parse_selector(bad).is_err(), "{bad}");
    }
}

/// Every shape of nesting ends in an error long before the stack does.
#[test]
fn deep_input_is_refused() {
    let n = 100 * MAX_DEPTH;
    let deep = [
        format!("{}1{}", "(".repeat(n), ")".repeat(n)),
        format!("{}a", "-".repeat(n)),
        format!("a{}", " or a".repeat(n)),
        format!("a{}", " ^ a".repeat(n)),
        format!("a{}", "[1m:]".repeat(n)),
        format!("{}a{}", "abs(".repeat(n), ")".repeat(n)),
        format!("a[1m{}]", "+1m".repeat(n)),
        format!("a[{}1m{}]", "(".repeat(n), ")".repeat(n)),
    ];
    for input in deep {
        let error = parse(&input).expect_err("parsed").to_string();
        assert!(error.contains("nested too deeply"), "{error}");
    }
    assert!(parse(&format!("a{}", " or a".repeat(MAX_DEPTH - 10))).is_ok());
}

#[test]
fn no_input_panics() {
    let pieces = [
        "a",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "5m",
        "1",
        "'x'",
        "offset",
        "@",
        "by",
        "sum",
        "-",
        "+",
        "==",
        "bool",
        "on",
        "é",
        "\\",
        "\"",
        "`",
        ":",
        ",",
        "rate",
        "#",
        "\n",
        "0x",
        "1e",
        "~",
        "!",
        "=",
        "start()",
        "group_left",
        "fill",
        "step()",
    ];
    // A fixed linear congruential sequence: reproducible and wide enough.
    let mut state = 12345u64;
    for _ in 0..20_000 {
        let mut input = String::new();
        for _ in 0..8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            input.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            input.push_str(if state & (1 << 20) == 0 { " " } else { "" });
        }
        if let Ok(expr) = parse_with(&input, ParseOptions::all()) {
            let printed = expr.to_string();
            parse_with(&printed, ParseOptions::all()).unwrap_or_else(|e| panic!("{input} -> {printed}: {e}"));
        }
    }
}
