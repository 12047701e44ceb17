//! Protocol statistics from `/proc/net/{netstat,snmp,snmp6}`, those that the field pattern selects.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::number;

pub fn update(s: &mut Scrape) -> Outcome {
    for file in ["net/netstat", "net/snmp"] {
        let path = s.settings.paths.proc(file);
        let text = s.reader.text(&path)?;
        let mut lines = text.lines();
        // Pairs of lines: names, then values, both led by the protocol.
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            let bad = || Failure::broken(format!("mismatched lines in {}: {names:?}", path.display()));
            let (protocol, names) = names.split_once(':').ok_or_else(bad)?;
            let (same, values) = values.split_once(':').ok_or_else(bad)?;
            if same != protocol {
                return Err(bad());
            }
            for (name, value) in names.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
                if s.settings.netstat_fields.is_match(&format!("{protocol}_{name}")) {
                    emit(s.out, protocol, name, number(value, file)?);
                }
            }
        }
    }
    let path = s.settings.paths.proc("net/snmp6");
    // Absent where IPv6 is switched off.
    let Ok(text) = s.reader.text(&path) else { return Ok(()) };
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(key), Some(value)) = (fields.next(), fields.next()) else { continue };
        let Some(six) = key.find('6') else { continue };
        let (protocol, name) = key.split_at(six + 1);
        if s.settings.netstat_fields.is_match(&format!("{protocol}_{name}")) {
            emit(s.out, protocol, name, number(value, "net/snmp6")?);
        }
    }
    Ok(())
}

fn emit(out: &mut crate::sink::Sink, protocol: &str, name: &str, value: f64) {
    let metric = format!("node_netstat_{protocol}_{name}");
    out.untyped(&metric, &format!("Statistic {protocol}{name}."), &[], value);
}
