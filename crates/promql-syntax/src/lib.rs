//! PromQL as text: characters to tokens (`lexer`), tokens to a tree (`parser`), a tree that makes
//! sense (`check`), and the tree back as canonical text (`printer`).
//!
//! Every node knows its byte range in the input, because errors and annotations name line and column.
//! Error texts are those of Prometheus 3: people search for them and tests compare them.
//!
//! Invariant: no I/O, no evaluation, and no input panics or exhausts the stack (see
//! [`parser::MAX_DEPTH`]).

mod ast;
mod check;
mod duration_expr;
mod error;
mod functions;
mod lexer;
mod number;
mod parser;
mod pretty;
mod printer;
mod quote;
#[cfg(test)]
mod tests;
mod token;

pub use ast::{
    AggregateExpr, AggregateOp, At, BinaryExpr, BinaryOp, Call, Cardinality, Expr, MatrixSelector,
    NumberLiteral, ParenExpr, StringLiteral, SubqueryExpr, UnaryExpr, UnaryOp, ValueType, VectorMatching,
    VectorSelector,
};
pub use duration_expr::{DurationExpr, DurationOp, DurationValue, QueryTimes};
pub use error::{ParseError, PosRange};
pub use functions::{Function, function, functions};
pub use number::parse_number;
pub use parser::{ParseOptions, parse, parse_selector, parse_with};
pub use quote::{quote, quote_bytes, unquote};
