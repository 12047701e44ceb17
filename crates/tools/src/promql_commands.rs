//! `promql`: expressions as text.

use flags::{Flag, Flags};
use model::{MatchOp, Matcher};
use promql_syntax::{Expr, ParseOptions, parse_with};

use crate::command::{Action, Command, Context, Failure, Usage, say};

pub const COMMAND: Command = Command {
    name: "promql",
    about: "PromQL formatting and editing",
    action: Action::Group(&[
        Command { name: "format", about: "Format an expression", action: Action::Run(&FORMAT) },
        Command {
            name: "label-matchers",
            about: "Edit the label matchers of an expression",
            action: Action::Group(&[
                Command {
                    name: "set",
                    about: "Set a label matcher in all selectors",
                    action: Action::Run(&SET),
                },
                Command {
                    name: "delete",
                    about: "Delete the matchers of a label in all selectors",
                    action: Action::Run(&DELETE),
                },
            ]),
        },
    ]),
};

const FORMAT: Usage = Usage {
    arguments: "<query>",
    count: (1, 1),
    flags: &[],
    help: "\
Example:
  cloudos-monitor promql format 'sum(rate(a[5m]))by(job)'
",
    run: |_, args, _| {
        let expr = parse(args.first().map_or("", String::as_str))?;
        say(&format!("{expr}\n"))
    },
};

const SET: Usage = Usage {
    arguments: "<query> <name> <value>",
    count: (3, 3),
    flags: &[
        Flag::value("type", "=", "Type of the label matcher to set."),
        Flag::value("t", "", "Short for --type."),
    ],
    help: "\
Example:
  cloudos-monitor promql label-matchers set 'rate(a[5m])' job node
",
    run: set,
};

const DELETE: Usage = Usage {
    arguments: "<query> <name>",
    count: (2, 2),
    flags: &[],
    help: "\
Example:
  cloudos-monitor promql label-matchers delete 'rate(a{job=\"b\"}[5m])' job
",
    run: |_, args, _| {
        let [query, name] = args else { return Ok(()) };
        edit(query, &mut |matchers| matchers.retain(|matcher| matcher.name != *name))
    },
};

fn set(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    let [query, name, value] = args else { return Ok(()) };
    let op = match flags.is_given("t") {
        true => flags.get("t"),
        false => flags.get("type"),
    };
    let op = match op {
        "=" => MatchOp::Equal,
        "!=" => MatchOp::NotEqual,
        "=~" => MatchOp::Regex,
        "!~" => MatchOp::NotRegex,
        other => return Err(Failure::new(format!("invalid label matcher type: {other}"))),
    };
    let matcher = Matcher::new(op, name, value).map_err(|e| Failure::new(e.to_string()))?;
    edit(query, &mut |matchers| match matchers.iter_mut().find(|m| m.name == *name) {
        Some(found) => *found = matcher.clone(),
        None => matchers.push(matcher.clone()),
    })
}

fn edit(query: &str, change: &mut dyn FnMut(&mut Vec<Matcher>)) -> Result<(), Failure> {
    let mut expr = parse(query)?;
    for_each_selector(&mut expr, change);
    say(&format!("{expr}\n"))
}

fn parse(query: &str) -> Result<Expr, Failure> {
    parse_with(query, ParseOptions::all()).map_err(|e| Failure::new(e.to_string()))
}

fn for_each_selector(expr: &mut Expr, change: &mut dyn FnMut(&mut Vec<Matcher>)) {
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(selector) => change(&mut selector.matchers),
        Expr::Matrix(matrix) => change(&mut matrix.selector.matchers),
        Expr::Subquery(subquery) => for_each_selector(&mut subquery.expr, change),
        Expr::Call(call) => call.args.iter_mut().for_each(|arg| for_each_selector(arg, change)),
        Expr::Aggregate(aggregate) => {
            for_each_selector(&mut aggregate.expr, change);
            if let Some(param) = &mut aggregate.param {
                for_each_selector(param, change);
            }
        }
        Expr::Binary(binary) => {
            for_each_selector(&mut binary.lhs, change);
            for_each_selector(&mut binary.rhs, change);
        }
        Expr::Unary(unary) => for_each_selector(&mut unary.expr, change),
        Expr::Paren(paren) => for_each_selector(&mut paren.expr, change),
    }
}
