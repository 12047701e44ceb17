//! The grouping key: the labels in the path of a push.

use expfmt::LabelPairs;

/// Marks a label whose value is written in base64, because it holds a slash or is empty.
const BASE64_SUFFIX: &str = "@base64";

/// Sorted by name; `job` is always there.
pub type GroupingKey = LabelPairs;

/// What a path below `/metrics/` means.
#[derive(Debug, PartialEq, Eq)]
pub enum PushPath {
    Group(GroupingKey),
    /// It names a group, but wrongly; the text is the original's.
    Bad(String),
    /// No push path at all.
    Unknown,
}

/// Reads the part of the decoded path behind `/metrics/`: `job/<job>{/<label>/<value>}`.
pub fn parse(path: &str) -> PushPath {
    let (word, rest) = path.split_once('/').unwrap_or((path, ""));
    let encoded = match word.strip_prefix("job") {
        Some("") => false,
        Some(BASE64_SUFFIX) => true,
        _ => return PushPath::Unknown,
    };
    let (job, labels) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if job.is_empty() {
        return PushPath::Unknown;
    }
    let job = match if encoded { decode(job) } else { Ok(job.to_owned()) } {
        Ok(job) => job,
        Err((decoded, e)) => {
            return PushPath::Bad(format!("invalid base64 encoding in job name {decoded:?}: {e}"));
        }
    };
    match split_labels(labels) {
        Err(e) => PushPath::Bad(e),
        Ok(_) if job.is_empty() => PushPath::Bad("job name is required".into()),
        Ok(mut key) => {
            set(&mut key, "job", job);
            key.sort();
            PushPath::Group(key)
        }
    }
}

/// `/name/value/…`, the last value of a repeated name wins.
fn split_labels(labels: &str) -> Result<GroupingKey, String> {
    let mut key = GroupingKey::new();
    let Some(list) = labels.strip_prefix('/').filter(|list| !list.is_empty()) else { return Ok(key) };
    let parts: Vec<&str> = list.split('/').collect();
    if !parts.len().is_multiple_of(2) {
        return Err(format!("odd number of components in label string {labels:?}"));
    }
    for pair in parts.chunks_exact(2) {
        let &[name, value] = pair else { continue };
        let plain = name.strip_suffix(BASE64_SUFFIX);
        let bare = plain.unwrap_or(name);
        if !model::labels::is_classic_label_name(bare) || bare.starts_with("__") {
            return Err(format!("improper label name {bare:?}"));
        }
        let value = if plain.is_some() {
            decode(value)
                .map_err(|(_, e)| format!("invalid base64 encoding for label {bare}={value:?}: {e}"))?
        } else {
            value.to_owned()
        };
        set(&mut key, bare, value);
    }
    Ok(key)
}

fn set(key: &mut GroupingKey, name: &str, value: String) {
    match key.iter_mut().find(|(known, _)| known == name) {
        Some(pair) => pair.1 = value,
        None => key.push((name.to_owned(), value)),
    }
}

/// The URL-safe alphabet without padding; stray bits at the end are ignored. An error comes with what was
/// decoded before it and the text of Go's decoder: clients show both.
fn decode(text: &str) -> Result<String, (String, String)> {
    let bare = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(bare.len() * 3 / 4);
    for (i, quantum) in bare.chunks(4).enumerate() {
        let corrupt = |at: usize, out: &[u8]| {
            let decoded = String::from_utf8_lossy(out).into_owned();
            (decoded, format!("illegal base64 data at input byte {}", i * 4 + at))
        };
        let mut bits = 0u32;
        for (at, b) in quantum.iter().enumerate() {
            let digit = match b {
                b'A'..=b'Z' => b - b'A',
                b'a'..=b'z' => b - b'a' + 26,
                b'0'..=b'9' => b - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return Err(corrupt(at, &out)),
            };
            bits = bits << 6 | u32::from(digit);
        }
        if quantum.len() == 1 {
            return Err(corrupt(0, &out));
        }
        bits <<= 6 * (4 - quantum.len());
        out.extend_from_slice(&bits.to_be_bytes()[1..quantum.len()]);
    }
    let invalid = |e: std::string::FromUtf8Error| {
        (String::from_utf8_lossy(e.as_bytes()).into_owned(), "label value is not valid UTF-8".to_owned())
    };
    String::from_utf8(out).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let check = |path: &str, expected: &[(&str, &str)]| {
            let owned = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(parse(path), PushPath::Group(owned), "{path}");
        };
        check("job/j", &[("job", "j")]);
        check("job/j/", &[("job", "j")]);
        check("job/j/instance/i/a/b", &[("a", "b"), ("instance", "i"), ("job", "j")]);
        check("job@base64/ai9r", &[("job", "j/k")]);
        check("job/j/path@base64/L3Zhci90bXA", &[("job", "j"), ("path", "/var/tmp")]);
        check("job/j/path@base64/L3Zhci90bXA=", &[("job", "j"), ("path", "/var/tmp")]);
        check("job/j/empty@base64/=", &[("empty", ""), ("job", "j")]);
        check("job/j/job/k", &[("job", "j")]);
        check("job/j/a/", &[("a", ""), ("job", "j")]);
    }

    #[test]
    fn mistakes() {
        let check = |path: &str, expected: &str| {
            assert_eq!(parse(path), PushPath::Bad(expected.to_owned()), "{path}");
        };
        check("job/j/a", "odd number of components in label string \"/a\"");
        check("job/j/a/b/", "odd number of components in label string \"/a/b/\"");
        check("job/j/0a/b", "improper label name \"0a\"");
        check("job/j/__a/b", "improper label name \"__a\"");
        check("job@base64/=", "job name is required");
        check(
            "job@base64/a*",
            "invalid base64 encoding in job name \"\": illegal base64 data at input byte 1",
        );
        check(
            "job/j/a@base64/a*",
            "invalid base64 encoding for label a=\"a*\": illegal base64 data at input byte 1",
        );
        check(
            "job@base64/YWJjZ",
            "invalid base64 encoding in job name \"abc\": illegal base64 data at input byte 4",
        );
        for path in ["", "job", "job/", "jobs/j", "job@base32/j"] {
            assert_eq!(parse(path), PushPath::Unknown, "{path}");
        }
    }
}
