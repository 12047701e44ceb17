//! Alert groups made by rule: sizes, states, missing and hostile texts, always the same ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{Alert, Notification, NotifiedAlert, Reason};
use model::Labels;

pub const COUNT: u64 = 240;

/// Texts that try an escaper, a wrapper or an encoder.
const TEXTS: [&str; 18] = [
    "",
    "plain",
    "two words",
    "<script>alert('x')</script>",
    "a & b &amp; c",
    "\"quoted\" 'single' `back`",
    "tab\tnewline\nend",
    "größer als 5 µs",
    "磁盘已满",
    "🔥 fire",
    "100% {{ .Status }} }}",
    "http://host:9090/graph?g0.expr=up%20%3D%3D+0&g0.tab=1#x",
    "javascript:alert(1)",
    "back\\slash \\n $1 ${x}",
    "--> </title></style></script> <!--",
    "nul\u{0}bell\u{7}bom\u{feff}",
    "https://example.org/ä ö/?q=<ü>&r='\"",
    "*bold* _it_ | pipe + plus",
];

const NAMES: [&str; 8] =
    ["job", "instance", "cluster", "severity", "team", "wörld label", "__hidden", "zone"];

const RECEIVERS: [&str; 6] = ["web.hook", "team x", "a+b (c)", "größe/team", "x'y\"z", "pager"];

const ADDRESSES: [&str; 5] = [
    "http://am.example",
    "https://am.example/prefix",
    "http://[::1]:9093",
    "http://am.example/a b",
    "https://x/?q=<1>",
];

/// A small generator of numbers (SplitMix64), so that nothing depends on a library's choice.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len() as u64) as usize]
    }
}

/// Group number `n` and the address its links lead to.
pub fn group(n: u64) -> (Notification, &'static str) {
    let mut dice = Dice(n);
    let count = match n % 8 {
        0 => 0,
        1 => 1,
        7 => 20 + dice.roll(20),
        _ => 1 + dice.roll(6),
    };
    // What all alerts of the group have in common.
    let mut shared: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..dice.roll(5) {
        shared.insert(dice.pick(&NAMES).to_owned(), dice.pick(&TEXTS).to_owned());
    }
    let notes: BTreeMap<String, String> = (0..dice.roll(3))
        .map(|i| (["summary", "description", "runbook_url"][i as usize].to_owned(), dice.pick(&TEXTS).into()))
        .collect();
    let mood = dice.roll(4);
    let alerts = (0..count).map(|i| alert(&mut dice, i, mood, &shared, &notes)).collect();
    let mut grouped: Vec<(String, String)> = Vec::new();
    if dice.roll(5) > 0 {
        grouped.push(("alertname".into(), dice.pick(&TEXTS).to_owned()));
        grouped.extend(shared.into_iter().take(dice.roll(3) as usize));
    }
    let notification = Notification {
        receiver: dice.pick(&RECEIVERS).into(),
        group_key: format!("{{}}:{n}"),
        group_labels: Labels::from_pairs(grouped.iter().map(|(n, v)| (n.as_str(), v.as_str()))),
        route_labels: BTreeMap::new(),
        alerts,
        reason: Reason::FirstNotification,
        now: 1_700_000_000_000_000_000,
    };
    (notification, ADDRESSES[dice.roll(5) as usize])
}

fn alert(
    dice: &mut Dice,
    i: u64,
    mood: u64,
    shared: &BTreeMap<String, String>,
    notes: &BTreeMap<String, String>,
) -> NotifiedAlert {
    let mut labels = shared.clone();
    if dice.roll(6) > 0 {
        labels.insert("alertname".into(), ["Down", "Slow", "Full"][dice.roll(3) as usize].into());
    }
    labels.insert("instance".into(), format!("host-{i}:9100"));
    if dice.roll(2) == 0 {
        labels.insert("severity".into(), dice.pick(&["info", "warning", "critical", "page"]).into());
    }
    for _ in 0..dice.roll(4) {
        labels.insert(dice.pick(&NAMES).to_owned(), dice.pick(&TEXTS).to_owned());
    }
    labels.retain(|_, value| !value.is_empty());
    let mut annotations = notes.clone();
    if dice.roll(3) == 0 {
        annotations.insert("details".into(), dice.pick(&TEXTS).repeat(1 + dice.roll(40) as usize));
    }
    let resolved = match mood {
        0 => false,
        1 => true,
        _ => dice.roll(2) == 0,
    };
    let starts_at = 1_690_000_000_000_000_000 + dice.roll(1 << 50) as i64;
    NotifiedAlert {
        alert: Arc::new(Alert {
            labels: Labels::from_pairs(labels.iter().map(|(n, v)| (n.as_str(), v.as_str()))),
            annotations: annotations.into_iter().collect(),
            starts_at,
            ends_at: starts_at + 60_000_000_000,
            updated_at: 0,
            generator_url: dice.pick(&TEXTS).into(),
            timeout: false,
            inherited: false,
        }),
        resolved,
    }
}
