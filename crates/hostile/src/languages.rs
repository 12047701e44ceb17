//! Query languages, regular expressions, templates.

use alerting::MatcherMode;
use promql_syntax::ParseOptions;

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// What parses is printed, and the print parses to what prints the same.
pub fn promql(data: &[u8]) {
    let Some(text) = text(data) else { return };
    for options in [ParseOptions::default(), ParseOptions::all()] {
        let Ok(expr) = promql_syntax::parse_with(text, options) else { continue };
        let printed = expr.to_string();
        match promql_syntax::parse_with(&printed, options) {
            Ok(again) => assert_eq!(printed, again.to_string(), "printed from {text:?}"),
            Err(error) => panic!("{text:?} prints as {printed:?}, which does not parse: {error}"),
        }
    }
    let _ = promql_syntax::parse_selector(text);
    let _ = model::duration::parse(text);
}

pub fn logql(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(expr) = logql_syntax::parse(text) else { return };
    let printed = expr.to_string();
    match logql_syntax::parse(&printed) {
        Ok(again) => assert_eq!(printed, again.to_string(), "printed from {text:?}"),
        Err(error) => panic!("{text:?} prints as {printed:?}, which does not parse: {error}"),
    }
}

/// The first line is a pattern, the rest a text for it.
pub fn regex(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let (pattern, subject) = text.split_once('\n').unwrap_or((text, "http_requests_total"));
    // Long patterns cost what they cost; here they only hide the short ones that are wrong.
    if pattern.len() > 256 || subject.len() > 256 {
        return;
    }
    let Ok(regex) = re2::Regex::new(pattern) else { return };
    let matched = regex.is_match(subject);
    assert_eq!(matched, regex.captures(subject).is_some(), "pattern {pattern:?} on {subject:?}");
    regex.replace_all(subject, "<$0$1${name}$$>");
    let Ok(anchored) = re2::Regex::anchored(pattern) else { return };
    if let Some(set) = anchored.literal_set() {
        assert_eq!(
            set.iter().any(|s| s == subject),
            anchored.is_match(subject),
            "{pattern:?} on {subject:?}"
        );
    }
    if anchored.is_match(subject) {
        assert!(subject.starts_with(anchored.literal_prefix()), "{pattern:?} on {subject:?}");
    }
}

/// What is accepted is printed, and the print means the same in the notation with quotes.
pub fn matchers(data: &[u8]) {
    let Some(text) = text(data) else { return };
    // Patterns have a target of their own.
    if text.len() > 512 {
        return;
    }
    for mode in [MatcherMode::Fallback, MatcherMode::Classic, MatcherMode::Utf8] {
        let _ = alerting::parse_matcher(text, mode);
        let Ok(parsed) = alerting::parse_matchers(text, mode) else { continue };
        // A name of no letters can be written in quotes and is printed without, by the original as well.
        if parsed.iter().any(|matcher| matcher.name.is_empty()) {
            continue;
        }
        let printed = alerting::format_matchers(&parsed);
        match alerting::parse_matchers(&printed, MatcherMode::Utf8) {
            Ok(again) => assert_eq!(printed, alerting::format_matchers(&again), "printed from {text:?}"),
            Err(error) => panic!("{text:?} prints as {printed:?}, which does not parse: {error}"),
        }
    }
}

/// The template is run on values of every kind, as text and as a page.
pub fn template(data: &[u8]) {
    let Some(text) = text(data) else { return };
    // Long templates cost what they cost; a loop in a loop in a loop is what the limits are tested with.
    if text.len() > 4096 {
        return;
    }
    let mut functions = template::Functions::new();
    template::humanize::install(&mut functions);
    let mut set = template::Set::new(functions);
    if set.parse("hostile", text).is_err() {
        return;
    }
    let _ = set.execute("hostile", &template_data());
    let _ = set.execute_html("hostile", &template_data());
}

fn template_data() -> template::Value {
    use template::Value;
    let labels = [("job", "node"), ("a", "<b>&'\"`\\/</script>")];
    let labels: std::collections::BTreeMap<String, String> =
        labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let root: std::collections::BTreeMap<String, Value> = [
        ("A", Value::list(vec![Value::str("a<b>&\"c\""), Value::Nil, Value::Int(-1), Value::Bool(true)])),
        ("F", Value::Float(1.5)),
        ("N", Value::Float(f64::NAN)),
        ("I", Value::Int(i64::MIN)),
        ("L", labels.into()),
        ("T", Value::Time(template::time::Time::from_ms(1_700_000_000_123))),
        ("D", Value::Duration(template::time::Duration(-1))),
        ("H", Value::Html("<i x='y'>é\0</i>".into())),
        ("U", Value::Url("javascript:a(%zz)".into())),
        ("S", Value::typed_list("[]string", vec![Value::str("x"), Value::str("")])),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    root.into()
}
