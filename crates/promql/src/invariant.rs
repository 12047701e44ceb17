//! What is the same at every step: expressions whose selectors are all pinned with `@`.

use promql_syntax::Expr;

/// Functions that look at the time of the step itself.
const TIMELY: &[&str] = &[
    "time",
    "timestamp",
    "start_timestamp",
    "predict_linear",
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "info",
];

/// Whether the (resolved) expression has one value for all steps and takes work to find it.
pub(crate) fn is_invariant(expr: &Expr) -> bool {
    !matches!(expr.unwrap_parens(), Expr::Number(_) | Expr::String(_)) && holds(expr)
}

fn holds(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::Vector(selector) => selector.at.is_some(),
        Expr::Matrix(matrix) => matrix.selector.at.is_some(),
        Expr::Subquery(subquery) => subquery.at.is_some(),
        Expr::Call(call) => !TIMELY.contains(&call.function.name) && call.args.iter().all(holds),
        other => other.children().into_iter().all(holds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_expressions_do_not_move() {
        let check = |text: &str, expected: bool| {
            let expr = promql_syntax::parse_with(text, promql_syntax::ParseOptions::all()).unwrap();
            assert_eq!(is_invariant(&expr), expected, "{text}");
        };
        check("a @ 5", true);
        check("a", false);
        check("sum(rate(a[5m] @ 5)) / 2", true);
        check("sum(rate(a[5m] @ 5)) / b", false);
        check("max_over_time(rate(a[1m])[5m:1m] @ 7)", true);
        check("a @ 5 * time()", false);
        check("timestamp(a @ 5)", false);
        check("topk(scalar(b), a @ 5)", false);
        check("(1)", false);
    }
}
