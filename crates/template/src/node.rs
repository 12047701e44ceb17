//! The parse tree and its printed form, which error messages quote.

use std::fmt;
use std::sync::Arc;

use crate::number::Number;

/// A named template: its tree and the source it came from.
#[derive(Debug)]
pub(crate) struct Tree {
    pub name: String,
    /// The name of the text this template was defined in; positions are relative to it.
    pub parse_name: Arc<str>,
    pub text: Arc<str>,
    pub root: Vec<Node>,
}

impl Tree {
    /// Whether the body holds nothing but blank text, so that it must not replace a real definition.
    pub fn is_empty(&self) -> bool {
        self.root.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
    }

    /// `name:line:column` of a byte offset; the column counts bytes from zero.
    pub fn location(&self, pos: usize) -> String {
        let before = self.text.get(..pos).unwrap_or(&self.text);
        let column = before.rfind('\n').map_or(pos, |newline| pos - newline - 1);
        format!("{}:{}:{column}", self.parse_name, 1 + before.matches('\n').count())
    }
}

/// One element of a template body.
#[derive(Debug)]
pub(crate) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { pos: usize, name: String, pipe: Option<Pipe> },
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub pos: usize,
    pub pipe: Pipe,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// `$x, $y := cmd | cmd`
#[derive(Debug)]
pub(crate) struct Pipe {
    pub pos: usize,
    pub variables: Vec<String>,
    pub is_assign: bool,
    pub commands: Vec<Command>,
}

/// An operand and its arguments.
#[derive(Debug)]
pub(crate) struct Command {
    pub args: Vec<Operand>,
}

#[derive(Debug)]
pub(crate) struct Operand {
    pub pos: usize,
    pub kind: OperandKind,
}

#[derive(Debug)]
pub(crate) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    /// The text as written and its meaning.
    Str(String, Arc<str>),
    Identifier(String),
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A.B`: the variable with its dollar, then the fields.
    Variable(Vec<String>),
    Pipe(Pipe),
    /// `(pipe).A.B`
    Chain(Box<Operand>, Vec<String>),
}

fn separated<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], separator: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i > 0 { separator } else { "" })?;
    }
    Ok(())
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            separated(f, &self.variables, ", ")?;
            f.write_str(if self.is_assign { " = " } else { " := " })?;
        }
        separated(f, &self.commands, " | ")
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        separated(f, &self.args, " ")
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OperandKind::Dot => f.write_str("."),
            OperandKind::Nil => f.write_str("nil"),
            OperandKind::Bool(b) => write!(f, "{b}"),
            OperandKind::Number(n) => f.write_str(&n.text),
            OperandKind::Str(written, _) => f.write_str(written),
            OperandKind::Identifier(name) => f.write_str(name),
            OperandKind::Field(fields) => fields.iter().try_for_each(|name| write!(f, ".{name}")),
            OperandKind::Variable(parts) => separated(f, parts, "."),
            OperandKind::Pipe(pipe) => write!(f, "({pipe})"),
            OperandKind::Chain(operand, fields) => {
                write!(f, "{operand}")?;
                fields.iter().try_for_each(|name| write!(f, ".{name}"))
            }
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pipe)
    }
}
