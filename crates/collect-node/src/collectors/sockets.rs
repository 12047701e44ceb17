//! Sockets: counts by protocol, queue lengths, TCP connection states.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::number;

pub fn sockstat(s: &mut Scrape) -> Outcome {
    // SAFETY: sysconf only reads a constant.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64;
    for (file, required) in [("net/sockstat", true), ("net/sockstat6", false)] {
        let path = s.settings.paths.proc(file);
        let text = match s.reader.text(&path) {
            Ok(text) => text,
            Err(_) if !required => continue,
            Err(e) => return Err(e),
        };
        for line in text.lines() {
            let Some((protocol, pairs)) = line.split_once(':') else { continue };
            let mut fields = pairs.split_ascii_whitespace();
            while let (Some(state), Some(value)) = (fields.next(), fields.next()) {
                let value = number(value, file)?;
                if protocol == "sockets" {
                    s.out.gauge("node_sockstat_sockets_used", "Number of IPv4 sockets in use.", &[], value);
                    continue;
                }
                let mut emit = |state: &str, value: f64| {
                    let help = format!("Number of {protocol} sockets in state {state}.");
                    s.out.gauge(&format!("node_sockstat_{protocol}_{state}"), &help, &[], value);
                };
                emit(state, value);
                if state == "mem" {
                    emit("mem_bytes", value * page);
                }
            }
        }
    }
    Ok(())
}

pub fn udp_queues(s: &mut Scrape) -> Outcome {
    let mut found = false;
    for (file, ip) in [("net/udp", "v4"), ("net/udp6", "v6")] {
        let path = s.settings.paths.proc(file);
        let Ok(text) = s.reader.text(&path) else { continue };
        found = true;
        let (mut tx, mut rx) = (0u64, 0u64);
        for line in text.lines().skip(1) {
            let (t, r) =
                queues(line).ok_or_else(|| Failure::broken(format!("invalid line in {}", path.display())))?;
            tx += t;
            rx += r;
        }
        for (queue, bytes) in [("tx", tx), ("rx", rx)] {
            let help = "Number of allocated memory in the kernel for UDP datagrams in bytes.";
            s.out.gauge("node_udp_queues", help, &[("queue", queue), ("ip", ip)], bytes as f64);
        }
    }
    if found { Ok(()) } else { Err(Failure::no_data("no UDP statistics")) }
}

/// In the order of the kernel's numbers, which begin with 1.
const TCP_STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

pub fn tcpstat(s: &mut Scrape) -> Outcome {
    let mut counts = [0u64; TCP_STATES.len()];
    let (mut tx, mut rx) = (0u64, 0u64);
    for (file, required) in [("net/tcp", true), ("net/tcp6", false)] {
        let path = s.settings.paths.proc(file);
        let text = match s.reader.text(&path) {
            Ok(text) => text,
            Err(_) if !required => continue,
            Err(e) => return Err(e),
        };
        for line in text.lines().skip(1) {
            let state = line.split_ascii_whitespace().nth(3).and_then(|f| usize::from_str_radix(f, 16).ok());
            let slot = state.and_then(|state| counts.get_mut(state.checked_sub(1)?));
            if let (Some(slot), Some((t, r))) = (slot, queues(line)) {
                *slot += 1;
                tx += t;
                rx += r;
            }
        }
    }
    let help = "Number of connection states.";
    for (state, count) in TCP_STATES.iter().zip(counts).filter(|(_, count)| *count > 0) {
        s.out.gauge("node_tcp_connection_states", help, &[("state", state)], count as f64);
    }
    for (state, bytes) in [("tx_queued_bytes", tx), ("rx_queued_bytes", rx)] {
        s.out.gauge("node_tcp_connection_states", help, &[("state", state)], bytes as f64);
    }
    Ok(())
}

/// Transmit and receive queue of a line of `/proc/net/{tcp,udp}`: the fifth column, `tx:rx` in hexadecimal.
fn queues(line: &str) -> Option<(u64, u64)> {
    let (tx, rx) = line.split_ascii_whitespace().nth(4)?.split_once(':')?;
    Some((u64::from_str_radix(tx, 16).ok()?, u64::from_str_radix(rx, 16).ok()?))
}
