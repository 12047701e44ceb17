//! The scrape: own metrics and all groups, merged by name.

use std::collections::BTreeMap;

use expfmt::{Family, Format, LabelPairs, Metric, encode};

use crate::store::Store;

/// Text 0.0.4. Pushed metrics cannot promise what OpenMetrics asks for, so that format is not offered.
pub fn render(own: Vec<Family>, store: &Store) -> Result<String, String> {
    let mut by_name: BTreeMap<String, Family<LabelPairs>> = BTreeMap::new();
    for family in own {
        let Family { name, help, unit, kind, metrics } = family;
        let pairs = |m: Metric| Metric {
            labels: m.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            value: m.value,
            timestamp: m.timestamp,
        };
        let metrics = metrics.into_iter().map(pairs).collect();
        by_name.insert(name.clone(), Family { name, help, unit, kind, metrics });
    }
    for (_, group) in store.groups() {
        for (name, stored) in group.families {
            let family = &stored.family;
            match by_name.get_mut(&name) {
                Some(known) if known.kind != family.kind => {
                    // Only possible with the consistency check off.
                    let (a, b) = (crate::check::type_name(known.kind), crate::check::type_name(family.kind));
                    return Err(format!("gathered metric family {name} has type {b} but should have {a}"));
                }
                Some(known) => known.metrics.extend(family.metrics.iter().cloned()),
                None => {
                    let mut family = (**family).clone();
                    if let Some(help) = store.own_help(&name) {
                        family.help = help;
                    }
                    by_name.insert(name, family);
                }
            }
        }
    }
    let mut families: Vec<Family<LabelPairs>> = by_name.into_values().collect();
    for family in &mut families {
        family.metrics.sort_by(|a, b| {
            let values = |m: &Metric<LabelPairs>| m.labels.iter().map(|(_, v)| v.clone()).collect::<Vec<_>>();
            a.labels.len().cmp(&b.labels.len()).then_with(|| values(a).cmp(&values(b)))
        });
    }
    let mut out = String::with_capacity(16 << 10);
    encode(&families, Format::Text, &mut out);
    Ok(out)
}
