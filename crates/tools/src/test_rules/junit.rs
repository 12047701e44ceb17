//! Outcomes as JUnit XML, for build servers.

use super::Outcome;

pub fn report(suites: &[(String, Vec<Outcome>)]) -> String {
    let mut out = String::from("<testsuites>");
    let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
    for (name, outcomes) in suites {
        let failures: usize = outcomes.iter().map(|o| o.failures.len()).sum();
        out.push_str(&format!(
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" timestamp=\"{timestamp}\">",
            escaped(name),
            outcomes.len()
        ));
        for outcome in outcomes {
            out.push_str(&format!("<testcase name=\"{}\">", escaped(&outcome.name)));
            for failure in &outcome.failures {
                out.push_str(&format!("<failure>{}</failure>", escaped(failure)));
            }
            out.push_str("</testcase>");
        }
        out.push_str("</testsuite>");
    }
    out + "</testsuites>"
}

/// As Go's encoder escapes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
    out
}
