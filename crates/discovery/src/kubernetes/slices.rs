//! Role `endpointslice`: as `endpoints`, from the slices that newer clusters cut them into.

use serde_json::Value;

use super::Around;
use super::endpoints::{Behind, push_kind};
use super::object::{Pairs, key, labels, list, name, namespace, number, push, push_metadata, text};
use super::pod::{push_namespace, push_node};
use super::service::push_service;
use crate::group::{ADDRESS_LABEL, TargetGroup};
use crate::reply::{host_port, sanitized};

/// The label by which a slice names its service.
const SERVICE_NAME: &str = "/metadata/labels/kubernetes.io~1service-name";

pub fn group(around: &Around, slice: &Value) -> TargetGroup {
    let mut pairs = Pairs::new();
    push(&mut pairs, "namespace", namespace(slice));
    push(&mut pairs, "endpointslice_name", name(slice));
    push(&mut pairs, "endpointslice_address_type", text(slice, "/addressType"));
    push_metadata(&mut pairs, "endpointslice", slice);
    if let Some(service) = around.services.get(&format!("{}/{}", namespace(slice), text(slice, SERVICE_NAME)))
    {
        push_service(&mut pairs, service);
    }
    push_namespace(&mut pairs, around, namespace(slice));
    let mut behind = Behind::default();
    let mut targets = Vec::new();
    for port in list(slice, "/ports") {
        let number = number(port, "/port");
        for endpoint in list(slice, "/endpoints") {
            for address in list(endpoint, "/addresses").filter_map(Value::as_str) {
                let host = if number.is_empty() { address.to_owned() } else { host_port(address, &number) };
                let mut target: Pairs = vec![(ADDRESS_LABEL.to_owned(), host)];
                for (field, label) in [
                    ("/name", "endpointslice_port_name"),
                    ("/protocol", "endpointslice_port_protocol"),
                    ("/appProtocol", "endpointslice_port_app_protocol"),
                ] {
                    if !text(port, field).is_empty() {
                        push(&mut target, label, text(port, field));
                    }
                }
                if !number.is_empty() {
                    push(&mut target, "endpointslice_port", number.as_str());
                }
                for condition in ["ready", "serving", "terminating"] {
                    if let Some(is) =
                        endpoint.pointer(&format!("/conditions/{condition}")).and_then(Value::as_bool)
                    {
                        push(
                            &mut target,
                            &format!("endpointslice_endpoint_conditions_{condition}"),
                            is.to_string(),
                        );
                    }
                }
                push_kind(&mut target, "endpointslice_address_target", endpoint.get("targetRef"));
                for (field, label) in [
                    ("/hostname", "endpointslice_endpoint_hostname"),
                    ("/nodeName", "endpointslice_endpoint_node_name"),
                    ("/zone", "endpointslice_endpoint_zone"),
                ] {
                    if !text(endpoint, field).is_empty() {
                        push(&mut target, label, text(endpoint, field));
                    }
                }
                let topology = endpoint.get("deprecatedTopology").and_then(Value::as_object);
                for (name, value) in topology.into_iter().flatten() {
                    let name = sanitized(name);
                    let value = value.as_str().unwrap_or("");
                    push(&mut target, &format!("endpointslice_endpoint_topology_{name}"), value);
                    push(&mut target, &format!("endpointslice_endpoint_topology_present_{name}"), "true");
                }
                push_node(&mut target, around, text(endpoint, "/nodeName"));
                behind.push(around, slice, endpoint.get("targetRef"), &number, &mut target);
                targets.push(labels(target));
            }
        }
    }
    behind.others(around, &mut targets);
    TargetGroup { source: format!("endpointslice/{}", key(slice)), targets, labels: labels(pairs) }
}
