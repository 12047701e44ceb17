//! Long expressions over several lines: what `/format_query` answers.
//!
//! A node whose canonical text is within the limit stays on its line. A longer one is opened: its parts get
//! lines of their own, one level deeper. Every node writes its own indentation, so whoever opens a line
//! tells the node its level. The original's two oddities are kept, since people diff formatted rules: a
//! subquery that fits is not indented, and an operator stands between its operands on a line of its own.

use std::fmt::Write;

use crate::ast::*;

/// Bytes of canonical text that stay on one line.
const LINE_MAX: usize = 100;

const INDENT: &str = "  ";

impl Expr {
    /// The canonical text, broken into lines where it is long.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        write(self, 0, &mut out);
        out
    }
}

fn indent(level: usize, out: &mut String) {
    (0..level).for_each(|_| out.push_str(INDENT));
}

fn write(expr: &Expr, level: usize, out: &mut String) {
    let text = expr.to_string();
    if text.len() <= LINE_MAX || !can_open(expr) {
        // Signs and subqueries look after their indentation themselves.
        if !matches!(expr, Expr::Subquery(_)) {
            indent(level, out);
        }
        out.push_str(&text);
        return;
    }
    match expr {
        Expr::Aggregate(e) => {
            indent(level, out);
            let _infallible = e.write_head(out);
            out.push_str("(\n");
            if let Some(param) = &e.param {
                write(param, level + 1, out);
                out.push_str(",\n");
            }
            write(&e.expr, level + 1, out);
            close(level, out);
        }
        Expr::Binary(e) => {
            write(&e.lhs, level + 1, out);
            out.push('\n');
            indent(level, out);
            out.push_str(e.op.as_str());
            if e.return_bool {
                out.push_str(" bool");
            }
            if let Some(matching) = &e.matching {
                let _infallible = write!(out, "{matching}");
            }
            out.push('\n');
            write(&e.rhs, level + 1, out);
        }
        Expr::Call(e) => {
            indent(level, out);
            out.push_str(e.function.name);
            out.push_str("(\n");
            for (i, arg) in e.args.iter().enumerate() {
                out.push_str(if i > 0 { ",\n" } else { "" });
                write(arg, level + 1, out);
            }
            close(level, out);
        }
        Expr::Paren(e) => {
            indent(level, out);
            out.push_str("(\n");
            write(&e.expr, level + 1, out);
            close(level, out);
        }
        Expr::Subquery(e) => {
            write(&e.expr, level, out);
            let _infallible = e.write_suffix(out);
        }
        Expr::Unary(e) => {
            let mut operand = String::new();
            write(&e.expr, level, &mut operand);
            indent(level, out);
            out.push(if e.op == UnaryOp::Minus { '-' } else { '+' });
            out.push_str(operand.trim());
        }
        Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => {}
    }
}

fn close(level: usize, out: &mut String) {
    out.push('\n');
    indent(level, out);
    out.push(')');
}

/// Whether a node has parts that could stand on lines of their own.
fn can_open(expr: &Expr) -> bool {
    !matches!(expr, Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_))
}

#[cfg(test)]
mod tests {
    use crate::{ParseOptions, parse_with};

    fn check(input: &str, expected: &str) {
        let expr = parse_with(input, ParseOptions::all()).unwrap();
        let pretty = expr.pretty();
        assert_eq!(pretty, expected, "{input}");
        let again = parse_with(&pretty, ParseOptions::all()).unwrap();
        assert_eq!(again.to_string(), expr.to_string(), "says the same");
    }

    /// A selector of 74 bytes, so that two of them are too long for a line.
    const LONG: &str = r#"a_rather_long_metric_name_total{instance="host-0001:9100",job="node_exp"}"#;

    #[test]
    fn what_fits_stays_on_a_line() {
        check(" sum( up )by(job) ", "sum by (job) (up)");
        check("1+ 2", "1 + 2");
        check("-(x)", "-(x)");
        check("max_over_time( up[5m:1m] offset 1h)", "max_over_time(up[5m:1m] offset 1h)");
        // Nothing to break in a selector, however long.
        let very_long =
            format!("{}{}", LONG.trim_end_matches('}'), r#",other="0123456789012345678901234567890"}"#);
        check(&very_long, &very_long);
    }

    #[test]
    fn what_is_long_is_opened() {
        check(
            &format!("{LONG}/ ignoring(x) group_left(y) {LONG}"),
            &format!("  {LONG}\n/ ignoring (x) group_left (y)\n  {LONG}"),
        );
        check(&format!("{LONG}== bool {LONG}"), &format!("  {LONG}\n== bool\n  {LONG}"));
        check(
            &format!("sum without(job)(rate({LONG}[5m]) and {LONG})"),
            &format!("sum without (job) (\n    rate({LONG}[5m])\n  and\n    {LONG}\n)"),
        );
        check(&format!("topk(5, {LONG} - {LONG})"), &format!("topk(\n  5,\n    {LONG}\n  -\n    {LONG}\n)"));
        check(
            &format!(r#"label_replace({LONG}, "destination", "$1", "source", "(.*)")"#),
            &format!(
                "label_replace(\n  {LONG},\n  \"destination\",\n  \"$1\",\n  \"source\",\n  \"(.*)\"\n)"
            ),
        );
        check(
            &format!("({LONG} + {LONG}) * 2"),
            &format!("  (\n      {LONG}\n    +\n      {LONG}\n  )\n*\n  2"),
        );
        check(&format!("-sum({LONG} + {LONG})"), &format!("-sum(\n    {LONG}\n  +\n    {LONG}\n)"));
        check(
            &format!("rate(({LONG} + {LONG})[5m:1m] offset 1h)"),
            &format!("rate(\n  (\n      {LONG}\n    +\n      {LONG}\n  )[5m:1m] offset 1h\n)"),
        );
    }
}
