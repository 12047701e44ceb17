//! What follows an operand: `[5m]`, `[1h:1m]`, `offset 5m`, `@ 123`, `anchored`, `smoothed`.

use super::{Deep, Parser, Result};
use crate::PosRange;
use crate::ast::*;
use crate::duration_expr::DurationValue;
use crate::token::{Kind, Token};

const NEEDS_SELECTOR: &str =
    "must be preceded by an instant vector selector or range vector selector or a subquery";

impl Parser<'_> {
    pub(super) fn modifiers(&mut self, mut expr: Expr, mut depth: usize) -> Result<Deep> {
        loop {
            match self.peek().kind {
                Kind::LeftBracket => {
                    depth = self.deeper(depth, self.peek().pos)?;
                    expr = self.range_or_subquery(expr)?;
                }
                Kind::Offset => {
                    self.next();
                    let offset = self.offset_duration()?;
                    self.set_offset(&mut expr, offset)?;
                }
                Kind::At => {
                    self.next();
                    self.at_modifier(&mut expr)?;
                }
                Kind::Anchored | Kind::Smoothed => {
                    let word = self.next();
                    self.set_extension(&mut expr, &word)?;
                }
                _ => return Ok((expr, depth)),
            }
        }
    }

    fn range_or_subquery(&mut self, expr: Expr) -> Result<Expr> {
        let open = self.next();
        let range =
            self.bracket_duration("subquery or range selector", "number, duration, step(), or range()")?;
        match self.peek().kind {
            Kind::RightBracket => {
                let close = self.next();
                self.matrix_selector(expr, range, open.pos.to(close.pos))
            }
            Kind::Colon => {
                self.next();
                let step = match self.peek().kind {
                    Kind::RightBracket => None,
                    _ => Some(self.bracket_duration(
                        "subquery selector",
                        "number, duration, step(), range(), or \"]\"",
                    )?),
                };
                let close = self
                    .take(Kind::RightBracket)
                    .ok_or_else(|| self.unexpected("subquery selector", "\"]\""))?;
                let pos = PosRange::new(expr.pos().start, close.pos.end);
                Ok(Expr::Subquery(SubqueryExpr {
                    expr: Box::new(expr),
                    range,
                    step,
                    offset: DurationValue::default(),
                    at: None,
                    pos,
                }))
            }
            _ => Err(self.unexpected("subquery or range", "\":\" or \"]\"")),
        }
    }

    fn matrix_selector(&self, expr: Expr, range: DurationValue, brackets: PosRange) -> Result<Expr> {
        let Expr::Vector(selector) = expr else {
            return Err(self.error(brackets, "ranges only allowed for vector selectors"));
        };
        if !selector.offset.is_zero() {
            return Err(self.error(brackets, "no offset modifiers allowed before range"));
        }
        if selector.at.is_some() {
            return Err(self.error(brackets, "no @ modifiers allowed before range"));
        }
        let pos = PosRange::new(selector.pos.start, brackets.end);
        Ok(Expr::Matrix(MatrixSelector { selector, range, pos }))
    }

    fn set_offset(&self, expr: &mut Expr, offset: DurationValue) -> Result<()> {
        let whole = expr.pos();
        let (slot, pos) = match expr {
            Expr::Vector(e) => (&mut e.offset, &mut e.pos),
            Expr::Matrix(e) => (&mut e.selector.offset, &mut e.pos),
            Expr::Subquery(e) => (&mut e.offset, &mut e.pos),
            _ => return Err(self.error(whole, format!("offset modifier {NEEDS_SELECTOR}"))),
        };
        if !slot.is_zero() {
            return Err(self.error(whole, "offset may not be set multiple times"));
        }
        *slot = offset;
        pos.end = self.last_end();
        Ok(())
    }

    fn at_modifier(&mut self, expr: &mut Expr) -> Result<()> {
        let at = match self.peek().kind {
            Kind::Start | Kind::End => {
                let at = if self.next().kind == Kind::Start { At::Start } else { At::End };
                self.take(Kind::LeftParen).ok_or_else(|| self.unexpected("@", "timestamp"))?;
                self.take(Kind::RightParen).ok_or_else(|| self.unexpected("@", "timestamp"))?;
                at
            }
            _ => {
                let seconds = self.signed_number("@", "timestamp")?;
                // The original's own bound: what a 64-bit integer of seconds can hold.
                if !seconds.is_finite() || seconds.abs() >= i64::MAX as f64 {
                    let text = if seconds.is_nan() {
                        "NaN".to_owned()
                    } else if seconds.is_infinite() {
                        (if seconds > 0.0 { "+Inf" } else { "-Inf" }).to_owned()
                    } else {
                        format!("{seconds:.6}")
                    };
                    let message = format!("timestamp out of bounds for @ modifier: {text}");
                    return Err(self.error(expr.pos(), message));
                }
                At::Timestamp((seconds * 1000.0).round() as i64)
            }
        };
        let whole = expr.pos();
        let (slot, pos) = match expr {
            Expr::Vector(e) => (&mut e.at, &mut e.pos),
            Expr::Matrix(e) => (&mut e.selector.at, &mut e.pos),
            Expr::Subquery(e) => (&mut e.at, &mut e.pos),
            _ => return Err(self.error(whole, format!("@ modifier {NEEDS_SELECTOR}"))),
        };
        if slot.is_some() {
            return Err(self.error(whole, "@ <timestamp> may not be set multiple times"));
        }
        *slot = Some(at);
        pos.end = self.last_end();
        Ok(())
    }

    fn set_extension(&self, expr: &mut Expr, word: &Token) -> Result<()> {
        let name = if word.kind == Kind::Anchored { "anchored" } else { "smoothed" };
        let pos = expr.pos();
        if !self.options.extended_range_selectors {
            return Err(self.error(pos, format!("{name} modifier is experimental and not enabled")));
        }
        let selector = match expr {
            Expr::Vector(selector) => selector,
            Expr::Matrix(matrix) => &mut matrix.selector,
            Expr::Subquery(_) => {
                return Err(self.error(pos, format!("{name} modifier is not supported for subqueries")));
            }
            _ => return Err(self.error(pos, format!("{name} modifier not implemented"))),
        };
        selector.anchored |= word.kind == Kind::Anchored;
        selector.smoothed |= word.kind == Kind::Smoothed;
        if selector.anchored && selector.smoothed {
            return Err(self.error(pos, "anchored and smoothed modifiers cannot be used together"));
        }
        Ok(())
    }
}
