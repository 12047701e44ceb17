//! How alike two texts are, from 0 to 1.

/// The letters of `term` in `text` in their order: long runs count more, gaps count against. 0 when they are
/// not all there.
///
/// Each run counts the square of its length; a gap before or between runs costs its share of the text, the
/// rest behind the last run half of that. The best beginning wins, divided by what one single run would have.
pub fn subsequence(term: &str, text: &str) -> f64 {
    let (term, text): (Vec<char>, Vec<char>) = (term.chars().collect(), text.chars().collect());
    if term.is_empty() || term == text {
        return 1.0;
    }
    let Some(last_start) = text.len().checked_sub(term.len()) else { return 0.0 };
    let mut best = -1.0f64;
    for start in (0..=last_start).filter(|i| text[*i] == term[0]) {
        match runs_from(start, &term, &text) {
            Some(score) => best = best.max(score),
            // What does not fit from here does not fit from further on.
            None => break,
        }
    }
    if best < 0.0 { 0.0 } else { best / (term.len() * term.len()) as f64 }
}

fn runs_from(start: usize, term: &[char], text: &[char]) -> Option<f64> {
    let share = 1.0 / text.len() as f64;
    let (mut at, mut matched, mut end, mut score) = (start, 0, 0, 0.0);
    while matched < term.len() {
        let begin = at + text.get(at..)?.iter().position(|c| *c == term[matched])?;
        let run = text[begin..].iter().zip(&term[matched..]).take_while(|(a, b)| a == b).count();
        score += (run * run) as f64 - (begin - end) as f64 * share;
        matched += run;
        end = begin + run;
        at = end;
    }
    Some(score - (text.len() - end) as f64 * share * 0.5)
}

/// Jaro's similarity with Winkler's bonus of a tenth for each of the first four letters that are the same.
pub fn jaro_winkler(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let (mut a, mut b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    if a.len() > b.len() {
        std::mem::swap(&mut a, &mut b);
    }
    // Letters further apart than this are not the same letter.
    let reach = (b.len() / 2).saturating_sub(1);
    let mut taken = vec![false; b.len()];
    let mut of_a = Vec::new();
    for (i, c) in a.iter().enumerate() {
        let window = i.saturating_sub(reach)..(i + reach + 1).min(b.len());
        if let Some(j) = window.into_iter().find(|j| !taken[*j] && b[*j] == *c) {
            taken[j] = true;
            of_a.push(*c);
        }
    }
    if of_a.is_empty() {
        return 0.0;
    }
    let of_b = b.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(c, _)| *c);
    let swapped = of_a.iter().zip(of_b).filter(|(x, y)| *x != y).count() as f64;
    let matches = of_a.len() as f64;
    let jaro =
        (matches / a.len() as f64 + matches / b.len() as f64 + (matches - swapped * 0.5) / matches) / 3.0;
    let prefix = a.iter().zip(&b).take(4).take_while(|(x, y)| x == y).count() as f64;
    jaro + prefix * 0.1 * (1.0 - jaro)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-3, "{got} {expected}");
        // Textbook pairs.
        close(jaro_winkler("MARTHA", "MARHTA"), 0.961);
        close(jaro_winkler("DIXON", "DICKSONX"), 0.813);
        close(jaro_winkler("abc", "xyz"), 0.0);
        close(subsequence("abc", "abc"), 1.0);
        // One run of two behind a gap of one, one letter left over: (4 - 1/4 - 1/8) / 4.
        close(subsequence("bc", "abcd"), 0.90625);
        close(subsequence("ac", "abc"), (1.0 + 1.0 - 1.0 / 3.0) / 4.0);
        close(subsequence("abc", "ab"), 0.0);
        close(subsequence("ä", "xä"), 0.5);
    }
}
