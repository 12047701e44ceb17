//! `/proc/vmstat`: the counters that the field pattern selects.

use super::Scrape;
use crate::failure::Outcome;
use crate::read::number;

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("vmstat");
    let text = s.reader.text(&path)?;
    for line in text.lines() {
        let Some((field, value)) = line.split_once(' ') else { continue };
        if s.settings.vmstat_fields.is_match(field) {
            let value = number(value.trim(), "vmstat")?;
            let help = format!("/proc/vmstat information field {field}.");
            s.out.untyped(&format!("node_vmstat_{field}"), &help, &[], value);
        }
    }
    Ok(())
}
