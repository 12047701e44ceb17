//! Tokens to trees: a recursive-descent parser in the shape of the grammar.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::Error;
use crate::lex::{Tok, Token, tokens};
use crate::node::{Branch, Command, Node, Operand, OperandKind, Pipe, TemplateCall, Tree};
use crate::number::{Number, quote, unquote};

/// Nesting deeper than this is refused; it keeps recursion within any stack.
const NESTING_MAX: usize = 200;

/// Parses `text` into the tree named `name` and the trees it defines.
pub(crate) fn parse(name: &str, text: &str, is_function: &dyn Fn(&str) -> bool) -> Result<Vec<Tree>, Error> {
    let mut parser = Parser {
        parse_name: Arc::from(name),
        text: Arc::from(text),
        tokens: tokens(text),
        at: 0,
        lexed: 0,
        action_line: 0,
        vars: vec!["$".to_owned()],
        range_depth: 0,
        nesting: 0,
        trees: Vec::new(),
        is_function,
    };
    parser.top(name)?;
    Ok(parser.trees)
}

struct Parser<'a> {
    parse_name: Arc<str>,
    text: Arc<str>,
    tokens: Vec<Token>,
    /// The next token to take.
    at: usize,
    /// How far the parser has looked; errors name the line of the furthest token seen.
    lexed: usize,
    action_line: usize,
    vars: Vec<String>,
    range_depth: usize,
    nesting: usize,
    trees: Vec<Tree>,
    is_function: &'a dyn Fn(&str) -> bool,
}

type Parsed<T> = Result<T, Error>;

/// How a list of nodes ended.
#[derive(PartialEq, Clone, Copy)]
enum ListEnd {
    End,
    Else,
}

impl ListEnd {
    fn text(self) -> &'static str {
        match self {
            ListEnd::End => "{{end}}",
            ListEnd::Else => "{{else}}",
        }
    }
}

impl Parser<'_> {
    fn next(&mut self) -> Token {
        // The last token is EOF or an error and repeats for ever.
        let index = self.at.min(self.tokens.len().saturating_sub(1));
        self.at += 1;
        self.lexed = self.lexed.max(self.at);
        self.tokens.get(index).cloned().unwrap_or(Token {
            kind: Tok::Eof,
            pos: 0,
            line: 1,
            val: String::new(),
        })
    }

    fn backup(&mut self) {
        self.at -= 1;
    }

    fn peek(&mut self) -> Token {
        let token = self.next();
        self.backup();
        token
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Tok::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.backup();
        token
    }

    fn fail<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        let index = self.lexed.clamp(1, self.tokens.len().max(1)) - 1;
        let line = self.tokens.get(index).map_or(1, |token| token.line);
        Err(Error::new(format!("template: {}:{line}: {message}", self.parse_name)))
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind != Tok::Error {
            return self.fail(format!("unexpected {} in {context}", token.describe()));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            extra = format!(" in action started at {}:{}", self.parse_name, self.action_line);
            if token.val.ends_with(" action") {
                extra = extra[" in action".len()..].to_owned();
            }
        }
        self.fail(format!("{}{extra}", token.describe()))
    }

    fn expect(&mut self, kind: Tok, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    /// Enters one level of nesting.
    fn deeper(&mut self) -> Parsed<()> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return self.fail(format!("nesting deeper than {NESTING_MAX} levels"));
        }
        Ok(())
    }

    fn top(&mut self, name: &str) -> Parsed<()> {
        let pos = self.peek().pos;
        let mut root = Vec::new();
        loop {
            let token = self.peek();
            match token.kind {
                Tok::Eof => break,
                Tok::LeftDelim => {
                    self.next();
                    if self.next_non_space().kind == Tok::Define {
                        self.definition()?;
                        continue;
                    }
                    self.at = self
                        .tokens
                        .iter()
                        .position(|t| t.pos == token.pos && t.kind == token.kind)
                        .unwrap_or(self.at);
                }
                _ => {}
            }
            match self.text_or_action()? {
                Ok(node) => root.push(node),
                Err(end) => return self.fail(format!("unexpected {}", end.text())),
            }
        }
        self.add(name.to_owned(), pos, root)
    }

    fn add(&mut self, name: String, pos: usize, root: Vec<Node>) -> Parsed<()> {
        let tree = Tree { name, parse_name: self.parse_name.clone(), text: self.text.clone(), pos, root };
        match self.trees.iter_mut().find(|t| t.name == tree.name) {
            None => self.trees.push(tree),
            Some(old) if old.is_empty() => *old = tree,
            Some(_) if tree.is_empty() => {}
            Some(_) => {
                return self.fail(format!("template: multiple definition of template {}", quote(&tree.name)));
            }
        }
        Ok(())
    }

    fn definition(&mut self) -> Parsed<()> {
        let context = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        self.expect(Tok::RightDelim, context)?;
        self.separate_body(name, context)
    }

    /// The body of a `define` or `block`: a template with a scope of its own.
    fn separate_body(&mut self, name: String, context: &str) -> Parsed<()> {
        let outer_vars = std::mem::replace(&mut self.vars, vec!["$".to_owned()]);
        let outer_depth = std::mem::take(&mut self.range_depth);
        let outer_line = std::mem::take(&mut self.action_line);
        let pos = self.peek_non_space().pos;
        let (body, end) = self.list()?;
        self.vars = outer_vars;
        self.range_depth = outer_depth;
        if end != ListEnd::End {
            return self.fail(format!("unexpected {} in {context}", end.text()));
        }
        self.add(name, pos, body)?;
        self.action_line = outer_line;
        Ok(())
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parsed<String> {
        match token.kind {
            Tok::String | Tok::RawString => match unquote(&token.val) {
                Some(name) => Ok(name),
                None => self.fail("invalid syntax"),
            },
            _ => self.unexpected(token, context),
        }
    }

    fn list(&mut self) -> Parsed<(Vec<Node>, ListEnd)> {
        self.deeper()?;
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Tok::Eof {
            match self.text_or_action()? {
                Ok(node) => nodes.push(node),
                Err(end) => {
                    self.nesting -= 1;
                    return Ok((nodes, end));
                }
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Result<Node, ListEnd>> {
        let token = self.next_non_space();
        match token.kind {
            Tok::Text => Ok(Ok(Node::Text(token.val))),
            Tok::LeftDelim => {
                self.action_line = token.line;
                let node = self.action();
                self.action_line = 0;
                node
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Result<Node, ListEnd>> {
        let token = self.next_non_space();
        match token.kind {
            Tok::Block => self.block().map(Ok),
            Tok::Break | Tok::Continue => self.loop_control(&token).map(Ok),
            Tok::Else => {
                let next = self.peek_non_space();
                if !matches!(next.kind, Tok::If | Tok::With) {
                    self.expect(Tok::RightDelim, "else")?;
                }
                Ok(Err(ListEnd::Else))
            }
            Tok::End => {
                self.expect(Tok::RightDelim, "end")?;
                Ok(Err(ListEnd::End))
            }
            Tok::If => Ok(Ok(Node::If(self.branch("if")?))),
            Tok::Range => Ok(Ok(Node::Range(self.branch("range")?))),
            Tok::With => Ok(Ok(Node::With(self.branch("with")?))),
            Tok::Template => self.template_call().map(Ok),
            _ => {
                self.backup();
                Ok(Ok(Node::Action(self.pipeline("command", Tok::RightDelim)?)))
            }
        }
    }

    fn loop_control(&mut self, word: &Token) -> Parsed<Node> {
        let token = self.next_non_space();
        if token.kind != Tok::RightDelim {
            return self.unexpected(&token, &format!("{{{{{}}}}}", word.val));
        }
        if self.range_depth == 0 {
            return self.fail(format!("{{{{{}}}}} outside {{{{range}}}}", word.val));
        }
        Ok(if word.kind == Tok::Break { Node::Break(word.pos) } else { Node::Continue(word.pos) })
    }

    fn branch(&mut self, context: &str) -> Parsed<Branch> {
        self.deeper()?;
        let vars = self.vars.len();
        let pipe = self.pipeline(context, Tok::RightDelim)?;
        if context == "range" {
            self.range_depth += 1;
        }
        let (body, end) = self.list()?;
        if context == "range" {
            self.range_depth -= 1;
        }
        let mut otherwise = Vec::new();
        if end == ListEnd::Else {
            let next = self.peek().kind;
            if context == "if" && next == Tok::If {
                self.next();
                otherwise.push(Node::If(self.branch("if")?));
            } else if context == "with" && next == Tok::With {
                self.next();
                otherwise.push(Node::With(self.branch("with")?));
            } else {
                let (nodes, end) = self.list()?;
                otherwise = nodes;
                if end != ListEnd::End {
                    return self.fail(format!("expected end; found {}", end.text()));
                }
            }
        }
        self.vars.truncate(vars);
        self.nesting -= 1;
        Ok(Branch { pipe, body, otherwise })
    }

    fn block(&mut self) -> Parsed<Node> {
        let context = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let pipe = self.pipeline(context, Tok::RightDelim)?;
        self.separate_body(name.clone(), context)?;
        Ok(Node::Template(TemplateCall { pos: token.pos, name, pipe: Some(pipe) }))
    }

    fn template_call(&mut self) -> Parsed<Node> {
        let context = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let mut pipe = None;
        if self.next_non_space().kind != Tok::RightDelim {
            self.backup();
            pipe = Some(self.pipeline(context, Tok::RightDelim)?);
        }
        Ok(Node::Template(TemplateCall { pos: token.pos, name, pipe }))
    }

    fn pipeline(&mut self, context: &str, end: Tok) -> Parsed<Pipe> {
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe { pos, variables: Vec::new(), is_assign: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                Tok::Bool
                | Tok::CharConstant
                | Tok::Dot
                | Tok::Field
                | Tok::Identifier
                | Tok::Number
                | Tok::Nil
                | Tok::RawString
                | Tok::String
                | Tok::Variable
                | Tok::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// `$x :=`, `$x =`, or in a range `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        loop {
            let start = self.at;
            let variable = self.next_non_space();
            if variable.kind != Tok::Variable {
                self.at = start;
                return Ok(());
            }
            let next = self.next_non_space();
            match next.kind {
                Tok::Assign | Tok::Declare => {
                    pipe.is_assign = next.kind == Tok::Assign;
                    pipe.variables.push(variable.val.clone());
                    self.vars.push(variable.val);
                    return Ok(());
                }
                Tok::Char if next.val == "," => {
                    pipe.variables.push(variable.val.clone());
                    self.vars.push(variable.val);
                    if context == "range" && pipe.variables.len() < 2 {
                        match self.peek_non_space().kind {
                            Tok::Variable | Tok::RightDelim | Tok::RightParen => continue,
                            _ => return self.fail("range can only initialize variables"),
                        }
                    }
                    return self.fail(format!("too many declarations in {context}"));
                }
                _ => {
                    self.at = start;
                    return Ok(());
                }
            }
        }
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            if let Some(OperandKind::Bool(_) | OperandKind::Dot | OperandKind::Nil)
            | Some(OperandKind::Number(_) | OperandKind::Str(..)) =
                command.args.first().map(|operand| &operand.kind)
            {
                return self.fail(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let pos = self.peek_non_space().pos;
        let mut args = Vec::new();
        loop {
            // Leading blanks belong to nobody.
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Tok::Space => continue,
                Tok::RightDelim | Tok::RightParen => self.backup(),
                Tok::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if args.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { pos, args })
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(mut operand) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != Tok::Field {
            return Ok(Some(operand));
        }
        let mut fields = Vec::new();
        while self.peek().kind == Tok::Field {
            let token = self.next();
            fields.push(token.val.trim_start_matches('.').to_owned());
        }
        match &mut operand.kind {
            OperandKind::Field(names) | OperandKind::Variable(names) => {
                names.append(&mut fields);
                operand.pos = first.pos;
            }
            OperandKind::Identifier(_) | OperandKind::Pipe(_) | OperandKind::Chain(..) => {
                operand = Operand { pos: first.pos, kind: OperandKind::Chain(Box::new(operand), fields) };
            }
            _ => return self.fail(format!("unexpected . after term {}", quote(&operand.to_string()))),
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            Tok::Identifier => {
                if !(self.is_function)(&token.val) {
                    return self.fail(format!("function {} not defined", quote(&token.val)));
                }
                OperandKind::Identifier(token.val)
            }
            Tok::Dot => OperandKind::Dot,
            Tok::Nil => OperandKind::Nil,
            Tok::Variable => {
                if !self.vars.contains(&token.val) {
                    return self.fail(format!("undefined variable {}", quote(&token.val)));
                }
                OperandKind::Variable(vec![token.val])
            }
            Tok::Field => OperandKind::Field(vec![token.val.trim_start_matches('.').to_owned()]),
            Tok::Bool => OperandKind::Bool(token.val == "true"),
            Tok::Number => match Number::parse(&token.val) {
                Ok(number) => OperandKind::Number(number),
                Err(message) => return self.fail(message),
            },
            Tok::CharConstant => match Number::parse_char(&token.val) {
                Ok(number) => OperandKind::Number(number),
                Err(message) => return self.fail(message),
            },
            Tok::LeftParen => {
                self.deeper()?;
                let pipe = self.pipeline("parenthesized pipeline", Tok::RightParen)?;
                self.nesting -= 1;
                OperandKind::Pipe(pipe)
            }
            Tok::String | Tok::RawString => match unquote(&token.val) {
                Some(text) => OperandKind::Str(token.val, Arc::from(text)),
                None => return self.fail("invalid syntax"),
            },
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(Operand { pos: token.pos, kind }))
    }
}

/// Names a template body calls, so that a set can be checked for missing ones.
pub(crate) fn called(nodes: &[Node], out: &mut HashSet<String>) {
    for node in nodes {
        match node {
            Node::Template(call) => {
                out.insert(call.name.clone());
            }
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                called(&branch.body, out);
                called(&branch.otherwise, out);
            }
            _ => {}
        }
    }
}
