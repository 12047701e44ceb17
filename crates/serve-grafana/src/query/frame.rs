//! Data frames: named, typed columns, in Grafana's JSON.

use serde_json::{Map, Value, json};

/// A column's values.
pub enum Column {
    /// Milliseconds since the epoch.
    Time(Vec<i64>),
    Number(Vec<f64>),
    Text(Vec<String>),
    Json(Vec<Value>),
}

pub struct Field {
    pub name: String,
    pub labels: Map<String, Value>,
    pub display_name: Option<String>,
    pub column: Column,
}

pub struct Frame {
    pub ref_id: String,
    pub name: String,
    pub meta: Value,
    pub fields: Vec<Field>,
}

impl Field {
    pub fn new(name: &str, column: Column) -> Field {
        Field { name: name.to_owned(), labels: Map::new(), display_name: None, column }
    }
}

impl Frame {
    pub fn to_json(&self) -> Value {
        let fields: Vec<Value> = self.fields.iter().map(field_schema).collect();
        let values: Vec<Value> = self.fields.iter().map(|f| column_values(&f.column)).collect();
        let entities: Vec<Value> = self.fields.iter().map(|f| entities(&f.column)).collect();
        let mut data = json!({ "values": values });
        if entities.iter().any(|e| !e.is_null()) {
            data["entities"] = Value::Array(entities);
        }
        let mut schema = json!({ "refId": self.ref_id, "meta": self.meta, "fields": fields });
        if !self.name.is_empty() {
            schema["name"] = self.name.clone().into();
        }
        json!({ "schema": schema, "data": data })
    }
}

fn field_schema(field: &Field) -> Value {
    let (kind, frame) = match &field.column {
        Column::Time(_) => ("time", "time.Time"),
        Column::Number(_) => ("number", "float64"),
        Column::Text(_) => ("string", "string"),
        Column::Json(_) => ("other", "json.RawMessage"),
    };
    let mut out = json!({ "name": field.name, "type": kind, "typeInfo": { "frame": frame } });
    if !field.labels.is_empty() {
        out["labels"] = Value::Object(field.labels.clone());
    }
    if let Some(name) = &field.display_name {
        out["config"] = json!({ "displayNameFromDS": name });
    }
    out
}

fn column_values(column: &Column) -> Value {
    match column {
        Column::Time(values) => values.iter().map(|t| json!(t)).collect(),
        // JSON has no NaN or infinity: they are null here and named in the entities.
        Column::Number(values) => values.iter().map(|v| json!(v.is_finite().then_some(*v))).collect(),
        Column::Text(values) => values.iter().map(|s| json!(s)).collect(),
        Column::Json(values) => Value::Array(values.clone()),
    }
}

/// Rows of NaN, +Inf and -Inf, or null when there are none.
fn entities(column: &Column) -> Value {
    let Column::Number(values) = column else { return Value::Null };
    let rows = |test: fn(f64) -> bool| -> Vec<usize> {
        values.iter().enumerate().filter(|(_, v)| test(**v)).map(|(i, _)| i).collect()
    };
    let mut out = Map::new();
    for (name, rows) in [
        ("NaN", rows(f64::is_nan)),
        ("Inf", rows(|v| v == f64::INFINITY)),
        ("NegInf", rows(|v| v == f64::NEG_INFINITY)),
    ] {
        if !rows.is_empty() {
            out.insert(name.into(), json!(rows));
        }
    }
    if out.is_empty() { Value::Null } else { Value::Object(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_numbers_become_entities() {
        let frame = Frame {
            ref_id: "A".into(),
            name: String::new(),
            meta: json!({}),
            fields: vec![
                Field::new("Time", Column::Time(vec![1, 2, 3])),
                Field::new("Value", Column::Number(vec![1.5, f64::NAN, f64::INFINITY])),
            ],
        };
        let json = frame.to_json();
        assert_eq!(json["data"]["values"], json!([[1, 2, 3], [1.5, null, null]]));
        assert_eq!(json["data"]["entities"], json!([null, {"NaN": [1], "Inf": [2]}]));
        assert_eq!(json["schema"]["fields"][1]["typeInfo"]["frame"], "float64");
    }
}
