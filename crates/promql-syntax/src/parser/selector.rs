//! `name{label="value", …}`.

use model::{METRIC_NAME, MatchOp, Matcher};

use super::{Parser, Result};
use crate::PosRange;
use crate::ast::VectorSelector;
use crate::duration_expr::DurationValue;
use crate::token::{Kind, Token};

impl Parser<'_> {
    pub(super) fn vector_selector(&mut self) -> Result<VectorSelector> {
        let start = self.peek().pos.start;
        let name = if self.peek().kind == Kind::LeftBrace { String::new() } else { self.next().text };
        let mut matchers = Vec::new();
        if self.take(Kind::LeftBrace).is_some() {
            self.matchers(&mut matchers)?;
        }
        if !name.is_empty() {
            matchers.push(Matcher::equal(METRIC_NAME, name.as_str()));
        }
        Ok(VectorSelector {
            name,
            matchers,
            offset: DurationValue::default(),
            at: None,
            anchored: false,
            smoothed: false,
            may_be_empty: false,
            pos: PosRange::new(start, self.last_end()),
        })
    }

    fn matchers(&mut self, out: &mut Vec<Matcher>) -> Result<()> {
        while self.take(Kind::RightBrace).is_none() {
            out.push(self.matcher()?);
            if self.take(Kind::Comma).is_none() && self.peek().kind != Kind::RightBrace {
                return Err(self.unexpected("label matching", "\",\" or \"}\""));
            }
        }
        Ok(())
    }

    fn matcher(&mut self) -> Result<Matcher> {
        let token = self.peek().clone();
        let quoted = match token.kind {
            Kind::Identifier => false,
            Kind::String => true,
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        self.next();
        let name = if quoted { self.string(&token)?.0 } else { token.text.clone() };
        let op = match self.peek().kind {
            Kind::Equal => MatchOp::Equal,
            Kind::NotEqual => MatchOp::NotEqual,
            Kind::EqualRegex => MatchOp::Regex,
            Kind::NotEqualRegex => MatchOp::NotRegex,
            // A lone quoted string is the metric name.
            Kind::Comma | Kind::RightBrace if quoted => return Ok(Matcher::equal(METRIC_NAME, name)),
            _ if quoted => return Err(self.unexpected("label matching", "\",\" or \"}\"")),
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.next();
        let value: Token =
            self.take(Kind::String).ok_or_else(|| self.unexpected("label matching", "string"))?;
        let (text, _) = self.string(&value)?;
        Matcher::new(op, name, text).map_err(|e| self.error(token.pos.to(value.pos), e.to_string()))
    }
}
