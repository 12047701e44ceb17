//! Tokens to a tree: a Pratt parser.
//!
//! Binding powers follow the original's grammar: `or` < `and`/`unless` < comparisons < `+ -` <
//! `* / % atan2` and unary signs < `^` (right-associative); ranges, `offset` and `@` bind tightest.
//! The first error ends parsing. `selector` reads `{…}`, `modifier` what follows an operand,
//! `grouping` what follows an operator or aggregator, `duration` what stands in brackets.

mod duration;
mod grouping;
mod modifier;
mod selector;

use model::Matcher;

use crate::ast::*;
use crate::check;
use crate::functions::function;
use crate::lexer::lex;
use crate::quote::{quote, unquote};
use crate::token::{Kind, Token};
use crate::{ParseError, PosRange};

/// How deep a tree may be. Every level costs stack when parsed, printed and evaluated; nobody writes
/// a tenth of this by hand.
pub const MAX_DEPTH: usize = 150;

/// Which experimental parts of the language are allowed. All are off by default, as in Prometheus.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParseOptions {
    /// `promql-experimental-functions`
    pub experimental_functions: bool,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left`, `fill_right`.
    pub fill_modifiers: bool,
}

impl ParseOptions {
    pub fn all() -> ParseOptions {
        ParseOptions { experimental_functions: true, extended_range_selectors: true, fill_modifiers: true }
    }
}

/// Parses and checks an expression of the stable language.
pub fn parse(input: &str) -> Result<Expr, ParseError> {
    parse_with(input, ParseOptions::default())
}

/// Parses and checks an expression.
pub fn parse_with(input: &str, options: ParseOptions) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(input, options);
    if parser.peek().kind == Kind::Eof {
        return Err(ParseError::new(input, PosRange::default(), "no expression found in input"));
    }
    let (mut expr, _depth) = parser.expr(0)?;
    if parser.peek().kind != Kind::Eof {
        return Err(parser.unexpected("", ""));
    }
    check::check(input, &mut expr)?;
    Ok(expr)
}

/// Parses a vector selector and nothing else: `match[]` parameters. A selector of everything is one, too; where
/// it must not be, the caller says so.
pub fn parse_selector(input: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser::new(input, ParseOptions::default());
    let token = parser.peek();
    if token.kind != Kind::LeftBrace && !token.kind.can_name_metric() {
        return Err(parser.unexpected("", ""));
    }
    let selector = parser.vector_selector()?;
    if parser.peek().kind != Kind::Eof {
        return Err(parser.unexpected("", ""));
    }
    Ok(selector.matchers)
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

/// An expression and how deep its tree is.
type Deep = (Expr, usize);

struct Parser<'a> {
    input: &'a str,
    tokens: Vec<Token>,
    at: usize,
    options: ParseOptions,
    /// Levels of recursion in progress.
    nesting: usize,
}

/// Left binding power, right binding power, operator. Equal powers associate to the left.
fn binary_operator(kind: Kind) -> Option<(u8, u8, BinaryOp)> {
    Some(match kind {
        Kind::Or => (1, 2, BinaryOp::Or),
        Kind::And => (3, 4, BinaryOp::And),
        Kind::Unless => (3, 4, BinaryOp::Unless),
        Kind::EqualEqual => (5, 6, BinaryOp::Eq),
        Kind::NotEqual => (5, 6, BinaryOp::Ne),
        Kind::Less => (5, 6, BinaryOp::Lt),
        Kind::LessEqual => (5, 6, BinaryOp::Le),
        Kind::Greater => (5, 6, BinaryOp::Gt),
        Kind::GreaterEqual => (5, 6, BinaryOp::Ge),
        Kind::TrimUpper => (5, 6, BinaryOp::TrimUpper),
        Kind::TrimLower => (5, 6, BinaryOp::TrimLower),
        Kind::Add => (7, 8, BinaryOp::Add),
        Kind::Sub => (7, 8, BinaryOp::Sub),
        Kind::Mul => (9, 10, BinaryOp::Mul),
        Kind::Div => (9, 10, BinaryOp::Div),
        Kind::Mod => (9, 10, BinaryOp::Mod),
        Kind::Atan2 => (9, 10, BinaryOp::Atan2),
        Kind::Pow => (12, 11, BinaryOp::Pow),
        _ => return None,
    })
}

/// Signs bind like `*`: `-a ^ b` is `-(a ^ b)`, `-a * b` is `(-a) * b`.
const SIGN_POWER: u8 = 10;

fn aggregate_op(kind: Kind) -> Option<AggregateOp> {
    Some(match kind {
        Kind::Sum => AggregateOp::Sum,
        Kind::Avg => AggregateOp::Avg,
        Kind::Count => AggregateOp::Count,
        Kind::Min => AggregateOp::Min,
        Kind::Max => AggregateOp::Max,
        Kind::Group => AggregateOp::Group,
        Kind::Stddev => AggregateOp::Stddev,
        Kind::Stdvar => AggregateOp::Stdvar,
        Kind::Topk => AggregateOp::Topk,
        Kind::Bottomk => AggregateOp::Bottomk,
        Kind::CountValues => AggregateOp::CountValues,
        Kind::Quantile => AggregateOp::Quantile,
        Kind::Limitk => AggregateOp::Limitk,
        Kind::LimitRatio => AggregateOp::LimitRatio,
        _ => return None,
    })
}

impl<'a> Parser<'a> {
    fn new(input: &'a str, options: ParseOptions) -> Parser<'a> {
        let mut tokens = lex(input);
        if !matches!(tokens.last().map(|t| t.kind), Some(Kind::Eof | Kind::Error)) {
            let pos = PosRange::new(input.len(), input.len());
            tokens.push(Token { kind: Kind::Eof, pos, text: String::new() });
        }
        Parser { input, tokens, at: 0, options, nesting: 0 }
    }

    /// The last token (end of input or a lexer error) repeats for ever.
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek_kind(&self, ahead: usize) -> Kind {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].kind
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn take(&mut self, kind: Kind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.next())
    }

    /// Where the last consumed token ended.
    fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.pos.end)
    }

    fn error(&self, pos: PosRange, message: impl Into<String>) -> ParseError {
        ParseError::new(self.input, pos, message)
    }

    /// The current token is not allowed here. A lexer error speaks for itself.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.peek();
        if token.kind == Kind::Error {
            return self.error(token.pos, token.text.clone());
        }
        let mut message = format!("unexpected {}", token.describe());
        if !context.is_empty() {
            message.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        self.error(token.pos, message)
    }

    fn deeper(&self, depth: usize, pos: PosRange) -> Result<usize> {
        if depth >= MAX_DEPTH {
            return Err(self.error(pos, format!("expression is nested too deeply, limit {MAX_DEPTH}")));
        }
        Ok(depth + 1)
    }

    /// Operators that bind at least as tightly as `min_power`, and their operands.
    fn expr(&mut self, min_power: u8) -> Result<Deep> {
        self.nesting = self.deeper(self.nesting, self.peek().pos)?;
        let result = self.expr_inner(min_power);
        self.nesting -= 1;
        result
    }

    fn expr_inner(&mut self, min_power: u8) -> Result<Deep> {
        let (mut lhs, mut depth) = self.prefix()?;
        while let Some((left_power, right_power, op)) = binary_operator(self.peek().kind) {
            if left_power < min_power {
                break;
            }
            (lhs, depth) = self.binary(op, right_power, lhs, depth)?;
        }
        Ok((lhs, depth))
    }

    fn binary(&mut self, op: BinaryOp, right_power: u8, lhs: Expr, depth: usize) -> Result<Deep> {
        let operator = self.next().pos;
        let (return_bool, matching) = self.binary_modifiers()?;
        let (rhs, rhs_depth) = self.expr(right_power)?;
        let depth = self.deeper(depth.max(rhs_depth), operator)?;
        let matching = Some(matching);
        let (lhs, rhs) = (Box::new(lhs), Box::new(rhs));
        Ok((Expr::Binary(BinaryExpr { op, lhs, rhs, return_bool, matching }), depth))
    }

    fn prefix(&mut self) -> Result<Deep> {
        if matches!(self.peek().kind, Kind::Add | Kind::Sub) {
            return self.signed();
        }
        let (expr, depth) = self.primary()?;
        self.modifiers(expr, depth)
    }

    fn signed(&mut self) -> Result<Deep> {
        let sign = self.next();
        let op = if sign.kind == Kind::Add { UnaryOp::Plus } else { UnaryOp::Minus };
        let (operand, depth) = self.expr(SIGN_POWER + 1)?;
        let pos = sign.pos.to(operand.pos());
        let expr = match operand {
            Expr::Number(number) => {
                let value = if op == UnaryOp::Minus { -number.value } else { number.value };
                Expr::Number(NumberLiteral { value, pos, ..number })
            }
            operand => Expr::Unary(UnaryExpr { op, expr: Box::new(operand), pos }),
        };
        Ok((expr, self.deeper(depth, sign.pos)?))
    }

    /// Only decides; the work is in functions of their own, which keeps the frames of the recursion small.
    fn primary(&mut self) -> Result<Deep> {
        let next = self.peek_kind(1);
        match self.peek().kind {
            Kind::Number | Kind::Duration => self.number_literal(),
            Kind::String => self.string_literal(),
            Kind::LeftParen => self.parenthesised(),
            Kind::LeftBrace => self.selector(),
            // Otherwise the word names a metric.
            kind if kind.is_aggregator() && matches!(next, Kind::LeftParen | Kind::By | Kind::Without) => {
                self.aggregation()
            }
            Kind::Identifier | Kind::Start | Kind::End | Kind::Step | Kind::Range
                if next == Kind::LeftParen =>
            {
                self.call()
            }
            kind if kind.can_name_metric() => self.selector(),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn number_literal(&mut self) -> Result<Deep> {
        let token = self.next();
        let value = self.number(&token)?;
        let is_duration = token.kind == Kind::Duration;
        Ok((Expr::Number(NumberLiteral { value, is_duration, pos: token.pos }), 1))
    }

    fn string_literal(&mut self) -> Result<Deep> {
        let token = self.next();
        let (value, not_utf8) = self.string(&token)?;
        Ok((Expr::String(StringLiteral { value, not_utf8, pos: token.pos }), 1))
    }

    fn selector(&mut self) -> Result<Deep> {
        Ok((Expr::Vector(self.vector_selector()?), 1))
    }

    fn parenthesised(&mut self) -> Result<Deep> {
        let open = self.next().pos;
        let (inner, depth) = self.expr(0)?;
        let close = self.take(Kind::RightParen).ok_or_else(|| self.unexpected("", ""))?;
        let pos = open.to(close.pos);
        let depth = self.deeper(depth, open)?;
        Ok((Expr::Paren(ParenExpr { expr: Box::new(inner), pos }), depth))
    }

    fn aggregation(&mut self) -> Result<Deep> {
        let name = self.next();
        let op = aggregate_op(name.kind).ok_or_else(|| self.unexpected("aggregation", ""))?;
        let mut modifier = self.aggregate_modifier()?;
        if self.peek().kind != Kind::LeftParen {
            return Err(self.unexpected("aggregation", ""));
        }
        let (mut args, depth) = self.arguments()?;
        if modifier.is_none() {
            modifier = self.aggregate_modifier()?;
        }
        let (without, grouping) = modifier.unwrap_or_default();
        let pos = PosRange::new(name.pos.start, self.last_end());
        if args.is_empty() {
            return Err(self.error(pos, "no arguments for aggregate expression provided"));
        }
        if op.is_experimental() && !self.options.experimental_functions {
            let feature =
                "is experimental and must be enabled with --enable-feature=promql-experimental-functions";
            return Err(self.error(pos, format!("{}() {feature}", op.as_str())));
        }
        let wanted = if op.takes_parameter() { 2 } else { 1 };
        if args.len() != wanted {
            let got = args.len();
            return Err(self.error(
                pos,
                format!(
                    "wrong number of arguments for aggregate expression provided, expected {wanted}, got {got}"
                ),
            ));
        }
        let expr = args.pop().map(Box::new).ok_or_else(|| self.unexpected("aggregation", ""))?;
        let param = args.pop().map(Box::new);
        let depth = self.deeper(depth, name.pos)?;
        Ok((Expr::Aggregate(AggregateExpr { op, expr, param, grouping, without, pos }), depth))
    }

    fn call(&mut self) -> Result<Deep> {
        let name = self.next();
        let (args, depth) = self.arguments()?;
        // The keywords that are also functions may be written in any case.
        let lookup = if name.kind == Kind::Identifier { name.text.clone() } else { name.text.to_lowercase() };
        let Some(function) = function(&lookup) else {
            return Err(self.error(name.pos, format!("unknown function with name {}", quote(&name.text))));
        };
        if function.experimental && !self.options.experimental_functions {
            return Err(self.error(name.pos, format!("function {} is not enabled", quote(&name.text))));
        }
        let pos = PosRange::new(name.pos.start, self.last_end());
        Ok((Expr::Call(Call { function, args, pos }), self.deeper(depth, name.pos)?))
    }

    /// `(a, b)`, and the depth of the deepest argument.
    fn arguments(&mut self) -> Result<(Vec<Expr>, usize)> {
        self.next();
        let (mut args, mut depth) = (Vec::new(), 0);
        if self.take(Kind::RightParen).is_some() {
            return Ok((args, depth));
        }
        loop {
            let (arg, arg_depth) = self.expr(0)?;
            args.push(arg);
            depth = depth.max(arg_depth);
            if self.take(Kind::RightParen).is_some() {
                return Ok((args, depth));
            }
            let comma = self.take(Kind::Comma).ok_or_else(|| self.unexpected("", ""))?;
            if self.peek().kind == Kind::RightParen {
                return Err(self.error(comma.pos, "trailing commas not allowed in function call args"));
            }
        }
    }

    /// The value of a number or duration token, in seconds for the latter.
    fn number(&self, token: &Token) -> Result<f64> {
        if token.kind == Kind::Duration {
            let ms = model::duration::parse(&token.text).map_err(|e| self.error(token.pos, e.to_string()))?;
            return Ok(ms as f64 / 1000.0);
        }
        crate::parse_number(&token.text).ok_or_else(|| {
            let overflows = token.text.parse::<f64>().is_ok_and(f64::is_infinite);
            let reason = if overflows { "value out of range" } else { "invalid syntax" };
            let text = quote(&token.text);
            self.error(
                token.pos,
                format!("error parsing number: strconv.ParseFloat: parsing {text}: {reason}"),
            )
        })
    }

    fn string(&self, token: &Token) -> Result<(String, Option<Vec<u8>>)> {
        let Some(bytes) = unquote(&token.text) else {
            let text = quote(&token.text);
            return Err(self.error(token.pos, format!("error unquoting string {text}: invalid syntax")));
        };
        Ok(match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(e) => (String::from_utf8_lossy(e.as_bytes()).into_owned(), Some(e.into_bytes())),
        })
    }
}
