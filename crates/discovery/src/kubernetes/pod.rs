//! Role `pod`: one target for each declared port of each container, one for a container without ports.

use serde_json::Value;

use super::Around;
use super::object::{Pairs, key, labels, list, name, namespace, number, push, push_metadata, text};
use crate::group::{ADDRESS_LABEL, TargetGroup};
use crate::reply::host_port;

pub fn group(around: &Around, pod: &Value) -> TargetGroup {
    let source = format!("pod/{}", key(pod));
    let ip = text(pod, "/status/podIP");
    // Without an address it runs nowhere yet.
    if ip.is_empty() {
        return TargetGroup { source, targets: Vec::new(), labels: model::Labels::empty() };
    }
    let mut pairs = Pairs::new();
    push(&mut pairs, "namespace", namespace(pod));
    push_pod(&mut pairs, pod);
    push_node(&mut pairs, around, text(pod, "/spec/nodeName"));
    push_namespace(&mut pairs, around, namespace(pod));
    let mut targets = Vec::new();
    for container in containers(pod) {
        let mut any = false;
        for port in list(container.spec, "/ports") {
            any = true;
            let mut target: Pairs =
                vec![(ADDRESS_LABEL.to_owned(), host_port(ip, number(port, "/containerPort")))];
            container.push(&mut target);
            container.push_port(&mut target, port);
            targets.push(labels(target));
        }
        if !any {
            // Relabelling may know the port.
            let address = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
            let mut target: Pairs = vec![(ADDRESS_LABEL.to_owned(), address)];
            container.push(&mut target);
            targets.push(labels(target));
        }
    }
    TargetGroup { source, targets, labels: labels(pairs) }
}

pub struct Container<'p> {
    pub spec: &'p Value,
    id: &'p str,
    init: bool,
}

pub fn containers(pod: &Value) -> impl Iterator<Item = Container<'_>> {
    let of = move |specs: &'static str, statuses: &'static str, init: bool| {
        list(pod, specs).map(move |spec| {
            let status = list(pod, statuses).find(|s| text(s, "/name") == text(spec, "/name"));
            Container { spec, id: status.map_or("", |s| text(s, "/containerID")), init }
        })
    };
    of("/spec/containers", "/status/containerStatuses", false).chain(of(
        "/spec/initContainers",
        "/status/initContainerStatuses",
        true,
    ))
}

impl Container<'_> {
    pub fn push(&self, pairs: &mut Pairs) {
        push(pairs, "pod_container_name", text(self.spec, "/name"));
        push(pairs, "pod_container_id", self.id);
        push(pairs, "pod_container_image", text(self.spec, "/image"));
        push(pairs, "pod_container_init", if self.init { "true" } else { "false" });
    }

    pub fn push_port(&self, pairs: &mut Pairs, port: &Value) {
        push(pairs, "pod_container_port_number", number(port, "/containerPort"));
        push(pairs, "pod_container_port_name", text(port, "/name"));
        let protocol = text(port, "/protocol");
        push(pairs, "pod_container_port_protocol", if protocol.is_empty() { "TCP" } else { protocol });
    }
}

pub fn push_pod(pairs: &mut Pairs, pod: &Value) {
    push(pairs, "pod_name", name(pod));
    push(pairs, "pod_ip", text(pod, "/status/podIP"));
    let ready = list(pod, "/status/conditions").find(|c| text(c, "/type") == "Ready");
    push(pairs, "pod_ready", ready.map_or("unknown", |c| text(c, "/status")).to_lowercase());
    push(pairs, "pod_phase", text(pod, "/status/phase"));
    push(pairs, "pod_node_name", text(pod, "/spec/nodeName"));
    push(pairs, "pod_host_ip", text(pod, "/status/hostIP"));
    push(pairs, "pod_uid", text(pod, "/metadata/uid"));
    push_metadata(pairs, "pod", pod);
    let controls = |o: &&Value| o.get("controller").and_then(Value::as_bool) == Some(true);
    if let Some(owner) = list(pod, "/metadata/ownerReferences").find(controls) {
        push(pairs, "pod_controller_kind", text(owner, "/kind"));
        push(pairs, "pod_controller_name", text(owner, "/name"));
    }
}

/// `attach_metadata: {node: true}`: what is known of the node that a pod runs on.
pub fn push_node(pairs: &mut Pairs, around: &Around, node: &str) {
    if let Some(node) = around.nodes.get(&format!("/{node}")) {
        push(pairs, "node_name", name(node));
        push_metadata(pairs, "node", node);
    }
}

/// `attach_metadata: {namespace: true}`: labels and annotations of the namespace.
pub fn push_namespace(pairs: &mut Pairs, around: &Around, namespace: &str) {
    if let Some(namespace) = around.namespaces.get(&format!("/{namespace}")) {
        push_metadata(pairs, "namespace", namespace);
    }
}
