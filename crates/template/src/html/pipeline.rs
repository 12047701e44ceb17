//! Adding escapers to a pipeline, without doing again what the author already does.

use crate::node::{Command, OperandKind, Pipe};

/// The escapers templates may call themselves.
pub(super) fn is_predefined(name: &str) -> bool {
    matches!(name, "html" | "urlquery")
}

/// Escapers that make the same text safe for the same places.
fn family(name: &str) -> &str {
    match name {
        "_html_template_attrescaper" | "_html_template_htmlescaper" | "_html_template_rcdataescaper" => {
            "html"
        }
        "_html_template_urlescaper" | "_html_template_urlnormalizer" => "urlquery",
        name => name,
    }
}

/// Whether nothing is left to do for `next` after `last`.
fn is_redundant(last: &str, next: &str) -> bool {
    match next {
        "_html_template_attrescaper" => matches!(
            last,
            "_html_template_commentescaper"
                | "_html_template_cssescaper"
                | "_html_template_jsregexpescaper"
                | "_html_template_jsstrescaper"
                | "_html_template_jstmpllitescaper"
        ),
        "_html_template_htmlescaper" => last == "_html_template_commentescaper",
        "_html_template_urlnormalizer" => last == "_html_template_urlescaper",
        _ => false,
    }
}

fn append(commands: &mut Vec<Command>, pos: usize, name: &str) {
    let redundant =
        commands.last().and_then(Command::identifier).is_some_and(|last| is_redundant(last, name));
    if !redundant {
        commands.push(Command::call(pos, name));
    }
}

/// Makes sure that `pipe` ends with `escapers`. A predefined escaper at its end takes the place of one of its
/// family.
pub(super) fn ensure_escaped(pipe: &mut Pipe, escapers: &[&str]) {
    if escapers.is_empty() {
        return;
    }
    let mut escapers: Vec<String> = escapers.iter().map(|name| (*name).to_owned()).collect();
    let mut keep = pipe.commands.len();
    let predefined = pipe
        .commands
        .last()
        .and_then(Command::identifier)
        .filter(|name| is_predefined(name))
        .map(str::to_owned);
    if let Some(predefined) = predefined {
        let pos = pipe.pos;
        if let [only] = pipe.commands.as_mut_slice()
            && only.args.len() > 1
        {
            // `html a b` is split: its arguments first, the escaper at its place in the order after.
            if let Some(first) = only.args.first_mut() {
                first.kind = OperandKind::Identifier("_eval_args_".into());
            }
            append(&mut pipe.commands, pos, &predefined);
            keep += 1;
        }
        let mut replaced = false;
        for escaper in &mut escapers {
            if family(escaper) == family(&predefined) {
                escaper.clone_from(&predefined);
                replaced = true;
            }
        }
        keep -= usize::from(replaced);
    }
    pipe.commands.truncate(keep);
    let present: Vec<String> =
        pipe.commands.iter().filter_map(Command::identifier).map(|name| family(name).to_owned()).collect();
    for escaper in escapers {
        if !present.iter().any(|name| name == family(&escaper)) {
            append(&mut pipe.commands, pipe.pos, &escaper);
        }
    }
}
