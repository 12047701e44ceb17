//! `line_format` and `label_format`.
//!
//! Most templates only put label values between words, so those run as plain concatenation; the rest goes
//! to the template engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use logql_syntax::ast::LabelFormat;
use model::TimestampNs;
use template::{Object, Set, Value};

use super::functions;
use super::labels::LabelState;

pub(super) enum Template {
    Simple(Vec<Segment>),
    Full { set: Set, name: &'static str },
}

pub(super) enum Segment {
    Text(String),
    Label(String),
}

impl Template {
    /// The error is Go's.
    pub fn compile(name: &'static str, text: &str) -> Result<Template, String> {
        if let Some(segments) = simple(text) {
            return Ok(Template::Simple(segments));
        }
        let mut set = Set::new(functions::table());
        set.parse(name, text).map_err(|e| e.to_string())?;
        Ok(Template::Full { set, name })
    }

    pub fn render(&self, line: &str, ts: TimestampNs, state: &LabelState) -> Result<String, String> {
        match self {
            Template::Simple(segments) => {
                let mut out = String::with_capacity(line.len() + 32);
                for segment in segments {
                    out.push_str(match segment {
                        Segment::Text(text) => text,
                        Segment::Label(name) => state.get(name).unwrap_or(""),
                    });
                }
                Ok(out)
            }
            Template::Full { .. } => self.render_with(&Value::object(Entry::new(line, ts, state))),
        }
    }

    fn render_with(&self, data: &Value) -> Result<String, String> {
        match self {
            Template::Full { set, name } => set.execute(name, data).map_err(|e| e.to_string()),
            Template::Simple(_) => Ok(String::new()),
        }
    }
}

/// The template as text and label references, when it has nothing else.
fn simple(text: &str) -> Option<Vec<Segment>> {
    let (mut segments, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find("{{") {
        let (before, after) = rest.split_at(open);
        let (action, tail) = after[2..].split_once("}}")?;
        let name = action.trim_matches(' ').strip_prefix('.')?;
        let plain = !name.is_empty()
            && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if !plain {
            return None;
        }
        segments.push(Segment::Text(before.to_owned()));
        segments.push(Segment::Label(name.to_owned()));
        rest = tail;
    }
    segments.push(Segment::Text(rest.to_owned()));
    Some(segments)
}

/// The entry as a template sees it: a map of labels, with line and time for the functions that give them.
#[derive(Debug)]
pub(super) struct Entry {
    labels: Arc<BTreeMap<String, String>>,
    line: Arc<str>,
    ts: TimestampNs,
}

/// Names that no template can write as a field.
pub(super) const LINE_FIELD: &str = "\0line";
pub(super) const TIME_FIELD: &str = "\0time";

impl Entry {
    fn new(line: &str, ts: TimestampNs, state: &LabelState) -> Entry {
        let all = state.all();
        let labels = all.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Entry { labels: Arc::new(labels), line: Arc::from(line), ts }
    }
}

impl Object for Entry {
    fn type_name(&self) -> &str {
        "map[string]string"
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            LINE_FIELD => Value::Str(self.line.clone()),
            TIME_FIELD => Value::Time(template::time::Time::from_ns(self.ts)),
            name => Value::str(self.labels.get(name).map_or("", String::as_str)),
        })
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::StrMap(self.labels.clone()))
    }
}

pub(super) struct LabelFormatter {
    formats: Vec<Format>,
}

enum Format {
    Rename { label: String, source: String },
    Template { label: String, template: Template },
}

impl LabelFormatter {
    /// The error names the label.
    pub fn compile(formats: &[LabelFormat]) -> Result<LabelFormatter, (String, String)> {
        let compile = |format: &LabelFormat| match format {
            LabelFormat::Rename { label, source } => {
                Ok(Format::Rename { label: label.clone(), source: source.clone() })
            }
            LabelFormat::Template { label, template } => match Template::compile("label", template) {
                Ok(template) => Ok(Format::Template { label: label.clone(), template }),
                Err(e) => Err((label.clone(), e)),
            },
        };
        Ok(LabelFormatter { formats: formats.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Every template sees the labels as they were before the first one.
    pub fn apply(&self, line: &str, ts: TimestampNs, state: &mut LabelState) {
        let mut data: Option<Value> = None;
        let mut results: Vec<(&str, String)> = Vec::new();
        for format in &self.formats {
            match format {
                Format::Rename { label, source } => {
                    if let Some(value) = state.get(source).map(str::to_owned) {
                        state.set(label, &value);
                        state.remove(source);
                    }
                }
                Format::Template { label, template: template @ Template::Simple(_) } => {
                    if let Ok(text) = template.render(line, ts, state) {
                        results.push((label, text));
                    }
                }
                Format::Template { label, template } => {
                    let data = data.get_or_insert_with(|| Value::object(Entry::new(line, ts, state)));
                    match template.render_with(data) {
                        Ok(text) => results.push((label, text)),
                        Err(e) => state.set_error("TemplateFormatErr", &e),
                    }
                }
            }
        }
        for (label, text) in results {
            state.set(label, &text);
        }
    }
}
