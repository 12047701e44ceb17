//! Durations: the arithmetic inside `[…]`, and the shorter form `offset` takes.

use super::{Parser, Result};
use crate::duration_expr::{DurationExpr, DurationOp, DurationValue, QueryTimes};
use crate::token::Kind;

/// Left and right binding powers.
fn operator(kind: Kind) -> Option<(u8, u8, DurationOp)> {
    Some(match kind {
        Kind::Add => (1, 2, DurationOp::Add),
        Kind::Sub => (1, 2, DurationOp::Sub),
        Kind::Mul => (3, 4, DurationOp::Mul),
        Kind::Div => (3, 4, DurationOp::Div),
        Kind::Mod => (3, 4, DurationOp::Mod),
        Kind::Pow => (6, 5, DurationOp::Pow),
        _ => return None,
    })
}

impl Parser<'_> {
    /// A range or step: positive when it is known already.
    pub(super) fn bracket_duration(&mut self, context: &str, expected: &str) -> Result<DurationValue> {
        let expr = self.duration_expr(0, context, expected)?;
        let pos = expr.pos();
        let value = self.duration_value(expr)?;
        if value.expr.is_none() && value.ms <= 0 {
            return Err(self.error(pos, "duration must be greater than 0"));
        }
        Ok(value)
    }

    /// An offset binds tightly: one signed number, duration, function or parenthesised expression.
    pub(super) fn offset_duration(&mut self) -> Result<DurationValue> {
        let sign = self.peek().clone();
        let signed = matches!(sign.kind, Kind::Add | Kind::Sub);
        if signed {
            self.next();
        }
        let expr = self.duration_primary("offset", "number, duration, step(), or range()")?;
        let expr = match signed {
            true => {
                let pos = sign.pos.to(expr.pos());
                DurationExpr::Sign { negative: sign.kind == Kind::Sub, expr: Box::new(expr), pos }
            }
            false => expr,
        };
        self.duration_value(expr)
    }

    /// Plain durations lose their expression here, so that they print as they did before there were any.
    fn duration_value(&self, expr: DurationExpr) -> Result<DurationValue> {
        let plain = match &expr {
            DurationExpr::Number { .. } => true,
            DurationExpr::Sign { expr, .. } => matches!(**expr, DurationExpr::Number { .. }),
            _ => false,
        };
        let pos = expr.pos();
        let value = DurationValue { ms: 0, expr: Some(Box::new(expr)) };
        if plain {
            let ms =
                value.resolve(QueryTimes::default()).map_err(|(pos, message)| self.error(pos, message))?;
            return Ok(DurationValue::from_ms(ms));
        }
        if value.expr.as_ref().is_some_and(|e| e.is_constant()) {
            // Found wrong now, or never.
            value.resolve(QueryTimes::default()).map_err(|(_, message)| self.error(pos, message))?;
        }
        Ok(value)
    }

    fn duration_expr(&mut self, min_power: u8, context: &str, expected: &str) -> Result<DurationExpr> {
        self.nesting = self.deeper(self.nesting, self.peek().pos)?;
        let mut lhs = if matches!(self.peek().kind, Kind::Add | Kind::Sub) {
            let sign = self.next();
            let expr = self.duration_expr(5, context, expected)?;
            let pos = sign.pos.to(expr.pos());
            DurationExpr::Sign { negative: sign.kind == Kind::Sub, expr: Box::new(expr), pos }
        } else {
            self.duration_primary(context, expected)?
        };
        let mut links = self.nesting;
        while let Some((_, right, op)) = operator(self.peek().kind).filter(|(left, ..)| *left >= min_power) {
            let token = self.next();
            links = self.deeper(links, token.pos)?;
            let rhs = self.duration_expr(right, context, expected)?;
            lhs = DurationExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
        }
        self.nesting -= 1;
        Ok(lhs)
    }

    fn duration_primary(&mut self, context: &str, expected: &str) -> Result<DurationExpr> {
        let token = self.peek().clone();
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.next();
                let seconds = self.number(&token)?;
                if !seconds.is_finite() || seconds.abs() * 1e9 > i64::MAX as f64 {
                    return Err(self.error(token.pos, "duration out of range"));
                }
                let is_duration = token.kind == Kind::Duration;
                Ok(DurationExpr::Number { seconds, is_duration, pos: token.pos })
            }
            Kind::Step | Kind::Range => {
                self.next();
                self.take(Kind::LeftParen).ok_or_else(|| self.unexpected(context, "\"(\""))?;
                let close = self.take(Kind::RightParen).ok_or_else(|| self.unexpected(context, "\")\""))?;
                let pos = token.pos.to(close.pos);
                Ok(if token.kind == Kind::Step { DurationExpr::Step(pos) } else { DurationExpr::Range(pos) })
            }
            Kind::LeftParen => {
                self.next();
                let inner = self.duration_expr(0, context, expected)?;
                let close = self.take(Kind::RightParen).ok_or_else(|| self.unexpected(context, "\")\""))?;
                Ok(DurationExpr::Paren(Box::new(inner), token.pos.to(close.pos)))
            }
            Kind::Identifier if matches!(token.text.as_str(), "min_of" | "max_of") => {
                self.next();
                self.take(Kind::LeftParen).ok_or_else(|| self.unexpected(context, "\"(\""))?;
                let a = Box::new(self.duration_expr(0, context, expected)?);
                self.take(Kind::Comma).ok_or_else(|| self.unexpected(context, "\",\""))?;
                let b = Box::new(self.duration_expr(0, context, expected)?);
                let close = self.take(Kind::RightParen).ok_or_else(|| self.unexpected(context, "\")\""))?;
                let pos = token.pos.to(close.pos);
                Ok(match token.text.as_str() {
                    "min_of" => DurationExpr::MinOf(a, b, pos),
                    _ => DurationExpr::MaxOf(a, b, pos),
                })
            }
            _ => Err(self.unexpected(context, expected)),
        }
    }
}
