//! Where in an HTML page a piece of template text ends.
//!
//! The names are those of the original, because its error messages show them.

use std::fmt;
use std::sync::Arc;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident, $prefix:literal, $first:ident $(, $variant:ident)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[allow(clippy::upper_case_acronyms, reason = "the variants print as the original's names")]
        pub(super) enum $type {
            #[default]
            $first,
            $($variant),*
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $type::$first => concat!($prefix, stringify!($first)),
                    $($type::$variant => concat!($prefix, stringify!($variant))),*
                })
            }
        }
    };
}

names!(
    /// The state of the reader: what kind of thing the next byte belongs to.
    State, "state",
    Text, Tag, AttrName, AfterName, BeforeValue, HTMLCmt, RCDATA, Attr, URL, Srcset, JS, JSDqStr, JSSqStr,
    JSTmplLit, JSRegexp, JSBlockCmt, JSLineCmt, JSHTMLOpenCmt, JSHTMLCloseCmt, CSS, CSSDqStr, CSSSqStr,
    CSSDqURL, CSSSqURL, CSSURL, CSSBlockCmt, CSSLineCmt, Error, MetaContent, MetaContentURL, Dead
);
names!(
    /// What ends the attribute value.
    Delim, "delim", None, DoubleQuote, SingleQuote, SpaceOrTagEnd
);
names!(
    /// Which part of a URL comes next.
    UrlPart, "urlPart", None, PreQuery, QueryOrFrag, Unknown
);
names!(
    /// What a slash in a script would begin.
    JsCtx, "jsCtx", Regexp, DivOp, Unknown
);
names!(
    /// The kind of attribute.
    Attr, "attr", None, Script, ScriptType, Style, URL, Srcset, MetaContent
);
names!(
    /// Elements whose content is no ordinary HTML.
    Element, "element", None, Script, Style, Textarea, Title, Meta
);

impl State {
    pub fn is_comment(self) -> bool {
        matches!(
            self,
            State::HTMLCmt
                | State::JSBlockCmt
                | State::JSLineCmt
                | State::JSHTMLOpenCmt
                | State::JSHTMLCloseCmt
                | State::CSSBlockCmt
                | State::CSSLineCmt
        )
    }

    pub fn is_in_tag(self) -> bool {
        matches!(self, State::Tag | State::AttrName | State::AfterName | State::BeforeValue | State::Attr)
    }

    pub fn is_in_script_literal(self) -> bool {
        matches!(self, State::JSDqStr | State::JSSqStr | State::JSTmplLit | State::JSRegexp)
    }
}

/// Why a template cannot be escaped.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// `name:line:column` of the node, when one is to blame.
    pub location: Option<String>,
    pub line: usize,
    pub description: String,
}

impl Fault {
    pub fn text(&self, name: &str) -> String {
        let place = match (&self.location, self.line, name) {
            (Some(location), ..) => format!(":{location}"),
            (None, 0, "") => String::new(),
            (None, 0, name) => format!(":{name}"),
            (None, line, name) => format!(":{name}:{line}"),
        };
        format!("html/template{place}: {}", self.description)
    }
}

/// Everything the reader knows at one point of a page.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    pub state: State,
    pub delim: Delim,
    pub url_part: UrlPart,
    pub js_ctx: JsCtx,
    /// Open braces in each `${…}` of the template literals around.
    pub js_brace_depth: Vec<i32>,
    pub attr: Attr,
    pub element: Element,
    pub fault: Option<Arc<Fault>>,
}

/// Two contexts with different faults are never compared: the first fault ends everything.
impl PartialEq for Context {
    fn eq(&self, other: &Context) -> bool {
        (self.state, self.delim, self.url_part, self.js_ctx, self.attr, self.element)
            == (other.state, other.delim, other.url_part, other.js_ctx, other.attr, other.element)
            && self.js_brace_depth == other.js_brace_depth
    }
}

impl Context {
    pub fn of(state: State) -> Context {
        Context { state, ..Context::default() }
    }

    /// A fault that has no place yet.
    pub fn broken(description: String) -> Context {
        Context::fault(Fault { location: None, line: 0, description })
    }

    pub fn fault(fault: Fault) -> Context {
        Context { state: State::Error, fault: Some(Arc::new(fault)), ..Context::default() }
    }

    /// The name under which a template is kept that is called in this context.
    pub fn mangle(&self, name: &str) -> String {
        if self.state == State::Text {
            return name.to_owned();
        }
        let mut out = format!("{name}$htmltemplate_{}", self.state);
        let mut add = |differs: bool, part: &dyn fmt::Display| {
            if differs {
                out.push_str(&format!("_{part}"));
            }
        };
        add(self.delim != Delim::None, &self.delim);
        add(self.url_part != UrlPart::None, &self.url_part);
        add(self.js_ctx != JsCtx::Regexp, &self.js_ctx);
        let depth = braces(&self.js_brace_depth);
        add(!self.js_brace_depth.is_empty(), &format!("jsBraceDepth({depth})"));
        add(self.attr != Attr::None, &self.attr);
        add(self.element != Element::None, &self.element);
        out
    }

    /// The context after the empty text before a value: a value may begin an attribute or its content.
    pub fn nudge(mut self) -> Context {
        match self.state {
            State::Tag => self.state = State::AttrName,
            State::BeforeValue => {
                self.state = self.attr.start();
                self.delim = Delim::SpaceOrTagEnd;
                self.attr = Attr::None;
            }
            State::AfterName => {
                self.state = State::AttrName;
                self.attr = Attr::None;
            }
            _ => {}
        }
        self
    }
}

impl Attr {
    /// The state an attribute's value begins in.
    pub fn start(self) -> State {
        match self {
            Attr::None | Attr::ScriptType => State::Attr,
            Attr::Script => State::JS,
            Attr::Style => State::CSS,
            Attr::URL => State::URL,
            Attr::Srcset => State::Srcset,
            Attr::MetaContent => State::MetaContent,
        }
    }
}

fn braces(depth: &[i32]) -> String {
    let parts: Vec<String> = depth.iter().map(i32::to_string).collect();
    format!("[{}]", parts.join(" "))
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{{} {} {} {} {} {} {} ",
            self.state,
            self.delim,
            self.url_part,
            self.js_ctx,
            braces(&self.js_brace_depth),
            self.attr,
            self.element
        )?;
        match &self.fault {
            Some(fault) => write!(f, "{}}}", fault.text("")),
            None => f.write_str("<nil>}"),
        }
    }
}
