//! Role `node`: one target a node, its kubelet.

use serde_json::Value;

use super::object::{Pairs, labels, list, name, number, push, push_metadata, text};
use crate::group::{ADDRESS_LABEL, TargetGroup};
use crate::reply::{host_port, sanitized};

/// Which of a node's addresses is used, best first.
const ADDRESS_TYPES: &[&str] =
    &["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"];

pub fn group(node: &Value) -> TargetGroup {
    let mut pairs = Pairs::new();
    push(&mut pairs, "node_name", name(node));
    push(&mut pairs, "node_provider_id", text(node, "/spec/providerID"));
    push_metadata(&mut pairs, "node", node);
    let addresses: Vec<(&str, &str)> =
        list(node, "/status/addresses").map(|a| (text(a, "/type"), text(a, "/address"))).collect();
    let first = |kind: &str| addresses.iter().find(|(k, _)| *k == kind).map(|(_, address)| *address);
    let mut targets = Vec::new();
    if let Some(address) = ADDRESS_TYPES.iter().find_map(|kind| first(kind)) {
        let port = number(node, "/status/daemonEndpoints/kubeletEndpoint/Port");
        let mut target: Pairs = vec![
            (ADDRESS_LABEL.to_owned(), host_port(address, if port.is_empty() { "0" } else { &port })),
            ("instance".to_owned(), name(node).to_owned()),
        ];
        let mut seen: Vec<&str> = Vec::new();
        for (kind, address) in &addresses {
            if !seen.contains(kind) {
                seen.push(kind);
                push(&mut target, &format!("node_address_{}", sanitized(kind)), *address);
            }
        }
        targets.push(labels(target));
    }
    TargetGroup { source: format!("node/{}", name(node)), targets, labels: labels(pairs) }
}
