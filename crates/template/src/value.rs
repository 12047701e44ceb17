//! What templates compute with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::functions::Kind;
use crate::time::{Duration, Time};

/// A dynamically typed value. Cloning is cheap: everything large is shared.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Go's nil, and the result of looking up what is not there.
    #[default]
    Nil,
    Bool(bool),
    Int(i64),
    /// One byte of a string (`index "text" 0`): Go's `uint8`.
    Byte(u8),
    Float(f64),
    Str(Arc<str>),
    /// HTML that was produced on purpose (`safeHtml`): the escaping mode leaves it alone.
    Html(Arc<str>),
    /// A URL that was produced on purpose (`safeUrl`).
    Url(Arc<str>),
    Time(Time),
    Duration(Duration),
    List(Arc<Vec<Value>>),
    /// `map[string]string`: a missing key reads as the empty string.
    StrMap(Arc<BTreeMap<String, String>>),
    /// `map[string]any`: a missing key reads as nil.
    Map(Arc<BTreeMap<String, Value>>),
    Object(Arc<dyn Object>),
}

/// What a method takes: its parameters, and the type of any further arguments.
pub type Signature = (&'static [Kind], Option<Kind>);

/// A value with fields or methods of its own.
pub trait Object: fmt::Debug + Send + Sync {
    /// The type's name in error messages, in Go's notation.
    fn type_name(&self) -> &str;

    /// The value of `.name`, or `None` when there is no such field.
    fn field(&self, name: &str) -> Option<Value>;

    /// The result of calling `.name args…`, or `None` when there is no such method.
    fn method(&self, _name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        None
    }

    /// The parameters of method `name`. Where this is known, the number and the types of arguments are
    /// checked before [`Object::method`] is called, with Go's error texts.
    fn signature(&self, _name: &str) -> Option<Signature> {
        None
    }

    /// The text of a type that has a `String` method; printing uses it before anything else.
    fn stringer(&self) -> Option<String> {
        None
    }

    /// The list or map this object is in other respects: ranging, indexing, length, truth and printing
    /// go there. `None` for a plain record.
    fn underlying(&self) -> Option<Value> {
        None
    }

    /// A record's fields in order; they are what is printed, or written as JSON into a script.
    fn fields(&self) -> Vec<(String, Value)> {
        Vec::new()
    }

    /// How the object prints when there is nothing underneath and it has no [`Object::fields`].
    fn display(&self) -> String {
        self.type_name().to_owned()
    }
}

impl Value {
    pub fn str(text: impl AsRef<str>) -> Value {
        Value::Str(Arc::from(text.as_ref()))
    }

    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::new(items))
    }

    /// A list whose type is not `[]interface {}`, for example `[]string`.
    pub fn typed_list(type_name: &str, items: Vec<Value>) -> Value {
        Value::object(TypedList { type_name: Arc::from(type_name), items: Arc::new(items) })
    }

    pub fn object(object: impl Object + 'static) -> Value {
        Value::Object(Arc::new(object))
    }

    /// The text of a string-like value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) | Value::Html(s) | Value::Url(s) => Some(s),
            _ => None,
        }
    }

    /// The value's type in Go's notation.
    pub fn type_name(&self) -> &str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Byte(_) => "uint8",
            Value::Float(_) => "float64",
            Value::Str(_) => "string",
            Value::Html(_) => "template.HTML",
            Value::Url(_) => "template.URL",
            Value::Time(_) => "time.Time",
            Value::Duration(_) => "time.Duration",
            Value::List(_) => "[]interface {}",
            Value::StrMap(_) => "map[string]string",
            Value::Map(_) => "map[string]interface {}",
            Value::Object(o) => o.type_name(),
        }
    }

    /// What `if` and `with` decide by: everything but the type's zero value is true.
    pub fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(b) => *b,
            Value::Int(n) => *n != 0,
            Value::Byte(n) => *n != 0,
            Value::Float(v) => *v != 0.0,
            Value::Str(s) | Value::Html(s) | Value::Url(s) => !s.is_empty(),
            Value::Time(_) => true,
            Value::Duration(d) => d.0 != 0,
            Value::List(items) => !items.is_empty(),
            Value::StrMap(map) => !map.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Object(o) => o.underlying().is_none_or(|v| v.truth()),
        }
    }

    /// Number of elements or bytes; `None` for what has no length.
    pub fn length(&self) -> Option<usize> {
        match self {
            Value::Str(s) | Value::Html(s) | Value::Url(s) => Some(s.len()),
            Value::List(items) => Some(items.len()),
            Value::StrMap(map) => Some(map.len()),
            Value::Map(map) => Some(map.len()),
            Value::Object(o) => o.underlying()?.length(),
            _ => None,
        }
    }

    /// The text of a value whose type has a `String` method.
    pub(crate) fn stringer(&self) -> Option<String> {
        match self {
            Value::Duration(d) => Some(d.to_string()),
            Value::Time(t) => Some(t.to_string()),
            Value::Object(o) => o.stringer(),
            _ => None,
        }
    }

    /// The plain value behind an object; other values are returned as they are.
    pub fn flatten(&self) -> Value {
        match self {
            Value::Object(o) => o.underlying().unwrap_or_else(|| self.clone()),
            other => other.clone(),
        }
    }
}

#[derive(Debug)]
struct TypedList {
    type_name: Arc<str>,
    items: Arc<Vec<Value>>,
}

impl Object for TypedList {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::List(self.items.clone()))
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Value {
        Value::str(s)
    }
}

impl From<String> for Value {
    fn from(s: String) -> Value {
        Value::Str(s.into())
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Int(n)
    }
}

impl From<f64> for Value {
    fn from(v: f64) -> Value {
        Value::Float(v)
    }
}

impl From<BTreeMap<String, String>> for Value {
    fn from(map: BTreeMap<String, String>) -> Value {
        Value::StrMap(Arc::new(map))
    }
}

impl From<BTreeMap<String, Value>> for Value {
    fn from(map: BTreeMap<String, Value>) -> Value {
        Value::Map(Arc::new(map))
    }
}
