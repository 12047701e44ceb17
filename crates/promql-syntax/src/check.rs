//! Types and other rules a tree must obey beyond the grammar. The first violation is reported.

use model::METRIC_NAME;

use crate::ast::*;
use crate::quote::quote;
use crate::{ParseError, PosRange};

/// Checks the tree. Also settles what only types can tell: matching of non-vectors is dropped, set
/// operators are many-to-many, and `info`'s selector may be empty.
pub(crate) fn check(input: &str, expr: &mut Expr) -> Result<(), ParseError> {
    Checker { input }.expr(expr).map(|_| ())
}

struct Checker<'a> {
    input: &'a str,
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

impl Checker<'_> {
    fn error<T>(&self, pos: PosRange, message: impl Into<String>) -> Result<T> {
        Err(ParseError::new(self.input, pos, message))
    }

    fn expect(&self, expr: &mut Expr, wanted: ValueType, context: &str) -> Result<()> {
        let got = self.expr(expr)?;
        if got == wanted {
            return Ok(());
        }
        let (wanted, got) = (wanted.documented(), got.documented());
        self.error(expr.pos(), format!("expected type {wanted} in {context}, got {got}"))
    }

    fn expr(&self, expr: &mut Expr) -> Result<ValueType> {
        let value_type = expr.value_type();
        match expr {
            Expr::Number(_) | Expr::String(_) => {}
            Expr::Vector(selector) => self.selector(selector)?,
            Expr::Matrix(matrix) => self.selector(&matrix.selector)?,
            Expr::Subquery(subquery) => {
                let got = self.expr(&mut subquery.expr)?;
                if got != ValueType::Vector {
                    let message = format!("subquery is only allowed on instant vector, got {got} instead");
                    return self.error(subquery.pos, message);
                }
            }
            Expr::Call(call) => self.call(call)?,
            Expr::Aggregate(aggregate) => {
                self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression")?;
                if let Some(param) = &mut aggregate.param {
                    let wanted = match aggregate.op {
                        AggregateOp::CountValues => ValueType::String,
                        _ => ValueType::Scalar,
                    };
                    self.expect(param, wanted, "aggregation parameter")?;
                }
            }
            Expr::Binary(binary) => self.binary(binary)?,
            Expr::Unary(unary) => {
                let got = self.expr(&mut unary.expr)?;
                if !matches!(got, ValueType::Scalar | ValueType::Vector) {
                    let got = got.documented();
                    return self.error(
                        unary.pos,
                        format!(
                            "unary expression only allowed on expressions of type scalar or instant vector, got \"{got}\""
                        ),
                    );
                }
            }
            Expr::Paren(paren) => {
                self.expr(&mut paren.expr)?;
            }
        }
        Ok(value_type)
    }

    fn selector(&self, selector: &VectorSelector) -> Result<()> {
        if !selector.name.is_empty() {
            let inside = selector.matchers.split_last().map_or(&[][..], |(_, rest)| rest);
            return match inside.iter().find(|m| m.name == METRIC_NAME) {
                None => Ok(()),
                Some(second) => {
                    let (first, second) = (quote(&selector.name), quote(&second.value));
                    self.error(
                        selector.pos,
                        format!("metric name must not be set twice: {first} or {second}"),
                    )
                }
            };
        }
        // Guards against selecting everything by a typo.
        if selector.may_be_empty || selector.matchers.iter().any(|m| !m.matches_empty()) {
            return Ok(());
        }
        self.error(selector.pos, "vector selector must contain at least one non-empty matcher")
    }

    fn call(&self, call: &mut Call) -> Result<()> {
        let function = call.function;
        let (name, got, declared) = (quote(function.name), call.args.len(), function.args.len());
        if function.variadic == 0 {
            if got != declared {
                return self.error(
                    call.pos,
                    format!("expected {declared} argument(s) in call to {name}, got {got}"),
                );
            }
        } else {
            let least = declared - 1;
            let most = usize::try_from(function.variadic).ok().map(|n| least + n);
            if got < least {
                let message = format!("expected at least {least} argument(s) in call to {name}, got {got}");
                return self.error(call.pos, message);
            }
            if let Some(most) = most.filter(|most| got > *most) {
                let message = format!("expected at most {most} argument(s) in call to {name}, got {got}");
                return self.error(call.pos, message);
            }
        }
        if function.name == "info"
            && let Some(selector) = call.args.get_mut(1)
        {
            self.info_selector(selector)?;
        }
        for (i, arg) in call.args.iter_mut().enumerate() {
            let Some(wanted) = function.args.get(i).or(function.args.last()) else { break };
            self.expect(arg, *wanted, &format!("call to function {name}"))?;
        }
        Ok(())
    }

    fn info_selector(&self, arg: &mut Expr) -> Result<()> {
        let (pos, got) = (arg.pos(), arg.value_type());
        if got != ValueType::Vector {
            let got = got.documented();
            return self
                .error(pos, format!("expected type instant vector in call to function \"info\", got {got}"));
        }
        match arg {
            Expr::Vector(selector) if selector.name.is_empty() => {
                selector.may_be_empty = true;
                Ok(())
            }
            Expr::Vector(_) => self.error(pos, "expected label selectors only, got vector selector instead"),
            _ => self.error(pos, "expected label selectors only"),
        }
    }

    fn binary(&self, binary: &mut BinaryExpr) -> Result<()> {
        let left = self.expr(&mut binary.lhs)?;
        let right = self.expr(&mut binary.rhs)?;
        let (lhs_pos, rhs_pos) = (binary.lhs.pos(), binary.rhs.pos());
        let whole = lhs_pos.to(rhs_pos);
        let op = binary.op;
        let scalars = left == ValueType::Scalar && right == ValueType::Scalar;

        if binary.return_bool && !op.is_comparison() {
            let pos = self.operator_pos(lhs_pos, rhs_pos);
            return self.error(pos, "bool modifier can only be used on comparison operators");
        }
        if op.is_comparison() && !binary.return_bool && scalars {
            let pos = self.operator_pos(lhs_pos, rhs_pos);
            return self.error(pos, "comparisons between scalars must use BOOL modifier");
        }
        if let Some(matching) = &mut binary.matching {
            if op.is_set() && matching.cardinality == Cardinality::OneToOne {
                matching.cardinality = Cardinality::ManyToMany;
            }
            if matching.on
                && let Some(label) = matching.labels.iter().find(|l| matching.include.contains(l))
            {
                let pos = self.operator_pos(lhs_pos, rhs_pos);
                let label = quote(label);
                return self
                    .error(pos, format!("label {label} must not occur in ON and GROUP clause at once"));
            }
        }
        for (value_type, pos) in [(left, lhs_pos), (right, rhs_pos)] {
            if !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
                return self
                    .error(pos, "binary expression must contain only scalar and instant vector types");
            }
        }
        let vectors = left == ValueType::Vector && right == ValueType::Vector;
        if let Some(matching) = &binary.matching {
            let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
            if !vectors && !matching.labels.is_empty() {
                return self.error(whole, "vector matching only allowed between instant vectors");
            }
            if !vectors && fills {
                return self.error(whole, "filling in missing series only allowed between instant vectors");
            }
            if vectors && op.is_set() {
                if matching.cardinality != Cardinality::ManyToMany {
                    let op = op.as_str();
                    return self.error(whole, format!("no grouping allowed for \"{op}\" operation"));
                }
                if fills {
                    return self.error(whole, "filling in missing series not allowed for set operators");
                }
            }
        }
        if !vectors {
            binary.matching = None;
            if op.is_set() {
                let op = op.as_str();
                return self
                    .error(whole, format!("set operator \"{op}\" not allowed in binary scalar expression"));
            }
        }
        Ok(())
    }

    /// The operator with its modifiers: what lies between the operands, without the spaces around it.
    fn operator_pos(&self, lhs: PosRange, rhs: PosRange) -> PosRange {
        let between = self.input.get(lhs.end..rhs.start).unwrap_or_default();
        let start = lhs.end + (between.len() - between.trim_start().len());
        PosRange::new(start, start + between.trim().len())
    }
}
