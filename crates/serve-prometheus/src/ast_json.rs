//! The syntax tree as `/api/v1/parse_query` shows it: the tree view of the query page reads this.
//!
//! Keys stand in alphabetical order and `<`, `>`, `&` are escaped, as the original's encoder has it.

use std::fmt::Write;

use model::{MatchOp, Matcher};
use promql_syntax::{At, Cardinality, DurationValue, Expr, UnaryOp, VectorMatching, VectorSelector};

use crate::reply::{write_string, write_strings};

/// JSON text of the tree.
pub fn ast_json(expr: &Expr) -> String {
    let mut out = String::with_capacity(256);
    write_expr(&mut out, expr);
    html_escaped(out)
}

/// JSON text safe to stand in a page. Outside of strings JSON has none of these characters.
pub fn html_escaped(json: String) -> String {
    if !json.contains(['<', '>', '&']) {
        return json;
    }
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn write_expr(out: &mut String, expr: &Expr) {
    match expr {
        Expr::Aggregate(e) => {
            out.push_str("{\"expr\":");
            write_expr(out, &e.expr);
            out.push_str(",\"grouping\":");
            write_strings(out, &e.grouping);
            let _ = write!(out, ",\"op\":\"{}\",\"param\":", e.op.as_str());
            match &e.param {
                Some(param) => write_expr(out, param),
                None => out.push_str("null"),
            }
            let _ = write!(out, ",\"type\":\"aggregation\",\"without\":{}}}", e.without);
        }
        Expr::Binary(e) => {
            let _ = write!(out, "{{\"bool\":{},\"lhs\":", e.return_bool);
            write_expr(out, &e.lhs);
            out.push_str(",\"matching\":");
            match &e.matching {
                Some(matching) => write_matching(out, matching),
                None => out.push_str("null"),
            }
            let _ = write!(out, ",\"op\":\"{}\",\"rhs\":", e.op.as_str());
            write_expr(out, &e.rhs);
            out.push_str(",\"type\":\"binaryExpr\"}");
        }
        Expr::Call(e) => {
            out.push_str("{\"args\":[");
            for (i, arg) in e.args.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_expr(out, arg);
            }
            let types: Vec<&str> = e.function.args.iter().map(|t| t.as_str()).collect();
            out.push_str("],\"func\":{\"argTypes\":");
            write_strings(out, &types);
            let _ = write!(
                out,
                ",\"name\":\"{}\",\"returnType\":\"{}\",\"variadic\":{}}},\"type\":\"call\"}}",
                e.function.name,
                e.function.returns.as_str(),
                e.function.variadic
            );
        }
        Expr::Matrix(e) => write_selector(out, &e.selector, Some(&e.range)),
        Expr::Vector(e) => write_selector(out, e, None),
        Expr::Subquery(e) => {
            out.push_str("{\"expr\":");
            write_expr(out, &e.expr);
            let _ = write!(out, ",\"offset\":{},\"range\":{}", ms(&e.offset), ms(&e.range));
            write_at(out, e.at, |out| {
                let _ = write!(out, ",\"step\":{}", e.step.as_ref().map_or(0, ms));
            });
            out.push_str(",\"type\":\"subquery\"}");
        }
        Expr::Number(e) => {
            let val = model::float::format_f(e.value);
            let _ = write!(out, "{{\"type\":\"numberLiteral\",\"val\":\"{val}\"}}");
        }
        Expr::String(e) => {
            out.push_str("{\"type\":\"stringLiteral\",\"val\":");
            write_string(out, &e.value);
            out.push('}');
        }
        Expr::Paren(e) => {
            out.push_str("{\"expr\":");
            write_expr(out, &e.expr);
            out.push_str(",\"type\":\"parenExpr\"}");
        }
        Expr::Unary(e) => {
            out.push_str("{\"expr\":");
            write_expr(out, &e.expr);
            let op = if e.op == UnaryOp::Minus { '-' } else { '+' };
            let _ = write!(out, ",\"op\":\"{op}\",\"type\":\"unaryExpr\"}}");
        }
    }
}

/// Milliseconds; an expression that needs the query's times counts as zero.
fn ms(duration: &DurationValue) -> i64 {
    if duration.expr.is_some() { 0 } else { duration.ms }
}

fn write_selector(out: &mut String, selector: &VectorSelector, range: Option<&DurationValue>) {
    let _ = write!(out, "{{\"anchored\":{},\"matchers\":", selector.anchored);
    write_matchers(out, &selector.matchers);
    out.push_str(",\"name\":");
    write_string(out, &selector.name);
    let _ = write!(out, ",\"offset\":{}", ms(&selector.offset));
    if let Some(range) = range {
        let _ = write!(out, ",\"range\":{}", ms(range));
    }
    let _ = write!(out, ",\"smoothed\":{}", selector.smoothed);
    write_at(out, selector.at, |_| {});
    let kind = if range.is_some() { "matrixSelector" } else { "vectorSelector" };
    let _ = write!(out, ",\"type\":\"{kind}\"}}");
}

/// `startOrEnd` and `timestamp`, with what stands `between` them by its name.
fn write_at(out: &mut String, at: Option<At>, between: impl FnOnce(&mut String)) {
    out.push_str(match at {
        Some(At::Start) => ",\"startOrEnd\":\"start\"",
        Some(At::End) => ",\"startOrEnd\":\"end\"",
        _ => ",\"startOrEnd\":null",
    });
    between(out);
    match at {
        Some(At::Timestamp(t)) => drop(write!(out, ",\"timestamp\":{t}")),
        _ => out.push_str(",\"timestamp\":null"),
    }
}

fn write_matchers(out: &mut String, matchers: &[Matcher]) {
    out.push('[');
    for (i, matcher) in matchers.iter().enumerate() {
        out.push_str(if i > 0 { ",{\"name\":" } else { "{\"name\":" });
        write_string(out, &matcher.name);
        let op = match matcher.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        };
        let _ = write!(out, ",\"type\":\"{op}\",\"value\":");
        write_string(out, &matcher.value);
        out.push('}');
    }
    out.push(']');
}

fn write_matching(out: &mut String, matching: &VectorMatching) {
    let card = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    let _ = write!(out, "{{\"card\":\"{card}\",\"fillValues\":{{");
    for (name, value) in [("\"lhs\":", matching.fill_left), (",\"rhs\":", matching.fill_right)] {
        out.push_str(name);
        match value.filter(|value| value.is_finite()) {
            Some(value) => out.push_str(&model::float::format_f(value)),
            None => out.push_str("null"),
        }
    }
    out.push_str("},\"include\":");
    write_strings(out, &matching.include);
    out.push_str(",\"labels\":");
    write_strings(out, &matching.labels);
    let _ = write!(out, ",\"on\":{}}}", matching.on);
}

#[cfg(test)]
mod tests {
    use promql_syntax::{ParseOptions, parse_with};

    fn check(query: &str, expected: &str) {
        let expr = parse_with(query, ParseOptions::all()).unwrap();
        let shown = super::ast_json(&expr);
        assert_eq!(shown, expected, "{query}");
        assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok());
    }

    const UP: &str = r#"{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"up"}],"name":"up","offset":0,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"}"#;

    #[test]
    fn nodes_have_the_fields_of_the_original() {
        check("up", UP);
        check(
            r#"{a=~"<x>"}[5m] offset 1m @ 2"#,
            r#"{"anchored":false,"matchers":[{"name":"a","type":"=~","value":"\u003cx\u003e"}],"name":"","offset":60000,"range":300000,"smoothed":false,"startOrEnd":null,"timestamp":2000,"type":"matrixSelector"}"#,
        );
        check("(1.5)", r#"{"expr":{"type":"numberLiteral","val":"1.5"},"type":"parenExpr"}"#);
        check("-up", &format!(r#"{{"expr":{UP},"op":"-","type":"unaryExpr"}}"#));
        check(
            r#"count_values without(b, a) ("x", up)"#,
            &format!(
                r#"{{"expr":{UP},"grouping":["b","a"],"op":"count_values","param":{{"type":"stringLiteral","val":"x"}},"type":"aggregation","without":true}}"#
            ),
        );
        check(
            "sum(up)",
            &format!(
                r#"{{"expr":{UP},"grouping":[],"op":"sum","param":null,"type":"aggregation","without":false}}"#
            ),
        );
        check(
            "up < bool on(a) group_left(b) up",
            &format!(
                r#"{{"bool":true,"lhs":{UP},"matching":{{"card":"many-to-one","fillValues":{{"lhs":null,"rhs":null}},"include":["b"],"labels":["a"],"on":true}},"op":"\u003c","rhs":{UP},"type":"binaryExpr"}}"#
            ),
        );
        check(
            "1 + 2",
            r#"{"bool":false,"lhs":{"type":"numberLiteral","val":"1"},"matching":null,"op":"+","rhs":{"type":"numberLiteral","val":"2"},"type":"binaryExpr"}"#,
        );
        check(
            "round(up)",
            &format!(
                r#"{{"args":[{UP}],"func":{{"argTypes":["vector","scalar"],"name":"round","returnType":"vector","variadic":1}},"type":"call"}}"#
            ),
        );
        check(
            "max_over_time(up[10m:] @ end())",
            &format!(
                r#"{{"args":[{{"expr":{UP},"offset":0,"range":600000,"startOrEnd":"end","step":0,"timestamp":null,"type":"subquery"}}],"func":{{"argTypes":["matrix"],"name":"max_over_time","returnType":"vector","variadic":0}},"type":"call"}}"#
            ),
        );
    }
}
