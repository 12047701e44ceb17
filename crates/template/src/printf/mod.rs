//! Go's `fmt` verbs over [`Value`].
//!
//! `directive` reads `%-08.3f` and finds its argument; `print` turns one value into text for a verb;
//! `number` writes integers and floats. Mistakes in a format do not fail, they show in the output
//! (`%!d(string=hi)`), as in Go.

mod directive;
mod number;
mod print;

pub use directive::sprintf;
use print::Printer;

use crate::value::Value;

/// `fmt.Sprint` of one value: `%v`.
pub fn display(value: &Value) -> String {
    match value {
        Value::Str(s) | Value::Html(s) | Value::Url(s) => s.to_string(),
        Value::Int(n) => n.to_string(),
        value => {
            let mut printer = Printer::default();
            printer.value(value, 'v');
            printer.out
        }
    }
}

/// `fmt.Sprint`: blanks between arguments when neither is a string.
pub(crate) fn sprint(args: &[Value]) -> String {
    let mut out = String::new();
    let mut previous = true;
    for (i, arg) in args.iter().enumerate() {
        let is_string = arg.as_str().is_some();
        if i > 0 && !is_string && !previous {
            out.push(' ');
        }
        out.push_str(&display(arg));
        previous = is_string;
    }
    out
}

/// `fmt.Sprintln`: blanks between all arguments, and a line end.
pub(crate) fn sprintln(args: &[Value]) -> String {
    let shown: Vec<String> = args.iter().map(display).collect();
    shown.join(" ") + "\n"
}
