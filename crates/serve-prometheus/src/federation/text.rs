//! Federated families as text 0.0.4.

use std::fmt::Write;

use model::labels::{is_classic_label_name, is_classic_metric_name};
use model::{Labels, Value, float};

use super::escaping::Escaping;
use super::{Family, all_labels};

pub fn write(out: &mut Vec<u8>, family: &Family<'_>, external: &Labels, escaping: Escaping) {
    let name = escaping.escape(family.name);
    let classic = is_classic_metric_name(&name);
    let mut text = String::with_capacity(family.metrics.len() * 96);
    text.push_str("# TYPE ");
    push_name(&mut text, &name, classic);
    text.push_str(" untyped\n");
    for metric in family.metrics {
        let Value::Float(value) = metric.value else { continue };
        // A name that needs quotes stands among the labels.
        if classic {
            text.push_str(&name);
        }
        text.push('{');
        if !classic {
            push_name(&mut text, &name, false);
        }
        for (i, (label, value)) in all_labels(&metric.labels, external).enumerate() {
            if i > 0 || !classic {
                text.push(',');
            }
            let label = escaping.escape(label);
            push_name(&mut text, &label, is_classic_label_name(&label));
            text.push_str("=\"");
            escape(&mut text, value);
            text.push('"');
        }
        text.push_str("} ");
        float::write_g(&mut text, value);
        let _ = writeln!(text, " {}", metric.t);
    }
    out.extend_from_slice(text.as_bytes());
}

fn push_name(out: &mut String, name: &str, classic: bool) {
    if classic {
        return out.push_str(name);
    }
    out.push('"');
    escape(out, name);
    out.push('"');
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}
