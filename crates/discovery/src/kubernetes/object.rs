//! Reading API objects.

use model::Labels;
use serde_json::Value;

use crate::reply::sanitized;

/// Label pairs on their way to a set.
pub type Pairs = Vec<(String, String)>;

/// The text at a JSON pointer; empty where there is none.
pub fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The elements of the list at a JSON pointer.
pub fn list<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A number as text; empty where there is none.
pub fn number(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_i64).map(|n| n.to_string()).unwrap_or_default()
}

pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `namespace/name`.
pub fn key(object: &Value) -> String {
    format!("{}/{}", namespace(object), name(object))
}

pub fn push(pairs: &mut Pairs, name: &str, value: impl Into<String>) {
    pairs.push((format!("__meta_kubernetes_{name}"), value.into()));
}

/// The labels and annotations of an object, each with a mark that it is there at all.
pub fn push_metadata(pairs: &mut Pairs, role: &str, object: &Value) {
    for (field, short) in [("labels", "label"), ("annotations", "annotation")] {
        let map = object.pointer(&format!("/metadata/{field}")).and_then(Value::as_object);
        for (name, value) in map.into_iter().flatten() {
            let name = sanitized(name);
            push(pairs, &format!("{role}_{short}_{name}"), value.as_str().unwrap_or(""));
            push(pairs, &format!("{role}_{short}present_{name}"), "true");
        }
    }
}

pub fn labels(pairs: Pairs) -> Labels {
    Labels::from_pairs(pairs)
}
