//! The table of blocks that `list` and the commands that create blocks print, as promtool prints it.

use std::path::Path;

use blocks::Meta;
use model::TimestampMs;
use model::civil::Civil;

const HEAD: [&str; 8] =
    ["BLOCK ULID", "MIN TIME", "MAX TIME", "DURATION", "NUM SAMPLES", "NUM CHUNKS", "NUM SERIES", "SIZE"];

/// A row: what a block says about itself, and its bytes on disk.
pub type Row = (Meta, u64);

/// Narrower columns are this wide.
const WIDTH_MIN: usize = 13;

/// Columns are two blanks apart; the last is as wide as it is.
pub fn render(rows: &[Row], human: bool, with_head: bool) -> String {
    let mut lines: Vec<Vec<String>> = Vec::new();
    if with_head {
        lines.push(HEAD.iter().map(|name| (*name).to_owned()).collect());
    }
    lines.extend(rows.iter().map(|(meta, size)| {
        vec![
            meta.ulid.clone(),
            time(meta.min_time, human),
            time(meta.max_time, human),
            go_duration(meta.max_time - meta.min_time),
            meta.stats.num_samples.to_string(),
            meta.stats.num_chunks.to_string(),
            meta.stats.num_series.to_string(),
            if human { base2_bytes(*size) } else { size.to_string() },
        ]
    }));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let width = if column + 1 < line.len() { (widths[column] + 2).max(WIDTH_MIN) } else { 0 };
            out.push_str(&format!("{cell:width$}"));
        }
        out.push('\n');
    }
    out
}

/// `2023-11-14 22:13:20 +0000 UTC`, or milliseconds.
fn time(t: TimestampMs, human: bool) -> String {
    if !human {
        return t.to_string();
    }
    let Civil { year, month, day, hour, minute, second, .. } = Civil::of_unix(t / 1000);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} +0000 UTC")
}

/// `2h0m0s`, `1ms`: Go's form of a duration in milliseconds.
pub fn go_duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    if ms == 0 {
        return "0s".to_owned();
    }
    if ms < 1000 {
        return format!("{sign}{ms}ms");
    }
    let (hours, minutes, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    let seconds = model::float::format_f(rest as f64 / 1000.0);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `1KiB23B`: every unit that is not zero, as promtool's library writes sizes.
fn base2_bytes(n: u64) -> String {
    if n == 0 {
        return "0B".to_owned();
    }
    let mut out = String::new();
    let mut rest = n;
    for (shift, unit) in
        [(60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "B")]
    {
        let part = rest >> shift;
        if part > 0 {
            out.push_str(&format!("{part}{unit}"));
            rest -= part << shift;
        }
    }
    out
}

/// Bytes of the files of a block: its chunks, index, description and tombstones.
pub fn size_of(block: &Path) -> u64 {
    let mut total = 0;
    for entry in std::fs::read_dir(block).into_iter().flatten().flatten() {
        total += match entry.metadata() {
            Ok(meta) if meta.is_dir() => size_of(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        };
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people_are_those_of_go() {
        let durations: Vec<String> =
            [0, 1, 120_001, 7_200_000, 3_600_000, 1500, 61_000].into_iter().map(go_duration).collect();
        assert_eq!(durations, ["0s", "1ms", "2m0.001s", "2h0m0s", "1h0m0s", "1.5s", "1m1s"]);
        assert_eq!([998, 1024, 1 << 20 | 5].map(base2_bytes), ["998B", "1KiB", "1MiB5B"]);
    }
}
