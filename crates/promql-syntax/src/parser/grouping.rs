//! Label lists and what they modify: `by`, `without`, `on`, `ignoring`, `group_left`, `fill`.

use super::{Parser, Result};
use crate::ast::{Cardinality, VectorMatching};
use crate::token::Kind;

impl Parser<'_> {
    /// `by (…)` or `without (…)`: whether it is `without`, and the labels.
    pub(super) fn aggregate_modifier(&mut self) -> Result<Option<(bool, Vec<String>)>> {
        let without = match self.peek().kind {
            Kind::By => false,
            Kind::Without => true,
            _ => return Ok(None),
        };
        self.next();
        Ok(Some((without, self.grouping_labels()?)))
    }

    /// What may follow a binary operator, in the only order allowed.
    pub(super) fn binary_modifiers(&mut self) -> Result<(bool, VectorMatching)> {
        let mut matching = VectorMatching {
            cardinality: Cardinality::OneToOne,
            labels: Vec::new(),
            on: false,
            include: Vec::new(),
            fill_left: None,
            fill_right: None,
        };
        let return_bool = self.take(Kind::Bool).is_some();
        if matches!(self.peek().kind, Kind::On | Kind::Ignoring) {
            matching.on = self.next().kind == Kind::On;
            matching.labels = self.grouping_labels()?;
            let cardinality = match self.peek().kind {
                Kind::GroupLeft => Some(Cardinality::ManyToOne),
                Kind::GroupRight => Some(Cardinality::OneToMany),
                _ => None,
            };
            if let Some(cardinality) = cardinality {
                self.next();
                matching.cardinality = cardinality;
                if self.peek().kind == Kind::LeftParen {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        self.fill_modifiers(&mut matching)?;
        Ok((return_bool, matching))
    }

    /// `fill (x)`, or `fill_left (x)` and `fill_right (y)` in any order.
    fn fill_modifiers(&mut self, matching: &mut VectorMatching) -> Result<()> {
        // Without the parenthesis the word is the name of a metric on the right-hand side.
        while matches!(self.peek().kind, Kind::Fill | Kind::FillLeft | Kind::FillRight)
            && self.peek_kind(1) == Kind::LeftParen
        {
            let word = self.next();
            if !self.options.fill_modifiers {
                return Err(self.error(word.pos, "binop fill modifiers are experimental and not enabled"));
            }
            self.next();
            let value = self.signed_number("fill modifier", "number")?;
            self.take(Kind::RightParen).ok_or_else(|| self.unexpected("fill modifier", "\")\""))?;
            if word.kind != Kind::FillRight {
                matching.fill_left = Some(value);
            }
            if word.kind != Kind::FillLeft {
                matching.fill_right = Some(value);
            }
        }
        Ok(())
    }

    pub(super) fn signed_number(&mut self, context: &str, expected: &str) -> Result<f64> {
        let negative = self.peek().kind == Kind::Sub;
        if negative || self.peek().kind == Kind::Add {
            self.next();
        }
        if !matches!(self.peek().kind, Kind::Number | Kind::Duration) {
            return Err(self.unexpected(context, expected));
        }
        let token = self.next();
        let value = self.number(&token)?;
        Ok(if negative { -value } else { value })
    }

    fn grouping_labels(&mut self) -> Result<Vec<String>> {
        self.take(Kind::LeftParen).ok_or_else(|| self.unexpected("grouping opts", "\"(\""))?;
        let mut labels = Vec::new();
        while self.take(Kind::RightParen).is_none() {
            let token = self.peek().clone();
            let label = match token.kind {
                Kind::String => self.string(&token)?.0,
                Kind::MetricIdentifier => return Err(self.unexpected("grouping opts", "label")),
                kind if kind.can_name_label() => token.text.clone(),
                _ => return Err(self.unexpected("grouping opts", "label")),
            };
            self.next();
            labels.push(label);
            if self.take(Kind::Comma).is_none() && self.peek().kind != Kind::RightParen {
                return Err(self.unexpected("grouping opts", "\",\" or \")\""));
            }
        }
        Ok(labels)
    }
}
