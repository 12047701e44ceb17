//! Following a page through the branches and calls of its templates.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::context::{Context, Delim, Fault, JsCtx, State, UrlPart};
use super::pipeline::{ensure_escaped, is_predefined};
use super::{install, transition};
use crate::error::Error;
use crate::functions::Functions;
use crate::node::{Branch, Command, Node, Pipe, TemplateCall, Tree};
use crate::number::quote;
use crate::set::Set;

/// Loop bodies are read twice, so nested loops cost powers of two; this ends such games.
const STEPS_MAX: usize = 200_000;

/// Bodies in bodies and templates in templates.
const DEPTH_MAX: usize = 300;

/// The set with escapers in the pipelines of `name` and of all it calls.
pub(crate) fn escape(set: &Set, name: &str) -> Result<Set, Error> {
    if set.tree(name).is_none() {
        return Err(Error::new(format!("html/template: {} is undefined", quote(name))));
    }
    let mut escaper = Escaper { set, found: Findings::default(), loops: Vec::new(), steps: 0, depth: 0 };
    let (c, _) = escaper.template(Context::default(), None, name);
    let fault = match &c.fault {
        Some(fault) => Some((**fault).clone()),
        None if c.state != State::Text => {
            Some(Fault { location: None, line: 0, description: format!("ends in a non-text context: {c}") })
        }
        None => None,
    };
    if let Some(fault) = fault {
        return Err(Error::new(fault.text(name)));
    }
    let Findings { output, derived, edits, .. } = escaper.found;
    let mut functions = Functions::clone(&set.functions_shared());
    install(&mut functions);
    let trees = output.keys().filter_map(|name| derived.get(name).cloned().or_else(|| set.shared_tree(name)));
    let trees = trees.map(|tree| edited(&tree, &edits)).collect();
    Ok(set.with(trees, Arc::new(functions)))
}

/// What happens to a node.
#[derive(Clone)]
enum Edit {
    /// Functions for the end of an action's pipeline.
    Escapers(Vec<&'static str>),
    /// Another version of the called template.
    Callee(String),
    /// Text without comments, with stray `<` escaped.
    Text(String),
}

/// Nodes are known by their address: trees are shared and do not move while they are being read.
type Edits = HashMap<usize, Edit>;

fn key(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

fn edited(tree: &Tree, edits: &Edits) -> Tree {
    Tree { root: edited_list(&tree.root, edits), ..tree.clone() }
}

fn edited_list(nodes: &[Node], edits: &Edits) -> Vec<Node> {
    let branch = |branch: &Branch| Branch {
        pipe: branch.pipe.clone(),
        body: edited_list(&branch.body, edits),
        otherwise: edited_list(&branch.otherwise, edits),
    };
    let nodes = nodes.iter().map(|node| match (node, edits.get(&key(node))) {
        (Node::Action(pipe), Some(Edit::Escapers(escapers))) => {
            let mut pipe = pipe.clone();
            ensure_escaped(&mut pipe, escapers);
            Node::Action(pipe)
        }
        (Node::Template(call), Some(Edit::Callee(name))) => {
            Node::Template(TemplateCall { name: name.clone(), ..call.clone() })
        }
        (Node::Text(_), Some(Edit::Text(text))) => Node::Text(text.clone()),
        (Node::If(inner), _) => Node::If(branch(inner)),
        (Node::With(inner), _) => Node::With(branch(inner)),
        (Node::Range(inner), _) => Node::Range(branch(inner)),
        (node, _) => node.clone(),
    });
    nodes.collect()
}

/// What was found out so far. A template that calls itself is read under assumptions; what is found then
/// counts only when they turn out right.
#[derive(Default)]
struct Findings {
    /// Templates (under their names in context) and where they end.
    output: BTreeMap<String, Context>,
    /// Versions of templates for other contexts than text.
    derived: BTreeMap<String, Arc<Tree>>,
    called: BTreeSet<String>,
    edits: Edits,
}

/// Where the breaks and continues of one loop leave it.
#[derive(Default, Clone)]
struct Loop {
    breaks: Vec<(Context, usize)>,
    continues: Vec<(Context, usize)>,
}

struct Escaper<'s> {
    set: &'s Set,
    found: Findings,
    /// The loops around, innermost last.
    loops: Vec<Loop>,
    steps: usize,
    depth: usize,
}

/// A fault at a place in a template.
fn fault_at(tree: &Tree, pos: usize, description: String) -> Context {
    Context::fault(Fault { location: Some(tree.location(pos)), line: 0, description })
}

/// The fault of `c`, told as part of something larger.
fn explained(c: &Context, line: usize, prefix: &str) -> Context {
    match &c.fault {
        Some(fault) => Context::fault(Fault {
            location: fault.location.clone(),
            line,
            description: format!("{prefix}{}", fault.description),
        }),
        None => c.clone(),
    }
}

/// The context after two branches meet; an error when they do not.
fn join(a: &Context, b: &Context, tree: &Tree, pos: usize, what: &str) -> Context {
    match (a.state, b.state) {
        (State::Error, _) | (_, State::Dead) => return a.clone(),
        (_, State::Error) | (State::Dead, _) => return b.clone(),
        _ if a == b => return a.clone(),
        _ => {}
    }
    let mut c = Context { url_part: b.url_part, ..a.clone() };
    if c == *b {
        c.url_part = UrlPart::Unknown;
        return c;
    }
    let mut c = Context { js_ctx: b.js_ctx, ..a.clone() };
    if c == *b {
        c.js_ctx = JsCtx::Unknown;
        return c;
    }
    // One of them may stand right before a value: `<p {{if .}}checked{{end}}>`.
    let (c, d) = (a.clone().nudge(), b.clone().nudge());
    if !(c == *a && d == *b) {
        let joined = join(&c, &d, tree, pos, what);
        if joined.state != State::Error {
            return joined;
        }
    }
    fault_at(tree, pos, format!("{{{{{what}}}}} branches end in different contexts: {a}, {b}"))
}

impl Escaper<'_> {
    fn tree(&self, name: &str) -> Option<Arc<Tree>> {
        self.set.shared_tree(name).or_else(|| self.found.derived.get(name).cloned())
    }

    /// Where a template ends that begins in `c`, and the name of its version for that.
    fn template(&mut self, c: Context, caller: Option<(&Tree, usize)>, name: &str) -> (Context, String) {
        let version = c.mangle(name);
        self.found.called.insert(version.clone());
        if let Some(out) = self.found.output.get(&version) {
            return (out.clone(), version);
        }
        let Some(tree) = self.tree(name) else {
            let description = format!("no such template {}", quote(name));
            let c = match caller {
                Some((tree, pos)) => fault_at(tree, pos, description),
                None => Context::broken(description),
            };
            return (c, version);
        };
        let tree = if version == name {
            tree
        } else {
            let known = self.tree(&version);
            let derived =
                known.unwrap_or_else(|| Arc::new(Tree { name: version.clone(), ..(*tree).clone() }));
            self.found.derived.insert(version.clone(), derived.clone());
            derived
        };
        (self.template_end(&c, &tree), version)
    }

    fn template_end(&mut self, c: &Context, tree: &Arc<Tree>) -> Context {
        // First guess: it ends where it begins. Second guess: where the first one led.
        let (first, ok) = self.template_body(c, c, tree);
        if ok {
            return first;
        }
        let (second, ok) = self.template_body(&first, &first, tree);
        if ok {
            return second;
        }
        if first.state == State::Error {
            return first;
        }
        let description = format!("cannot compute output context for template {}", tree.name);
        fault_at(tree, tree.pos, description)
    }

    /// Reads a body under the assumption that calls of it end in `assumed`.
    fn template_body(&mut self, c: &Context, assumed: &Context, tree: &Arc<Tree>) -> (Context, bool) {
        self.found.output.insert(tree.name.clone(), assumed.clone());
        self.tentatively(|escaper| {
            let end = escaper.list(c.clone(), &tree.root, tree);
            let holds =
                end.state != State::Error && (!escaper.found.called.contains(&tree.name) || end == *assumed);
            (end, holds)
        })
    }

    /// Runs `read`, and keeps what it found only when it says so.
    fn tentatively(&mut self, read: impl FnOnce(&mut Self) -> (Context, bool)) -> (Context, bool) {
        let inner = Findings { output: self.found.output.clone(), ..Findings::default() };
        let outer = std::mem::replace(&mut self.found, inner);
        let (c, keep) = read(self);
        let inner = std::mem::replace(&mut self.found, outer);
        if keep {
            self.found.output.extend(inner.output);
            self.found.derived.extend(inner.derived);
            self.found.called.extend(inner.called);
            self.found.edits.extend(inner.edits);
        }
        (c, keep)
    }

    fn list(&mut self, mut c: Context, nodes: &[Node], tree: &Arc<Tree>) -> Context {
        if self.depth >= DEPTH_MAX {
            return Context::broken(format!("templates nest deeper than {DEPTH_MAX} levels"));
        }
        self.depth += 1;
        for node in nodes {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                c = Context::broken(format!("escaping takes more than {STEPS_MAX} steps"));
                break;
            }
            c = self.node(c, node, tree);
            if c.state == State::Dead {
                break;
            }
        }
        self.depth -= 1;
        c
    }

    fn node(&mut self, c: Context, node: &Node, tree: &Arc<Tree>) -> Context {
        match node {
            Node::Text(text) => self.text(c, node, text),
            Node::Action(pipe) => self.action(c, node, pipe, tree),
            Node::If(branch) => self.branch(c, branch, tree, "if"),
            Node::With(branch) => self.branch(c, branch, tree, "with"),
            Node::Range(branch) => self.range(c, branch, tree),
            Node::Template(call) => {
                let (c, version) = self.template(c, Some((tree, call.pos)), &call.name);
                if version != call.name {
                    self.found.edits.insert(key(node), Edit::Callee(version));
                }
                c
            }
            Node::Break(pos) => {
                if let Some(inner) = self.loops.last_mut() {
                    inner.breaks.push((c, *pos));
                }
                Context::of(State::Dead)
            }
            Node::Continue(pos) => {
                if let Some(inner) = self.loops.last_mut() {
                    inner.continues.push((c, *pos));
                }
                Context::of(State::Dead)
            }
        }
    }

    fn branch(&mut self, c: Context, branch: &Branch, tree: &Arc<Tree>, what: &str) -> Context {
        let yes = self.list(c.clone(), &branch.body, tree);
        let no = self.list(c, &branch.otherwise, tree);
        join(&yes, &no, tree, branch.pipe.pos, what)
    }

    /// A loop's body must end where it can begin again.
    fn range(&mut self, c: Context, branch: &Branch, tree: &Arc<Tree>) -> Context {
        let pos = branch.pipe.pos;
        self.loops.push(Loop::default());
        let once = self.list(c.clone(), &branch.body, tree);
        let inner = self.loops.pop().unwrap_or_default();
        let once = join_loop(once, &inner, tree);
        if once.state == State::Error {
            return once;
        }
        self.loops.push(Loop::default());
        let (twice, _) = self.tentatively(|escaper| (escaper.list(once.clone(), &branch.body, tree), false));
        let inner = self.loops.pop().unwrap_or_default();
        let many = join(&once, &twice, tree, pos, "range");
        if many.state == State::Error {
            return explained(&many, tree.line(pos), "on range loop re-entry: ");
        }
        let many = join_loop(many, &inner, tree);
        if many.state == State::Error {
            return many;
        }
        let none = self.list(c, &branch.otherwise, tree);
        join(&many, &none, tree, pos, "range")
    }

    fn action(&mut self, c: Context, node: &Node, pipe: &Pipe, tree: &Arc<Tree>) -> Context {
        if !pipe.variables.is_empty() {
            // Nothing is printed.
            return c;
        }
        let mut c = c.nudge();
        let unquoted = c.state == State::Attr && c.delim == Delim::SpaceOrTagEnd;
        for (i, name) in pipe.commands.iter().map(Command::identifier).enumerate() {
            let Some(name) = name.filter(|name| is_predefined(name)) else { continue };
            // In the middle of a pipeline its work would be undone, and `html` leaves blanks as they are.
            if i + 1 < pipe.commands.len() || (unquoted && name == "html") {
                let message = format!("predefined escaper {} disallowed in template", quote(name));
                return fault_at(tree, pipe.pos, message);
            }
        }
        let mut escapers = Vec::with_capacity(3);
        match c.state {
            State::Error => return c,
            State::URL
            | State::CSSDqStr
            | State::CSSSqStr
            | State::CSSDqURL
            | State::CSSSqURL
            | State::CSSURL => {
                if c.url_part == UrlPart::None {
                    escapers.push("_html_template_urlfilter");
                }
                escapers.push(match (c.url_part, c.state) {
                    (UrlPart::Unknown, _) => {
                        let message = format!("{{{{{pipe}}}}} appears in an ambiguous context within a URL");
                        return fault_at(tree, pipe.pos, message);
                    }
                    (UrlPart::QueryOrFrag, _) => "_html_template_urlescaper",
                    (_, State::CSSDqStr | State::CSSSqStr) => "_html_template_cssescaper",
                    _ => "_html_template_urlnormalizer",
                });
            }
            State::MetaContentURL => escapers.push("_html_template_urlfilter"),
            State::JS => {
                escapers.push("_html_template_jsvalescaper");
                // After a value a slash divides.
                c.js_ctx = JsCtx::DivOp;
            }
            State::JSDqStr | State::JSSqStr => escapers.push("_html_template_jsstrescaper"),
            State::JSTmplLit => escapers.push("_html_template_jstmpllitescaper"),
            State::JSRegexp => escapers.push("_html_template_jsregexpescaper"),
            State::CSS => escapers.push("_html_template_cssvaluefilter"),
            State::Text => escapers.push("_html_template_htmlescaper"),
            State::RCDATA => escapers.push("_html_template_rcdataescaper"),
            State::AttrName | State::Tag => {
                c.state = State::AttrName;
                escapers.push("_html_template_htmlnamefilter");
            }
            State::Srcset => escapers.push("_html_template_srcsetescaper"),
            state if state.is_comment() => escapers.push("_html_template_commentescaper"),
            _ => {}
        }
        match c.delim {
            Delim::None => {}
            Delim::SpaceOrTagEnd => escapers.push("_html_template_nospaceescaper"),
            Delim::DoubleQuote | Delim::SingleQuote => escapers.push("_html_template_attrescaper"),
        }
        self.found.edits.insert(key(node), Edit::Escapers(escapers));
        c
    }

    /// Reads text; leaves comments out, escapes `<` that begins no tag, and keeps script literals from ending
    /// their element.
    fn text(&mut self, mut c: Context, node: &Node, text: &str) -> Context {
        let s = text.as_bytes();
        let (mut i, mut written, mut out) = (0, 0, Vec::new());
        let part = |from: usize, to: usize| s.get(from..to).unwrap_or_default();
        while i < s.len() {
            let (next, read) = transition::after_text(&c, part(i, s.len()));
            let end = i + read;
            if matches!(c.state, State::Text | State::RCDATA) {
                let tag = (next.state != c.state).then(|| part(i, end).iter().rposition(|b| *b == b'<'));
                let stop = tag.flatten().map_or(end, |at| i + at);
                for j in i..stop {
                    let doctype = || {
                        let name = part(j, (j + 9).min(s.len()));
                        name.eq_ignore_ascii_case(b"<!DOCTYPE")
                    };
                    if s.get(j) == Some(&b'<') && !doctype() {
                        out.extend_from_slice(part(written, j));
                        out.extend_from_slice(b"&lt;");
                        written = j + 1;
                    }
                }
            } else if c.state.is_comment() && c.delim == Delim::None {
                match c.state {
                    // What was one line must not become two statements, nor two lines one.
                    State::JSBlockCmt => {
                        let comment = String::from_utf8_lossy(part(written, end));
                        let newline = comment.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
                        out.push(if newline { b'\n' } else { b' ' });
                    }
                    State::CSSBlockCmt => out.push(b' '),
                    _ => {}
                }
                written = end;
            }
            if c.state != next.state && next.state.is_comment() && next.delim == Delim::None {
                let mark = match next.state {
                    State::HTMLCmt | State::JSHTMLOpenCmt => 4,
                    State::JSHTMLCloseCmt => 3,
                    _ => 2,
                };
                out.extend_from_slice(part(written, end.saturating_sub(mark).max(written)));
                written = end;
            }
            if c.state.is_in_script_literal() && has_script_tag(part(i, end)) {
                out.extend_from_slice(part(written, i));
                out.extend_from_slice(&without_script_tags(part(i, end)));
                written = end;
            }
            if read == 0 && next.state == c.state {
                // Cannot happen; an endless loop would be worse than an error.
                return Context::broken("cannot read the template's text".into());
            }
            (c, i) = (next, end);
        }
        if written != 0 && c.state != State::Error {
            if !c.state.is_comment() || c.delim != Delim::None {
                out.extend_from_slice(part(written, s.len()));
            }
            let text = String::from_utf8_lossy(&out).into_owned();
            self.found.edits.insert(key(node), Edit::Text(text));
        }
        c
    }
}

fn join_loop(mut c: Context, inner: &Loop, tree: &Tree) -> Context {
    if c.state == State::Error {
        return c;
    }
    let exits = inner.breaks.iter().map(|exit| ("break", exit));
    for (how, (exit, pos)) in exits.chain(inner.continues.iter().map(|exit| ("continue", exit))) {
        c = join(&c, exit, tree, *pos, "range");
        if c.state == State::Error {
            return explained(&c, tree.line(*pos), &format!("at range loop {how}: "));
        }
    }
    c
}

/// The length of `<script`, `</script` or `<!--` at the start of `text`.
fn script_tag(text: &[u8]) -> Option<usize> {
    [&b"<script"[..], b"</script", b"<!--"]
        .into_iter()
        .find(|tag| text.get(..tag.len()).is_some_and(|found| found.eq_ignore_ascii_case(tag)))
        .map(<[u8]>::len)
}

fn has_script_tag(text: &[u8]) -> bool {
    (0..text.len()).any(|i| script_tag(text.get(i..).unwrap_or_default()).is_some())
}

fn without_script_tags(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for (i, byte) in text.iter().enumerate() {
        match script_tag(text.get(i..).unwrap_or_default()) {
            Some(_) => out.extend_from_slice(b"\\x3C"),
            None => out.push(*byte),
        }
    }
    out
}
