//! Character references in attribute values.

/// References by name whose character can mean something to a URL, a script or a style. All others stand for
/// letters and symbols outside ASCII, which mean nothing there.
const NAMED: &[(&str, char)] = &[
    ("AMP", '&'),
    ("GT", '>'),
    ("LT", '<'),
    ("QUOT", '"'),
    ("NewLine", '\n'),
    ("Tab", '\t'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("midast", '*'),
    ("nbsp", '\u{a0}'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("sol", '/'),
    ("verbar", '|'),
    ("vert", '|'),
    ("Hat", '^'),
    ("UnderBar", '_'),
    ("VerticalLine", '|'),
    ("DiacriticalGrave", '`'),
    ("hyphen", '\u{2010}'),
];

/// These old ones need no semicolon.
const BARE: &[&str] = &["AMP", "GT", "LT", "QUOT", "amp", "gt", "lt", "nbsp", "quot"];

/// What the C1 control numbers stand for in pages: Windows' characters.
const WINDOWS: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}',
    '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// Replaces character references by their characters.
pub(super) fn unescape(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match reference(&rest[1..]) {
            Some((c, width)) => {
                out.push(c);
                rest = &rest[1 + width..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// The character and the width of a reference, given what follows its ampersand.
fn reference(text: &str) -> Option<(char, usize)> {
    if let Some(number) = text.strip_prefix('#') {
        let (radix, digits, prefix) = match number.strip_prefix(['x', 'X']) {
            Some(hex) => (16, hex, 2),
            None => (10, number, 1),
        };
        let count = digits.chars().take_while(|c| c.is_digit(radix)).count();
        if count == 0 {
            return None;
        }
        let code = u32::from_str_radix(&digits[..count], radix).unwrap_or(u32::MAX);
        let c = match code {
            0 => char::REPLACEMENT_CHARACTER,
            0x80..=0x9f => WINDOWS.get(code as usize - 0x80).copied().unwrap_or_default(),
            code => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
        };
        let semicolon = usize::from(digits[count..].starts_with(';'));
        return Some((c, prefix + count + semicolon));
    }
    let count = text.chars().take_while(char::is_ascii_alphanumeric).count();
    let name = &text[..count];
    let of = |name: &str| NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| *c);
    if text[count..].starts_with(';')
        && let Some(c) = of(name)
    {
        return Some((c, count + 1));
    }
    let bare = BARE.iter().filter(|known| name.starts_with(*known)).max_by_key(|known| known.len())?;
    of(bare).map(|c| (c, bare.len()))
}
