//! Role `endpoints`: one target for each address and port of each subset, and the other ports of the pods
//! behind them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Around;
use super::object::{Pairs, key, labels, list, name, namespace, number, push, push_metadata, text};
use super::pod::{containers, push_namespace, push_node, push_pod};
use super::service::push_service;
use crate::group::{ADDRESS_LABEL, TargetGroup};
use crate::reply::host_port;

pub fn group(around: &Around, endpoints: &Value) -> TargetGroup {
    let mut pairs = Pairs::new();
    push(&mut pairs, "namespace", namespace(endpoints));
    push(&mut pairs, "endpoints_name", name(endpoints));
    push_metadata(&mut pairs, "endpoints", endpoints);
    if let Some(service) = around.services.get(&key(endpoints)) {
        push_service(&mut pairs, service);
    }
    push_namespace(&mut pairs, around, namespace(endpoints));
    let mut behind = Behind::default();
    let mut targets = Vec::new();
    for subset in list(endpoints, "/subsets") {
        for port in list(subset, "/ports") {
            for (field, ready) in [("/addresses", "true"), ("/notReadyAddresses", "false")] {
                for address in list(subset, field) {
                    let number = number(port, "/port");
                    let mut target: Pairs =
                        vec![(ADDRESS_LABEL.to_owned(), host_port(text(address, "/ip"), &number))];
                    push(&mut target, "endpoint_port_name", text(port, "/name"));
                    push(&mut target, "endpoint_port_protocol", text(port, "/protocol"));
                    push(&mut target, "endpoint_ready", ready);
                    push_kind(&mut target, "endpoint_address_target", address.get("targetRef"));
                    for (field, label) in
                        [("/nodeName", "endpoint_node_name"), ("/hostname", "endpoint_hostname")]
                    {
                        if !text(address, field).is_empty() {
                            push(&mut target, label, text(address, field));
                        }
                    }
                    push_node(&mut target, around, text(address, "/nodeName"));
                    behind.push(around, endpoints, address.get("targetRef"), &number, &mut target);
                    targets.push(labels(target));
                }
            }
        }
    }
    behind.others(around, &mut targets);
    TargetGroup { source: format!("endpoints/{}", key(endpoints)), targets, labels: labels(pairs) }
}

/// What an address refers to, usually a pod.
pub fn push_kind(pairs: &mut Pairs, prefix: &str, target: Option<&Value>) {
    if let Some(target) = target {
        push(pairs, &format!("{prefix}_kind"), text(target, "/kind"));
        push(pairs, &format!("{prefix}_name"), text(target, "/name"));
    }
}

/// The pods behind a service, and which of their ports it serves.
#[derive(Default)]
pub struct Behind {
    ports: BTreeMap<String, Vec<String>>,
}

impl Behind {
    /// Adds to a target what is known of its pod and of the container that has the port.
    pub fn push(
        &mut self,
        around: &Around,
        owner: &Value,
        reference: Option<&Value>,
        port: &str,
        pairs: &mut Pairs,
    ) {
        let Some(reference) = reference.filter(|r| text(r, "/kind") == "Pod") else { return };
        let own = text(reference, "/namespace");
        let key =
            format!("{}/{}", if own.is_empty() { namespace(owner) } else { own }, text(reference, "/name"));
        let Some(pod) = around.pods.get(&key) else { return };
        push_pod(pairs, pod);
        self.ports.entry(key).or_default().push(port.to_owned());
        for container in containers(pod) {
            if let Some(found) = list(container.spec, "/ports").find(|p| number(p, "/containerPort") == port)
            {
                container.push(pairs);
                container.push_port(pairs, found);
                break;
            }
        }
    }

    /// The ports of those pods that the service does not serve are targets as well.
    pub fn others(&self, around: &Around, targets: &mut Vec<model::Labels>) {
        for (key, served) in &self.ports {
            let Some(pod) = around.pods.get(key) else { continue };
            let ip = text(pod, "/status/podIP");
            if ip.is_empty() {
                continue;
            }
            for container in containers(pod) {
                for port in list(container.spec, "/ports") {
                    let number = number(port, "/containerPort");
                    if served.contains(&number) {
                        continue;
                    }
                    let mut target: Pairs = vec![(ADDRESS_LABEL.to_owned(), host_port(ip, &number))];
                    container.push(&mut target);
                    container.push_port(&mut target, port);
                    push_pod(&mut target, pod);
                    push_node(&mut target, around, text(pod, "/spec/nodeName"));
                    targets.push(labels(target));
                }
            }
        }
    }
}
