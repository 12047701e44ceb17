//! The table of functions a template may call.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::value::Value;

/// What type a parameter takes; anything else is refused before the function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Any,
    Bool,
    Int,
    Float,
    Str,
    Time,
    Duration,
    /// A list or map whose [`Value::type_name`] is this, for example `[]string` or `template.KV`.
    Named(&'static str),
}

impl Kind {
    /// The type in Go's notation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Any => "interface {}",
            Kind::Bool => "bool",
            Kind::Int => "int",
            Kind::Float => "float64",
            Kind::Str => "string",
            Kind::Time => "time.Time",
            Kind::Duration => "time.Duration",
            Kind::Named(name) => name,
        }
    }

    /// Whether `nil` is a value of this type: interfaces, lists and maps.
    pub(crate) fn can_be_nil(self) -> bool {
        matches!(self, Kind::Any | Kind::Named(_))
    }
}

/// One call in progress: its arguments, and the way back into the template set.
pub struct Call<'a> {
    pub args: &'a [Value],
    /// The data the outermost template was given.
    pub root: &'a Value,
    pub(crate) run: &'a dyn Fn(&str, &Value) -> Result<String, Error>,
}

impl Call<'_> {
    /// Argument `index`; nil when it was left out.
    pub fn arg(&self, index: usize) -> &Value {
        self.args.get(index).unwrap_or(&Value::Nil)
    }

    /// The text of a string argument; empty when it was left out.
    pub fn text(&self, index: usize) -> &str {
        self.arg(index).as_str().unwrap_or("")
    }

    /// A whole-number argument; zero when it was left out.
    pub fn int(&self, index: usize) -> i64 {
        if let Value::Int(n) = self.arg(index) { *n } else { 0 }
    }

    /// Executes a named template of the same set.
    pub fn execute(&self, name: &str, data: &Value) -> Result<String, String> {
        (self.run)(name, data).map_err(|e| e.to_string())
    }
}

type Closure = Arc<dyn Fn(&Call<'_>) -> Result<Value, String> + Send + Sync>;

/// A value as the executor sees it.
///
/// There may be none: that is what a lookup of something missing gives, and is not the same as a nil. And it
/// may be boxed: an element of a list or map of anything, whose type Go takes to be `interface {}`. Both show
/// in error messages, and end when the value passes through a pipeline.
#[derive(Debug, Clone, Default)]
pub(crate) struct Maybe {
    pub value: Option<Value>,
    pub boxed: bool,
}

impl Maybe {
    pub fn none() -> Maybe {
        Maybe::default()
    }

    pub fn plain(value: Value) -> Maybe {
        Maybe { value: Some(value), boxed: false }
    }

    /// An element of `container`.
    pub fn element(container: &Value, value: Value) -> Maybe {
        let name = container.type_name();
        Maybe { value: Some(value), boxed: name.ends_with("interface {}") || name.ends_with("any") }
    }

    pub fn as_ref(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// The value out of its box; a nil in a box is nothing.
    pub fn unboxed(self) -> Maybe {
        Maybe { value: self.value.filter(|value| !matches!(value, Value::Nil)), boxed: false }
    }

    pub fn type_name(&self) -> &str {
        match &self.value {
            Some(Value::Nil) | None => "interface {}",
            Some(_) if self.boxed => "interface {}",
            Some(value) => value.type_name(),
        }
    }
}

#[derive(Clone)]
pub(crate) enum Body {
    Closure(Closure),
    /// Go's own functions see whether an argument is nil or missing.
    Builtin(fn(&[Maybe]) -> Result<Maybe, String>),
    /// `and` and `or` stop early, so the executor evaluates them.
    And,
    Or,
    /// `call` names its argument in errors.
    Call,
}

#[derive(Clone)]
pub(crate) struct Function {
    pub params: Vec<Kind>,
    /// The type of any further arguments.
    pub rest: Option<Kind>,
    pub body: Body,
}

/// Functions by name. Starts with Go's built-ins.
#[derive(Clone)]
pub struct Functions {
    table: HashMap<String, Function>,
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Functions({})", self.table.len())
    }
}

impl Default for Functions {
    fn default() -> Functions {
        Functions::new()
    }
}

impl Functions {
    /// Go's built-in functions.
    pub fn new() -> Functions {
        let mut functions = Functions { table: HashMap::new() };
        crate::builtins::install(&mut functions);
        functions
    }

    /// Adds a function with a fixed number of parameters, replacing one of the same name.
    pub fn add(
        &mut self,
        name: &str,
        params: &[Kind],
        body: impl Fn(&Call<'_>) -> Result<Value, String> + Send + Sync + 'static,
    ) -> &mut Self {
        self.insert(name, params, None, Body::Closure(Arc::new(body)))
    }

    /// Adds a function that takes any number of `rest` after its fixed parameters.
    pub fn add_variadic(
        &mut self,
        name: &str,
        params: &[Kind],
        rest: Kind,
        body: impl Fn(&Call<'_>) -> Result<Value, String> + Send + Sync + 'static,
    ) -> &mut Self {
        self.insert(name, params, Some(rest), Body::Closure(Arc::new(body)))
    }

    pub(crate) fn insert(
        &mut self,
        name: &str,
        params: &[Kind],
        rest: Option<Kind>,
        body: Body,
    ) -> &mut Self {
        self.table.insert(name.to_owned(), Function { params: params.to_vec(), rest, body });
        self
    }

    pub fn contains(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Function> {
        self.table.get(name)
    }
}
