//! The parse tree and its printed form, which error messages quote.

use std::fmt;
use std::sync::Arc;

use crate::number::{Number, quote};

/// A named template: its tree and the source it came from.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub name: String,
    /// The name of the text this template was defined in; positions are relative to it.
    pub parse_name: Arc<str>,
    pub text: Arc<str>,
    /// Where the body begins.
    pub pos: usize,
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
        format!("{}:{}:{column}", self.parse_name, self.line(pos))
    }

    /// The line of a byte offset, counted from one.
    pub fn line(&self, pos: usize) -> usize {
        1 + self.text.get(..pos).unwrap_or(&self.text).matches('\n').count()
    }
}

/// One element of a template body.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(TemplateCall),
    Break(usize),
    Continue(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub pipe: Pipe,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// `{{template "name" pipe}}`
#[derive(Debug, Clone)]
pub(crate) struct TemplateCall {
    pub pos: usize,
    pub name: String,
    pub pipe: Option<Pipe>,
}

/// `$x, $y := cmd | cmd`
#[derive(Debug, Clone)]
pub(crate) struct Pipe {
    pub pos: usize,
    pub variables: Vec<String>,
    pub is_assign: bool,
    pub commands: Vec<Command>,
}

/// An operand and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub pos: usize,
    pub args: Vec<Operand>,
}

impl Command {
    /// A call of `name` without arguments.
    pub fn call(pos: usize, name: &str) -> Command {
        Command { pos, args: vec![Operand { pos, kind: OperandKind::Identifier(name.to_owned()) }] }
    }

    /// The function this command calls, when it calls one.
    pub fn identifier(&self) -> Option<&str> {
        match self.args.first().map(|operand| &operand.kind) {
            Some(OperandKind::Identifier(name)) => Some(name),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Operand {
    pub pos: usize,
    pub kind: OperandKind,
}

#[derive(Debug, Clone)]
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
        for (i, arg) in self.args.iter().enumerate() {
            f.write_str(if i > 0 { " " } else { "" })?;
            arg.nested(f)?;
        }
        Ok(())
    }
}

impl Operand {
    /// As part of something larger a pipeline stands in parentheses.
    fn nested(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OperandKind::Pipe(pipe) => write!(f, "({pipe})"),
            _ => write!(f, "{self}"),
        }
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
            OperandKind::Pipe(pipe) => write!(f, "{pipe}"),
            OperandKind::Chain(operand, fields) => {
                operand.nested(f)?;
                fields.iter().try_for_each(|name| write!(f, ".{name}"))
            }
        }
    }
}

impl fmt::Display for TemplateCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote(&self.name))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}
