//! Which routes an alert takes.

use std::time::Duration;

use model::Labels;

use crate::{MatcherMode, RouteSpec, RouteTree, parse_matchers};

fn route(matchers: &str, receiver: &str, continues: bool, routes: Vec<RouteSpec>) -> RouteSpec {
    RouteSpec {
        receiver: (!receiver.is_empty()).then(|| receiver.to_owned()),
        matchers: parse_matchers(matchers, MatcherMode::Fallback).unwrap(),
        continues,
        routes,
        ..RouteSpec::default()
    }
}

fn tree() -> RouteTree {
    let mut root = route(
        "",
        "default",
        false,
        vec![
            route("team=\"ai\"", "ai", true, vec![route("severity=critical", "ai-pager", false, vec![])]),
            route("severity=~\"critical|page\"", "pager", false, vec![]),
            route("severity!=\"info\"", "mail", false, vec![route("quiet=yes", "", false, vec![])]),
        ],
    );
    root.group_by = Some(["alertname".to_owned()].into());
    root.group_wait = Some(Duration::from_secs(5));
    root.routes[1].group_by_all = true;
    root.routes[2].group_by = Some(Default::default());
    RouteTree::new(&root)
}

#[test]
fn the_deepest_match_wins_and_continue_goes_on() {
    let tree = tree();
    let check = |labels: &[(&str, &str)], expected: &str| {
        let labels = Labels::from_pairs(labels.iter().copied());
        let names: Vec<&str> = tree.matching(&labels).iter().map(|r| r.receiver.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{labels:?}");
    };
    check(&[("severity", "info")], "default");
    check(&[("severity", "page")], "pager");
    check(&[("severity", "warning")], "mail");
    check(&[], "mail");
    check(&[("team", "ai"), ("severity", "critical")], "ai-pager pager");
    check(&[("team", "ai"), ("severity", "info")], "ai");
    check(&[("team", "ai")], "ai mail");
    check(&[("quiet", "yes")], "mail");
}

#[test]
fn settings_are_inherited_and_keys_name_the_path() {
    let tree = tree();
    let keys: Vec<&str> = tree.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "{}",
            "{}/{team=\"ai\"}",
            "{}/{team=\"ai\"}/{severity=\"critical\"}",
            "{}/{severity=~\"critical|page\"}",
            "{}/{severity!=\"info\"}",
            "{}/{severity!=\"info\"}/{quiet=\"yes\"}",
        ]
    );
    assert!(tree.iter().all(|r| r.group_wait == Duration::from_secs(5)));
    let labels = Labels::from_pairs([("alertname", "X"), ("b", "1")]);
    let groups: Vec<usize> = tree.iter().map(|r| r.group_labels(&labels).len()).collect();
    assert_eq!(groups, [1, 1, 1, 2, 0, 0]);
}
