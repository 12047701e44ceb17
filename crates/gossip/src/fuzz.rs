//! The readers of packets and streams, for those who feed them bytes that nobody meant.

use std::net::SocketAddr;
use std::time::Duration;

use crate::core::{Core, Effect, Options};
use crate::message::Message;
use crate::packet::{Envelope, PACKET_BYTES_MAX};
use crate::random::Random;
use crate::stream;

/// Takes bytes for a packet from the network. What was understood must survive being written and read, and a
/// member that hears it must go on, sending nobody more than a packet at a time.
pub fn packet(data: &[u8]) {
    let envelope = Envelope::default();
    let Ok((messages, _)) = envelope.open(data) else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], 9094));
    let options = Options {
        name: "me".into(),
        address,
        gossip_interval: Duration::from_millis(200),
        probe_interval: Duration::from_secs(1),
        probe_timeout: Duration::from_millis(500),
        push_pull_interval: Duration::from_secs(60),
        fanout: 3,
        room: envelope.room(),
    };
    let mut core = Core::new(options, Random::new(1), Duration::ZERO);
    let mut effects = Vec::new();
    for message in messages {
        let bytes = message.encode();
        let again = bytes.split_first().map(|(kind, body)| Message::decode(*kind, body));
        assert_eq!(again.map(|again| again.map(|again| again.encode())), Some(Ok(bytes)));
        core.handle(Duration::from_secs(1), address, message, &mut effects);
    }
    for second in 1..20 {
        core.tick(Duration::from_secs(second), &mut effects);
    }
    for effect in effects {
        if let Effect::Send { body, checksum, .. } = effect {
            // A message of the largest names is larger than what is usual, but never by much.
            assert!(envelope.close(&body, checksum).len() <= 2 * PACKET_BYTES_MAX);
        }
    }
}

/// Takes bytes for a stream, which may go on.
pub fn stream(data: &[u8]) {
    if let Ok(message) = stream::parse(data, &Envelope::default()) {
        let bytes = message.encode();
        let again = stream::parse(&bytes, &Envelope::default()).map(|again| again.encode());
        assert_eq!(again, Ok(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Real packets and streams with a few bytes changed, doubled or cut: far fewer than a fuzzer tries, but
    /// with every run of the tests.
    #[test]
    fn damaged_originals_do_no_harm() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
        let mut random = Random::new(99);
        for (folder, feed) in [("gossip_packet", packet as fn(&[u8])), ("gossip_stream", stream)] {
            let mut seeds: Vec<Vec<u8>> = (std::fs::read_dir(format!("{corpus}/{folder}")).unwrap())
                .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
                .collect();
            // Without its checksum a packet's changes are noticed later.
            let bare: Vec<Vec<u8>> = seeds.iter().filter_map(|s| Some(s.get(5..)?.to_vec())).collect();
            seeds.extend(bare);
            for _ in 0..5_000 {
                let mut data = seeds[random.below(seeds.len())].clone();
                for _ in 0..1 + random.below(4) {
                    let at = random.below(data.len());
                    match random.below(4) {
                        0 => data.truncate(at + 1),
                        1 => data.insert(at, random.next() as u8),
                        2 => data[at] = random.next() as u8,
                        _ => data.extend_from_within(at..),
                    }
                }
                feed(&data);
            }
        }
    }
}
