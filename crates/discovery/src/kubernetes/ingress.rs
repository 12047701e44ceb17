//! Role `ingress`: one target for each path of each host.

use serde_json::Value;

use super::Around;
use super::object::{Pairs, key, labels, list, name, namespace, push, push_metadata, text};
use super::pod::push_namespace;
use crate::group::{ADDRESS_LABEL, TargetGroup};

pub fn group(around: &Around, ingress: &Value) -> TargetGroup {
    let mut pairs = Pairs::new();
    push(&mut pairs, "namespace", namespace(ingress));
    push(&mut pairs, "ingress_name", name(ingress));
    push(&mut pairs, "ingress_class_name", text(ingress, "/spec/ingressClassName"));
    push_metadata(&mut pairs, "ingress", ingress);
    push_namespace(&mut pairs, around, namespace(ingress));
    let secure: Vec<&str> =
        list(ingress, "/spec/tls").flat_map(|tls| list(tls, "/hosts")).filter_map(Value::as_str).collect();
    let mut targets = Vec::new();
    for rule in list(ingress, "/spec/rules") {
        let host = text(rule, "/host");
        let scheme = if secure.iter().any(|pattern| covers(pattern, host)) { "https" } else { "http" };
        let mut paths: Vec<&str> = list(rule, "/http/paths").map(|p| text(p, "/path")).collect();
        if paths.is_empty() {
            paths.push("/");
        }
        for path in paths {
            let mut target: Pairs = vec![(ADDRESS_LABEL.to_owned(), host.to_owned())];
            push(&mut target, "ingress_scheme", scheme);
            push(&mut target, "ingress_host", host);
            push(&mut target, "ingress_path", if path.is_empty() { "/" } else { path });
            targets.push(labels(target));
        }
    }
    TargetGroup { source: format!("ingress/{}", key(ingress)), targets, labels: labels(pairs) }
}

/// Whether a TLS host, perhaps `*.domain`, covers `host`.
fn covers(pattern: &str, host: &str) -> bool {
    if pattern == host {
        return true;
    }
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((_, rest))) => domain == rest,
        _ => false,
    }
}
