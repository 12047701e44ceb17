//! `/proc/loadavg`: the three load averages.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::number;

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("loadavg");
    let text = s.reader.text(&path)?;
    let mut fields = text.split_ascii_whitespace();
    for (name, help) in [
        ("node_load1", "1m load average."),
        ("node_load5", "5m load average."),
        ("node_load15", "15m load average."),
    ] {
        let field = fields
            .next()
            .ok_or_else(|| Failure::broken(format!("unexpected content in {}", path.display())))?;
        s.out.gauge(name, help, &[], number(field, "loadavg")?);
    }
    Ok(())
}
