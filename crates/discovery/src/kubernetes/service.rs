//! Role `service`: one target for each port of a service, by its cluster name.

use serde_json::Value;

use super::Around;
use super::object::{Pairs, key, labels, list, name, namespace, number, push, push_metadata, text};
use super::pod::push_namespace;
use crate::group::{ADDRESS_LABEL, TargetGroup};
use crate::reply::host_port;

pub fn group(around: &Around, service: &Value) -> TargetGroup {
    let mut pairs = Pairs::new();
    push(&mut pairs, "namespace", namespace(service));
    push_service(&mut pairs, service);
    push_namespace(&mut pairs, around, namespace(service));
    let host = format!("{}.{}.svc", name(service), namespace(service));
    let kind = text(service, "/spec/type");
    let targets = list(service, "/spec/ports").map(|port| {
        let number = number(port, "/port");
        let mut target: Pairs = vec![(ADDRESS_LABEL.to_owned(), host_port(&host, &number))];
        push(&mut target, "service_port_name", text(port, "/name"));
        push(&mut target, "service_port_number", number);
        push(&mut target, "service_port_protocol", text(port, "/protocol"));
        push(&mut target, "service_type", kind);
        match kind {
            "ExternalName" => push(&mut target, "service_external_name", text(service, "/spec/externalName")),
            _ => push(&mut target, "service_cluster_ip", text(service, "/spec/clusterIP")),
        }
        if kind == "LoadBalancer" {
            push(&mut target, "service_loadbalancer_ip", text(service, "/spec/loadBalancerIP"));
        }
        labels(target)
    });
    let targets = targets.collect();
    TargetGroup { source: format!("svc/{}", key(service)), targets, labels: labels(pairs) }
}

/// What a service says about whatever stands behind it.
pub fn push_service(pairs: &mut Pairs, service: &Value) {
    push(pairs, "service_name", name(service));
    push_metadata(pairs, "service", service);
}
