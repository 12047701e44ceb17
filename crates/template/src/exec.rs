//! Walking a tree with data.
//!
//! Errors name the node that failed as the original does:
//! `template: file:line:column: executing "name" at <node>: reason`.

use crate::compare;
use crate::error::Error;
use crate::functions::{Call, Function, Kind};
use crate::node::{Branch, Command, Node, Operand, OperandKind, Pipe, Tree};
use crate::number::{Number, quote};
use crate::printf::display;
use crate::set::Set;
use crate::time;
use crate::value::Value;

/// Templates calling templates deeper than this are taken for endless recursion. Go allows 100,000
/// frames on its growing stacks; real sets stay below twenty.
const CALL_DEPTH_MAX: usize = 100;

/// Output and work of one execution are bounded, because `range` multiplies.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// Where output goes.
pub(crate) trait Sink {
    fn literal(&mut self, text: &str);
    fn value(&mut self, value: &Value);
    fn written(&self) -> usize;
}

impl Sink for String {
    fn literal(&mut self, text: &str) {
        self.push_str(text);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Nil => self.push_str("<no value>"),
            value => self.push_str(&display(value)),
        }
    }

    fn written(&self) -> usize {
        self.len()
    }
}

pub(crate) fn execute(set: &Set, name: &str, data: &Value, out: &mut dyn Sink) -> Result<(), Error> {
    execute_at(set, name, data, data, out, 0)
}

fn execute_at(
    set: &Set,
    name: &str,
    data: &Value,
    root: &Value,
    out: &mut dyn Sink,
    depth: usize,
) -> Result<(), Error> {
    let Some(tree) = set.tree(name) else {
        return Err(Error::new(format!(
            "template: no template {} associated with template {}",
            quote(name),
            quote(name)
        )));
    };
    let mut run = Run { set, tree, vars: vec![("$".into(), data.clone())], out, root, depth };
    run.list(&tree.root, data).map(|_| ())
}

struct Run<'a, 'o> {
    set: &'a Set,
    tree: &'a Tree,
    vars: Vec<(String, Value)>,
    out: &'o mut dyn Sink,
    root: &'a Value,
    depth: usize,
}

type Done<T> = Result<T, Error>;

/// What a body told the loop around it.
#[derive(PartialEq)]
enum Flow {
    Normal,
    Break,
    Continue,
}

impl<'a> Run<'a, '_> {
    fn fail<T>(&self, pos: usize, node: &dyn std::fmt::Display, message: impl std::fmt::Display) -> Done<T> {
        let mut context = node.to_string();
        if context.len() > 20 {
            context = context.chars().take(20).collect::<String>() + "...";
        }
        Err(Error::new(format!(
            "template: {}: executing {} at <{context}>: {message}",
            self.tree.location(pos),
            quote(&self.tree.name),
        )))
    }

    fn fail_at<T>(&self, operand: &Operand, message: impl std::fmt::Display) -> Done<T> {
        self.fail(operand.pos, operand, message)
    }

    fn list(&mut self, nodes: &'a [Node], dot: &Value) -> Done<Flow> {
        for node in nodes {
            match self.node(node, dot)? {
                Flow::Normal => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Normal)
    }

    fn node(&mut self, node: &'a Node, dot: &Value) -> Done<Flow> {
        match node {
            Node::Text(text) => self.out.literal(text),
            Node::Action(pipe) => {
                let value = self.pipeline(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.out.value(&value);
                }
            }
            Node::If(branch) => return self.branch(branch, dot, false),
            Node::With(branch) => return self.branch(branch, dot, true),
            Node::Range(branch) => return self.range(branch, dot),
            Node::Template { pos, name, pipe } => self.template(*pos, name, pipe.as_ref(), dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        if self.out.written() > OUTPUT_BYTES_MAX {
            return Err(Error::new(format!(
                "template: {}: output exceeds {OUTPUT_BYTES_MAX} bytes",
                self.tree.name
            )));
        }
        Ok(Flow::Normal)
    }

    fn branch(&mut self, branch: &'a Branch, dot: &Value, with: bool) -> Done<Flow> {
        let mark = self.vars.len();
        let value = self.pipeline(&branch.pipe, dot)?;
        let flow = if value.truth() {
            self.list(&branch.body, if with { &value } else { dot })
        } else {
            self.list(&branch.otherwise, dot)
        };
        self.vars.truncate(mark);
        flow
    }

    fn range(&mut self, branch: &'a Branch, dot: &Value) -> Done<Flow> {
        let outer = self.vars.len();
        let value = self.pipeline(&branch.pipe, dot)?.flatten();
        let mark = self.vars.len();
        let flow = self.iterate(branch, dot, &value, mark);
        self.vars.truncate(outer);
        flow
    }

    fn iterate(&mut self, branch: &'a Branch, dot: &Value, value: &Value, mark: usize) -> Done<Flow> {
        let mut any = false;
        let mut once = |run: &mut Self, key: Value, item: Value| -> Done<bool> {
            any = true;
            run.bind(&branch.pipe, mark, key, &item);
            let flow = run.list(&branch.body, &item)?;
            run.vars.truncate(mark);
            Ok(flow == Flow::Break)
        };
        match value {
            Value::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    if once(self, Value::Int(i as i64), item.clone())? {
                        break;
                    }
                }
            }
            Value::StrMap(map) => {
                for (key, item) in map.iter() {
                    if once(self, Value::str(key), Value::str(item))? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, item) in map.iter() {
                    if once(self, Value::str(key), item.clone())? {
                        break;
                    }
                }
            }
            Value::Int(n) => {
                for i in 0..*n {
                    if once(self, Value::Int(i), Value::Int(i))? || self.out.written() > OUTPUT_BYTES_MAX {
                        break;
                    }
                }
            }
            Value::Nil => {}
            other => {
                return self.fail(branch.pos, branch, format!("range can't iterate over {}", display(other)));
            }
        }
        if any { Ok(Flow::Normal) } else { self.list(&branch.otherwise, dot) }
    }

    /// Gives the loop variables this iteration's values. `mark` is the number of variables before the body.
    fn bind(&mut self, pipe: &Pipe, mark: usize, key: Value, item: &Value) {
        let count = pipe.variables.len();
        for (i, name) in pipe.variables.iter().enumerate() {
            let value = if i + 1 == count { item.clone() } else { key.clone() };
            if pipe.is_assign {
                self.assign(name, value);
            } else if let Some(slot) = self.vars.get_mut(mark - count + i) {
                slot.1 = value;
            }
        }
    }

    fn assign(&mut self, name: &str, value: Value) {
        if let Some(slot) = self.vars.iter_mut().rev().find(|(n, _)| n == name) {
            slot.1 = value;
        }
    }

    fn template(&mut self, pos: usize, name: &str, pipe: Option<&'a Pipe>, dot: &Value) -> Done<()> {
        let shown = match pipe {
            Some(pipe) => format!("{{{{template {} {pipe}}}}}", quote(name)),
            None => format!("{{{{template {}}}}}", quote(name)),
        };
        if self.set.tree(name).is_none() {
            return self.fail(pos, &shown, format!("template {} not defined", quote(name)));
        }
        if self.depth >= CALL_DEPTH_MAX {
            return self.fail(pos, &shown, format!("exceeded maximum template depth ({CALL_DEPTH_MAX})"));
        }
        let data = match pipe {
            Some(pipe) => self.pipeline(pipe, dot)?,
            None => Value::Nil,
        };
        execute_at(self.set, name, &data, self.root, self.out, self.depth + 1)
    }

    fn pipeline(&mut self, pipe: &'a Pipe, dot: &Value) -> Done<Value> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or_default();
        for name in &pipe.variables {
            if pipe.is_assign {
                self.assign(name, value.clone());
            } else {
                self.vars.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, command: &'a Command, dot: &Value, last: Option<Value>) -> Done<Value> {
        let Some((first, args)) = command.args.split_first() else {
            return Ok(Value::Nil);
        };
        match &first.kind {
            OperandKind::Field(fields) => return self.fields(first, dot, dot, fields, args, last),
            OperandKind::Variable(parts) => return self.variable(first, parts, dot, args, last),
            OperandKind::Chain(operand, fields) => {
                let receiver = self.argument(operand, Kind::Any, dot)?;
                return self.fields(first, dot, &receiver, fields, args, last);
            }
            OperandKind::Identifier(name) => {
                return self.function(first, Some(command), name, args, dot, last);
            }
            _ => {}
        }
        if !args.is_empty() || last.is_some() {
            return self.fail_at(first, format!("can't give argument to non-function {first}"));
        }
        match &first.kind {
            OperandKind::Pipe(pipe) => self.pipeline(pipe, dot),
            OperandKind::Bool(b) => Ok(Value::Bool(*b)),
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Number(number) => self.constant(first, number),
            OperandKind::Str(_, text) => Ok(Value::Str(text.clone())),
            _ => self.fail_at(first, "nil is not a command"),
        }
    }

    fn constant(&self, at: &Operand, number: &Number) -> Done<Value> {
        match (number.prefers_float, number.int, number.float) {
            (false, Some(n), _) => Ok(Value::Int(n)),
            (_, _, Some(v)) => Ok(Value::Float(v)),
            _ => self.fail_at(at, format!("{} overflows int", number.text)),
        }
    }

    fn variable(
        &mut self,
        at: &'a Operand,
        parts: &'a [String],
        dot: &Value,
        args: &'a [Operand],
        last: Option<Value>,
    ) -> Done<Value> {
        let Some((name, fields)) = parts.split_first() else {
            return Ok(Value::Nil);
        };
        let Some(value) = self.vars.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone()) else {
            return self.fail_at(at, format!("undefined variable: {name}"));
        };
        if !fields.is_empty() {
            return self.fields(at, dot, &value, fields, args, last);
        }
        if !args.is_empty() || last.is_some() {
            return self.fail_at(at, format!("can't give argument to non-function {at}"));
        }
        Ok(value)
    }

    /// `receiver.a.b args… last`: only the final name may be a method with arguments.
    fn fields(
        &mut self,
        at: &'a Operand,
        dot: &Value,
        receiver: &Value,
        fields: &[String],
        args: &'a [Operand],
        last: Option<Value>,
    ) -> Done<Value> {
        let Some((final_name, inner)) = fields.split_last() else {
            return Ok(receiver.clone());
        };
        let mut value = receiver.clone();
        for (i, name) in inner.iter().enumerate() {
            value = self.field(at, &value, name, &[], i == 0)?;
        }
        let mut evaluated = Vec::with_capacity(args.len() + 1);
        for arg in args {
            evaluated.push(self.argument(arg, Kind::Any, dot)?);
        }
        evaluated.extend(last);
        self.field(at, &value, final_name, &evaluated, inner.is_empty())
    }

    fn field(&self, at: &Operand, receiver: &Value, name: &str, args: &[Value], first: bool) -> Done<Value> {
        let missing = || {
            let message = format!("can't evaluate field {name} in type {}", receiver.type_name());
            self.fail_at(at, message)
        };
        let called = |result: Result<Value, String>| {
            result.or_else(|message| self.fail_at(at, format!("error calling {name}: {message}")))
        };
        let value = match receiver {
            Value::Nil if first => return Ok(Value::Nil),
            Value::Nil => return self.fail_at(at, format!("nil pointer evaluating interface {{}}.{name}")),
            Value::Object(object) => {
                if let Some(result) = object.method(name, args) {
                    return called(result);
                }
                match object.field(name) {
                    Some(value) => value,
                    None => match object.underlying() {
                        Some(map @ (Value::StrMap(_) | Value::Map(_))) => {
                            return self.field(at, &map, name, args, first);
                        }
                        _ => return missing(),
                    },
                }
            }
            Value::Time(t) => match time::time_method(t, name, args) {
                Some(result) => return called(result),
                None => return missing(),
            },
            Value::Duration(d) => match time::duration_method(*d, name) {
                Some(value) => value,
                None => return missing(),
            },
            Value::StrMap(map) => Value::str(map.get(name).map_or("", String::as_str)),
            Value::Map(map) => map.get(name).cloned().unwrap_or_default(),
            _ => return missing(),
        };
        if args.is_empty() {
            return Ok(value);
        }
        match receiver {
            Value::StrMap(_) | Value::Map(_) => {
                self.fail_at(at, format!("{name} is not a method but has arguments"))
            }
            _ => self.fail_at(at, format!("{name} has arguments but cannot be invoked as function")),
        }
    }

    fn function(
        &mut self,
        at: &'a Operand,
        command: Option<&'a Command>,
        name: &str,
        args: &'a [Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Done<Value> {
        let given = args.len() + usize::from(last.is_some());
        if matches!(name, "and" | "or") {
            return self.and_or(at, name, args, dot, last, given);
        }
        let set = self.set;
        let Some(function) = set.functions().get(name) else {
            return self.fail_at(at, format!("{} is not a defined function", quote(name)));
        };
        self.check_count(at, name, function, given)?;
        let kind_of = |i: usize| function.params.get(i).copied().or(function.rest).unwrap_or(Kind::Any);
        let mut values = Vec::with_capacity(given);
        for (i, arg) in args.iter().enumerate() {
            values.push(self.argument(arg, kind_of(i), dot)?);
        }
        if let Some(last) = last {
            values.push(self.check_kind(at, last, kind_of(args.len()))?);
        }
        let depth = self.depth;
        let (root, run_depth) = (self.root, depth + 1);
        let run = |template: &str, data: &Value| -> Result<String, Error> {
            if run_depth > CALL_DEPTH_MAX {
                return Err(Error::new(format!("exceeded maximum template depth ({CALL_DEPTH_MAX})")));
            }
            let mut out = String::new();
            execute_at(set, template, data, root, &mut out, run_depth)?;
            Ok(out)
        };
        let call = Call { args: &values, root, run: &run };
        (function.body)(&call).or_else(|message| {
            let message = format!("error calling {name}: {message}");
            match command {
                Some(command) => self.fail(at.pos, command, message),
                None => self.fail_at(at, message),
            }
        })
    }

    fn check_count(&self, at: &Operand, name: &str, function: &Function, given: usize) -> Done<()> {
        let fixed = function.params.len();
        match function.rest {
            Some(_) if given < fixed => self
                .fail_at(at, format!("wrong number of args for {name}: want at least {fixed} got {given}")),
            None if given != fixed => {
                self.fail_at(at, format!("wrong number of args for {name}: want {fixed} got {given}"))
            }
            _ => Ok(()),
        }
    }

    /// The first argument that decides, or the last one; later ones are not evaluated.
    fn and_or(
        &mut self,
        at: &'a Operand,
        name: &str,
        args: &'a [Operand],
        dot: &Value,
        last: Option<Value>,
        given: usize,
    ) -> Done<Value> {
        if given == 0 {
            return self.fail_at(at, format!("wrong number of args for {name}: want at least 1 got 0"));
        }
        let mut value = Value::Nil;
        for arg in args {
            value = self.argument(arg, Kind::Any, dot)?;
            if value.truth() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn argument(&mut self, operand: &'a Operand, kind: Kind, dot: &Value) -> Done<Value> {
        let value = match &operand.kind {
            OperandKind::Dot => dot.clone(),
            OperandKind::Field(fields) => self.fields(operand, dot, dot, fields, &[], None)?,
            OperandKind::Variable(parts) => self.variable(operand, parts, dot, &[], None)?,
            OperandKind::Pipe(pipe) => self.pipeline(pipe, dot)?,
            OperandKind::Identifier(name) => self.function(operand, None, name, &[], dot, None)?,
            OperandKind::Chain(inner, fields) => {
                let receiver = self.argument(inner, Kind::Any, dot)?;
                self.fields(operand, dot, &receiver, fields, &[], None)?
            }
            OperandKind::Nil if kind == Kind::Any => return Ok(Value::Nil),
            OperandKind::Nil => {
                return self.fail_at(operand, format!("cannot assign nil to {}", kind.name()));
            }
            OperandKind::Number(number) => return self.number(operand, number, kind),
            OperandKind::Bool(b) => match kind {
                Kind::Any | Kind::Bool => return Ok(Value::Bool(*b)),
                _ => return self.expected(operand, kind),
            },
            OperandKind::Str(_, text) => match kind {
                Kind::Any | Kind::Str => return Ok(Value::Str(text.clone())),
                _ => return self.expected(operand, kind),
            },
        };
        self.check_kind(operand, value, kind)
    }

    fn number(&self, operand: &Operand, number: &Number, kind: Kind) -> Done<Value> {
        match (kind, number.int, number.float) {
            (Kind::Any, ..) => self.constant(operand, number),
            (Kind::Int, Some(n), _) => Ok(Value::Int(n)),
            (Kind::Duration, Some(n), _) => Ok(Value::Duration(time::Duration(n))),
            (Kind::Float, _, Some(v)) => Ok(Value::Float(v)),
            _ => self.expected(operand, kind),
        }
    }

    fn expected<T>(&self, operand: &Operand, kind: Kind) -> Done<T> {
        let wanted = match kind {
            Kind::Int | Kind::Duration => "integer",
            Kind::Float => "float",
            Kind::Str => "string",
            Kind::Bool => "bool",
            Kind::Time | Kind::Any => {
                return self
                    .fail_at(operand, format!("can't handle {operand} for arg of type {}", kind.name()));
            }
        };
        self.fail_at(operand, format!("expected {wanted}; found {operand}"))
    }

    fn check_kind(&self, at: &Operand, value: Value, kind: Kind) -> Done<Value> {
        let fits = match (kind, &value) {
            (Kind::Any, _)
            | (Kind::Bool, Value::Bool(_))
            | (Kind::Int, Value::Int(_))
            | (Kind::Float, Value::Float(_))
            | (Kind::Str, Value::Str(_))
            | (Kind::Time, Value::Time(_))
            | (Kind::Duration, Value::Duration(_)) => true,
            (Kind::Str, Value::Url(url)) => return Ok(Value::Str(url.clone())),
            // Integer kinds convert into each other.
            (Kind::Int, Value::Duration(d)) => return Ok(Value::Int(d.0)),
            (Kind::Duration, Value::Int(n)) => return Ok(Value::Duration(time::Duration(*n))),
            (_, Value::Nil) => {
                return self.fail_at(at, format!("invalid value; expected {}", kind.name()));
            }
            _ => false,
        };
        if fits {
            return Ok(value);
        }
        self.fail_at(at, format!("wrong type for value; expected {}; got {}", kind.name(), value.type_name()))
    }
}

/// `eq` and friends, shared with the built-in table.
pub(crate) use compare::install as install_comparisons;
