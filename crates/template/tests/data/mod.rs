//! The data and functions of the cases: the same as in `oracle/main.go`.

use std::collections::BTreeMap;
use std::sync::Arc;

use template::time::{Duration, Time, Zone, parse};
use template::{Functions, Kind, Object, Signature, Value, display};

/// A label map with methods.
#[derive(Debug)]
struct Kv(Arc<BTreeMap<String, String>>);

impl Kv {
    fn names(&self) -> Vec<Value> {
        self.0.keys().map(Value::str).collect()
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value.map(Value::flatten) {
        Some(Value::List(items)) => items.iter().map(display).collect(),
        _ => Vec::new(),
    }
}

impl Object for Kv {
    fn type_name(&self) -> &str {
        "main.KV"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        Some(match name {
            "Names" => (&[], None),
            "Remove" => (&[Kind::Named("[]string")], None),
            "Get" => (&[Kind::Str], None),
            "Concat" => (&[Kind::Str], Some(Kind::Str)),
            _ => return None,
        })
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        Some(match name {
            "Names" => Ok(Value::typed_list("[]string", self.names())),
            "Remove" => {
                let mut map = (*self.0).clone();
                texts(args.first()).iter().for_each(|name| drop(map.remove(name)));
                Ok(kv(map))
            }
            "Get" => {
                let name = args.first().map(display).unwrap_or_default();
                match self.0.get(&name) {
                    Some(value) => Ok(Value::str(value)),
                    None => Err(format!("no label {}", template::quote(&name))),
                }
            }
            "Concat" => {
                let separator = args.first().map(display).unwrap_or_default();
                let parts: Vec<String> =
                    self.names().iter().chain(args.iter().skip(1)).map(display).collect();
                Ok(parts.join(&separator).into())
            }
            _ => return None,
        })
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::StrMap(self.0.clone()))
    }
}

fn kv(map: BTreeMap<String, String>) -> Value {
    Value::object(Kv(Arc::new(map)))
}

/// A list that prints in its own way.
#[derive(Debug)]
struct Pairs(Vec<&'static str>);

impl Object for Pairs {
    fn type_name(&self) -> &str {
        "main.Pairs"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        (name == "String").then_some((&[], None))
    }

    fn method(&self, name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        (name == "String").then(|| Ok(self.0.join("; ").into()))
    }

    fn stringer(&self) -> Option<String> {
        Some(self.0.join("; "))
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::list(self.0.iter().map(Value::str).collect()))
    }
}

/// A struct.
#[derive(Debug, Clone)]
struct Alert {
    status: &'static str,
    labels: Value,
    value: f64,
}

impl Object for Alert {
    fn type_name(&self) -> &str {
        "main.Alert"
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Status" => self.status.into(),
            "Labels" => self.labels.clone(),
            "Value" => self.value.into(),
            _ => return None,
        })
    }

    fn fields(&self) -> Vec<(String, Value)> {
        ["Status", "Labels", "Value"]
            .iter()
            .filter_map(|name| self.field(name).map(|value| ((*name).to_owned(), value)))
            .collect()
    }
}

/// A list with methods.
#[derive(Debug)]
struct Alerts(Vec<Alert>);

impl Object for Alerts {
    fn type_name(&self) -> &str {
        "main.Alerts"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        (name == "Firing").then_some((&[], None))
    }

    fn method(&self, name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        let firing = self.0.iter().filter(|alert| alert.status == "firing");
        let firing = firing.map(|alert| Value::object(alert.clone())).collect();
        (name == "Firing").then(|| Ok(Value::typed_list("[]main.Alert", firing)))
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::list(self.0.iter().map(|alert| Value::object(alert.clone())).collect()))
    }
}

fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn map(pairs: Vec<(&str, Value)>) -> Value {
    Value::from(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>())
}

fn list(items: &[&str]) -> Vec<Value> {
    items.iter().map(Value::str).collect()
}

pub fn root() -> Value {
    let labels = || kv(strings(&[("alertname", "Down"), ("job", "node"), ("zone", "a<b>&\"c\"")]));
    let alert = |status, labels, value| Alert { status, labels, value };
    let numbers = Value::list(vec![Value::Int(1), Value::Int(2)]);
    map(vec![
        ("Name", "O'Reilly <b> & co".into()),
        ("Empty", "".into()),
        ("Word", "héllo, 世界".into()),
        ("Tab", "a\tb\nc\\d\0e\u{2028}f".into()),
        ("Count", Value::Int(3)),
        ("Zero", Value::Int(0)),
        ("Minus", Value::Int(-42)),
        ("Big", Value::Int(9_007_199_254_740_993)),
        ("Ratio", Value::Float(0.25)),
        ("Million", Value::Float(1_234_567.0)),
        ("Tiny", Value::Float(1e-7)),
        ("Huge", Value::Float(1e21)),
        ("NaN", Value::Float(f64::NAN)),
        ("Inf", Value::Float(f64::INFINITY)),
        ("Yes", true.into()),
        ("No", false.into()),
        ("Nil", Value::Nil),
        ("Items", Value::list(list(&["a", "b", "c"]))),
        (
            "Mixed",
            Value::list(vec![
                Value::Int(1),
                "two".into(),
                Value::Float(3.5),
                true.into(),
                Value::Nil,
                Value::list(list(&["x"])),
            ]),
        ),
        ("None", Value::list(Vec::new())),
        ("Strs", Value::typed_list("[]string", list(&["x", "y", "z"]))),
        ("KV", labels()),
        ("Map", strings(&[("k", "v"), ("a", "b<c>")]).into()),
        (
            "Any",
            map(vec![
                ("n", Value::Int(1)),
                ("s", "str".into()),
                ("nil", Value::Nil),
                ("deep", map(vec![("x", numbers)])),
            ]),
        ),
        ("NoMap", BTreeMap::<String, String>::new().into()),
        ("Pairs", Value::object(Pairs(vec!["a=1", "b=2"]))),
        (
            "Alerts",
            Value::object(Alerts(vec![
                alert("firing", labels(), 1.5),
                alert("resolved", kv(strings(&[("job", "db")])), 0.0),
            ])),
        ),
        ("At", Value::Time(Time::from_ms(1_700_000_000_123))),
        ("Never", Value::Time(Time::zero())),
        ("Took", Value::Duration(Duration(90_500_000_000))),
        ("NoTime", Value::Duration(Duration(0))),
        ("Html", Value::Html("<b class=\"x\">bo&amp;ld</b> <i>'it'</i>".into())),
        ("Url", Value::Url("javascript:f(1, 2)".into())),
        ("Link", "http://x.example/a b/?q=c d&e=f#g".into()),
        ("Script", "javascript:alert(1)".into()),
        ("Path", "/a/b?c=d e".into()),
        ("Css", "color: red".into()),
        ("Evil", "expression(alert(1))".into()),
        ("Set", "/a.png 1x, http://b/c d.png 2x, javascript:x 3x".into()),
        ("Quote", "'\"`\\/<!--</script>${x}".into()),
        ("Attr", "Title".into()),
        ("On", "onclick".into()),
    ])
}

pub fn functions() -> Functions {
    use Kind::{Any, Bool, Duration as Pause, Float, Int, Named, Str, Time as At};
    let mut f = Functions::new();
    f.add("toUpper", &[Str], |call| Ok(call.text(0).to_uppercase().into()));
    f.add("half", &[Float], |call| match call.arg(0) {
        Value::Float(v) => Ok(Value::Float(v / 2.0)),
        other => Err(format!("{other:?} is no float")),
    });
    f.add("next", &[Int], |call| Ok(Value::Int(call.int(0) + 1)));
    f.add("not1", &[Bool], |call| Ok(Value::Bool(!call.arg(0).truth())));
    f.add("fail", &[], |_| Err("no luck".into()));
    f.add("failIf", &[Bool, Str], |call| match call.arg(0) {
        Value::Bool(true) => Err("it <failed>".into()),
        _ => Ok(call.text(1).into()),
    });
    f.add("safeHtml", &[Str], |call| Ok(Value::Html(call.text(0).into())));
    f.add("safeUrl", &[Str], |call| Ok(Value::Url(call.text(0).into())));
    f.add_variadic("list", &[], Any, |call| Ok(Value::list(call.args.to_vec())));
    f.add_variadic("strs", &[], Str, |call| Ok(Value::typed_list("[]string", call.args.to_vec())));
    f.add("join", &[Str, Named("[]string")], |call| Ok(texts(Some(call.arg(1))).join(call.text(0)).into()));
    f.add("nothing", &[], |_| Ok(Value::Nil));
    f.add("size", &[Named("main.KV")], |call| {
        Ok(Value::Int(call.arg(0).length().unwrap_or_default() as i64))
    });
    f.add_variadic("sum", &[Str], Int, |call| {
        let total: i64 = (1..call.args.len()).map(|i| call.int(i)).sum();
        Ok(format!("{}{total}", call.text(0)).into())
    });
    f.add("pause", &[Pause], |call| Ok(display(call.arg(0)).into()));
    f.add("year", &[At], |call| match call.arg(0) {
        Value::Time(t) => Ok(Value::Int(t.civil().year)),
        other => Err(format!("{other:?} is no time")),
    });
    f.add("toTime", &[Str, Str], |call| parse(call.text(0), call.text(1), &Zone::Utc).map(Value::Time));
    f.add("unix", &[Int, Int], |call| {
        Ok(Value::Time(Time { unix: call.int(0), nanos: call.int(1) as u32, zone: Zone::Utc }))
    });
    f.add("zone", &[Str, At], |call| match call.arg(1) {
        Value::Time(t) => t.in_zone(call.text(0)).map(Value::Time),
        other => Err(format!("{other:?} is no time")),
    });
    f.add("show", &[Any], |call| Ok(display(call.arg(0)).into()));
    f
}
