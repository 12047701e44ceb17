//! What `html/template` adds to `text/template`: every value is escaped for the place it appears in.
//!
//! ```text
//! trees ──escape: follow the page through every branch──▶ trees with escapers in their pipelines ──exec──▶
//! ```
//!
//! Before the execution, the text of the template is read as a browser would read it (`transition`), through
//! all branches and called templates. Where an action stands decides which functions are added to the end of
//! its pipeline (`escape`): `<a href="{{.}}">` becomes
//! `{{. | _html_template_urlfilter | _html_template_urlnormalizer | _html_template_attrescaper}}`. A template
//! that is called in several places gets one version for each. When the branches of an `if` end in different
//! places, there is no answer, and the template is refused.

mod attribute;
mod context;
mod css;
mod entity;
mod escape;
mod js;
mod json;
mod pipeline;
mod text;
mod transition;
mod url;

pub(crate) use escape::escape;

use crate::functions::{Functions, Kind};
use crate::printf::sprint;
use crate::value::Value;
use text::Trust;

/// What stands in for a value that would be dangerous in its place.
const UNSAFE: &str = "ZgotmplZ";

/// The text of the arguments of an escaper; nil has none.
fn stringify(args: &[Value]) -> (String, Trust) {
    match args {
        [Value::Str(text)] => (text.to_string(), Trust::Plain),
        [Value::Html(text)] => (text.to_string(), Trust::Html),
        [Value::Url(text)] => (text.to_string(), Trust::Url),
        args => {
            let given: Vec<Value> = args.iter().filter(|arg| !matches!(arg, Value::Nil)).cloned().collect();
            (sprint(&given), Trust::Plain)
        }
    }
}

/// Adds the functions that escaped pipelines call.
fn install(functions: &mut Functions) {
    let mut add = |name: &str, escaper: fn(&str, Trust) -> String| {
        functions.add_variadic(&format!("_html_template_{name}"), &[], Kind::Any, move |call| {
            let (text, trust) = stringify(call.args);
            Ok(escaper(&text, trust).into())
        });
    };
    add("attrescaper", text::escape_attribute);
    add("commentescaper", |_, _| String::new());
    add("cssescaper", |text, _| css::escape(text));
    add("cssvaluefilter", |text, _| css::filter(text));
    add("htmlnamefilter", |text, _| text::filter_name(text));
    add("htmlescaper", |text, trust| match trust {
        Trust::Html => text.to_owned(),
        _ => text::escape(text, false),
    });
    add("jsregexpescaper", |text, _| js::escape(text, js::Literal::Regexp));
    add("jsstrescaper", |text, _| js::escape(text, js::Literal::Str));
    add("jstmpllitescaper", |text, _| js::escape(text, js::Literal::Template));
    add("nospaceescaper", text::escape_unquoted);
    add("rcdataescaper", |text, trust| text::escape(text, trust == Trust::Html));
    add("srcsetescaper", |text, trust| match trust {
        Trust::Url => url::encode(text, true).replace(',', "%2c"),
        _ => url::srcset(text),
    });
    add("urlescaper", |text, trust| url::encode(text, trust == Trust::Url));
    add("urlfilter", |text, trust| match trust {
        Trust::Url => text.to_owned(),
        _ => url::filter(text),
    });
    add("urlnormalizer", |text, _| url::encode(text, true));
    functions
        .add_variadic("_html_template_jsvalescaper", &[], Kind::Any, |call| Ok(js::value(call.args).into()));
    functions.add_variadic("_eval_args_", &[], Kind::Any, |call| Ok(sprint(call.args).into()));
}
