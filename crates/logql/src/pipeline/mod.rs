//! From an entry to a line and labels: the compiled stages of a log query.
//!
//! Stages run in order on a [`LabelState`] that is reused for every entry, so that the steady state
//! allocates little. Line filters that stand first run before labels are even looked at: they decide on
//! most lines. What they search for also goes to the store as [`Needle`]s, which may skip whole blocks.

mod ansi;
mod format;
mod functions;
mod json;
mod json_value;
mod label_filter;
pub mod labels;
mod line_filter;
mod logfmt;
mod parse;

use std::borrow::Cow;
use std::sync::Arc;

use logql_syntax::ast::{LabelChoice, LineFilterOp, LineTest, Stage};
use model::{Labels, TimestampNs};
use storage::logs::{EntryRef, Needle};

use crate::error::QueryError;
use format::{LabelFormatter, Template};
pub use label_filter::LabelTest;
pub(crate) use label_filter::read as read_number;
pub use labels::{Category, LabelState};
use labels::{ERROR, ERROR_DETAILS};
use line_filter::LineFilter;

/// The compiled stages of one log query. Shared by all threads that work on the query.
pub struct Pipeline {
    leading: Vec<LineFilter>,
    stages: Vec<Compiled>,
    needles: Vec<Needle>,
    /// The parsed labels that matter, when that is known.
    wanted: Option<Arc<[String]>>,
}

enum Compiled {
    LineFilter(LineFilter),
    Json(json::JsonParser),
    Logfmt(logfmt::LogfmtParser),
    Regexp(parse::RegexpParser),
    Pattern(logql_syntax::pattern::Pattern),
    Unpack,
    LabelFilter(LabelTest),
    LineFormat(Template),
    LabelFormat(LabelFormatter),
    Decolorize,
    Drop(Vec<LabelChoice>),
    Keep(Vec<LabelChoice>),
}

impl Pipeline {
    pub fn compile(stages: &[Stage]) -> Result<Pipeline, QueryError> {
        let mut pipeline =
            Pipeline { leading: Vec::new(), stages: Vec::new(), needles: needles(stages), wanted: None };
        for stage in stages {
            match compile(stage)? {
                Compiled::LineFilter(filter) if pipeline.stages.is_empty() => pipeline.leading.push(filter),
                compiled => pipeline.stages.push(compiled),
            }
        }
        Ok(pipeline)
    }

    /// What every accepted line contains as it is stored.
    pub fn needles(&self) -> &[Needle] {
        &self.needles
    }

    /// Says that of the final labels only `names` matter, which spares parsers the rest. Stages may read
    /// more; where that cannot be told, everything is parsed.
    pub fn parse_only(&mut self, mut names: Vec<String>) {
        for stage in &self.stages {
            match stage {
                Compiled::LabelFilter(test) => test.add_labels_read(&mut names),
                Compiled::LineFormat(_) | Compiled::LabelFormat(_) => return,
                Compiled::Drop(choices) | Compiled::Keep(choices) => {
                    // A condition on one label never looks at another, so names are enough.
                    names.extend(choices.iter().map(|choice| match choice {
                        LabelChoice::Name(name) => name.clone(),
                        LabelChoice::Matching(matcher) => matcher.name.clone(),
                    }));
                }
                _ => {}
            }
        }
        self.wanted = Some(names.into());
    }

    /// A fresh state for the entries of a stream.
    pub fn state(&self, stream: &Labels) -> LabelState {
        LabelState::wanting(stream, self.wanted.clone())
    }

    /// Runs the entry through all stages. Returns its line, or `None` when a stage dropped it; its labels
    /// are then in `state`.
    pub fn process<'e>(&self, entry: EntryRef<'e>, state: &mut LabelState) -> Option<Cow<'e, str>> {
        if !self.leading.iter().all(|filter| filter.accepts(entry.line)) {
            return None;
        }
        state.reset(entry.structured_metadata);
        let mut line = Cow::Borrowed(entry.line);
        for stage in &self.stages {
            if !run(stage, entry.ts, &mut line, state) {
                return None;
            }
        }
        Some(line)
    }
}

fn compile(stage: &Stage) -> Result<Compiled, QueryError> {
    Ok(match stage {
        Stage::LineFilter(filter) => Compiled::LineFilter(LineFilter::compile(filter)?),
        Stage::Json { extractions } => Compiled::Json(json::JsonParser::new(extractions)),
        Stage::Logfmt { strict, keep_empty, extractions } => {
            Compiled::Logfmt(logfmt::LogfmtParser::new(*strict, *keep_empty, extractions))
        }
        Stage::Regexp(pattern) => Compiled::Regexp(parse::RegexpParser::new(pattern)?),
        Stage::Pattern { pattern, .. } => Compiled::Pattern(pattern.clone()),
        Stage::Unpack => Compiled::Unpack,
        Stage::LabelFilter(filter) => Compiled::LabelFilter(LabelTest::compile(filter)?),
        Stage::LineFormat(text) => Compiled::LineFormat(Template::compile("line", text).map_err(|e| {
            QueryError::bad(format!("parse error : stage '{stage}' : invalid line template: {e}"))
        })?),
        Stage::LabelFormat(formats) => {
            Compiled::LabelFormat(LabelFormatter::compile(formats).map_err(|(label, e)| {
                let message = format!("stage '{stage}' : invalid template for label '{label}': {e}");
                QueryError::bad(format!("parse error : {message}"))
            })?)
        }
        Stage::Decolorize => Compiled::Decolorize,
        Stage::Drop(choices) => Compiled::Drop(choices.clone()),
        Stage::Keep(choices) => Compiled::Keep(choices.clone()),
    })
}

/// Runs one stage; `false` drops the entry.
fn run(stage: &Compiled, ts: TimestampNs, line: &mut Cow<'_, str>, state: &mut LabelState) -> bool {
    match stage {
        Compiled::LineFilter(filter) => return filter.accepts(line),
        Compiled::Json(parser) => parser.parse(line, state),
        Compiled::Logfmt(parser) => parser.parse(line, state),
        Compiled::Regexp(parser) => parser.parse(line, state),
        Compiled::Pattern(pattern) => {
            pattern.captures(line, |name, value| state.set_parsed(name, value));
        }
        Compiled::Unpack => {
            if let Some(packed) = parse::unpack(line, state) {
                *line = Cow::Owned(packed);
            }
        }
        Compiled::LabelFilter(test) => return test.accepts(state),
        Compiled::LineFormat(template) => match template.render(line, ts, state) {
            Ok(text) => *line = Cow::Owned(text),
            Err(e) => state.set_error("TemplateFormatErr", &e),
        },
        Compiled::LabelFormat(formatter) => formatter.apply(line, ts, state),
        Compiled::Decolorize => {
            if let Some(plain) = ansi::strip(line) {
                *line = Cow::Owned(plain);
            }
        }
        Compiled::Drop(choices) => drop_labels(choices, state),
        Compiled::Keep(choices) => keep_labels(choices, state),
    }
    true
}

fn chosen(choices: &[LabelChoice], name: &str, value: &str) -> bool {
    choices.iter().any(|choice| match choice {
        LabelChoice::Name(n) => n == name,
        LabelChoice::Matching(m) => m.name == name && m.matches(value),
    })
}

fn drop_labels(choices: &[LabelChoice], state: &mut LabelState) {
    for choice in choices {
        let name = match choice {
            LabelChoice::Name(name) => name,
            LabelChoice::Matching(m) => {
                if !m.matches(state.get(&m.name).unwrap_or("")) {
                    continue;
                }
                &m.name
            }
        };
        match name.as_str() {
            ERROR => state.clear_error(),
            ERROR_DETAILS => state.clear_error_details(),
            name => state.remove(name),
        }
    }
}

fn keep_labels(choices: &[LabelChoice], state: &mut LabelState) {
    for name in state.names() {
        let keep = chosen(choices, &name, state.get(&name).unwrap_or(""));
        if !keep {
            state.remove(&name);
        }
    }
}

/// Texts of the filters that see the line as it is stored. A stage that rewrites lines ends the search.
fn needles(stages: &[Stage]) -> Vec<Needle> {
    let mut needles = Vec::new();
    for stage in stages {
        match stage {
            Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize => break,
            Stage::LineFilter(filter) => match (filter.op, filter.alternatives.as_slice()) {
                (LineFilterOp::Contains, [LineTest::Text(text)]) if !text.is_empty() => {
                    needles.push(Needle(text.clone()));
                }
                (LineFilterOp::Pattern, [LineTest::Text(text)]) => {
                    if let Ok(pattern) = logql_syntax::pattern::Pattern::line_filter(text) {
                        needles.extend(pattern.literals().map(|text| Needle(text.to_owned())));
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    needles
}
