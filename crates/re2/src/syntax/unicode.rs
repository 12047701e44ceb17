//! Unicode's categories and scripts, under the names Go knows.

use regex_syntax::hir::{Class, ClassUnicode, HirKind};

use super::class::{fold, ranges};
use super::error::{Error, Kind};
use super::escape::next;

/// Categories by their letters.
const CATEGORIES: &[&str] = &[
    "C", "Cc", "Cf", "Cn", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd",
    "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp",
    "Zs",
];

/// Their longer names, as [`canonical`] writes them.
const LONG_CATEGORIES: &[(&str, &str)] = &[
    ("Lc", "LC"),
    ("Casedletter", "LC"),
    ("Closepunctuation", "Pe"),
    ("Combiningmark", "M"),
    ("Connectorpunctuation", "Pc"),
    ("Control", "Cc"),
    ("Currencysymbol", "Sc"),
    ("Dashpunctuation", "Pd"),
    ("Decimalnumber", "Nd"),
    ("Enclosingmark", "Me"),
    ("Finalpunctuation", "Pf"),
    ("Format", "Cf"),
    ("Initialpunctuation", "Pi"),
    ("Letter", "L"),
    ("Letternumber", "Nl"),
    ("Lineseparator", "Zl"),
    ("Lowercaseletter", "Ll"),
    ("Mark", "M"),
    ("Mathsymbol", "Sm"),
    ("Modifierletter", "Lm"),
    ("Modifiersymbol", "Sk"),
    ("Nonspacingmark", "Mn"),
    ("Number", "N"),
    ("Openpunctuation", "Ps"),
    ("Other", "C"),
    ("Otherletter", "Lo"),
    ("Othernumber", "No"),
    ("Otherpunctuation", "Po"),
    ("Othersymbol", "So"),
    ("Paragraphseparator", "Zp"),
    ("Privateuse", "Co"),
    ("Punctuation", "P"),
    ("Separator", "Z"),
    ("Spaceseparator", "Zs"),
    ("Spacingmark", "Mc"),
    ("Surrogate", "Cs"),
    ("Symbol", "S"),
    ("Titlecaseletter", "Lt"),
    ("Unassigned", "Cn"),
    ("Uppercaseletter", "Lu"),
    ("Cntrl", "Cc"),
    ("Digit", "Nd"),
    ("Punct", "P"),
];

const SCRIPTS: &str = "Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah \
    Batak Bengali Beria_Erfe Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian \
    Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic \
    Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay \
    Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Gurung_Khema Han Hangul \
    Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi \
    Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script \
    Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani \
    Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui \
    Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari \
    Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian \
    Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur \
    Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic \
    Samaritan Saurashtra Sharada Shavian Siddham Sidetic SignWriting Sinhala Sogdian Sora_Sompeng Soyombo \
    Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Tai_Yo Takri Tamil \
    Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri Tolong_Siki Toto Tulu_Tigalari Ugaritic \
    Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square";

/// A name without separators, its first letter large and the others small.
fn canonical(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut first = true;
    for c in name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')) {
        out.push(if first { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
        first = false;
    }
    out
}

/// The characters of a category or script.
fn table(name: &str) -> Option<ClassUnicode> {
    let name = canonical(name);
    let category = |name: &str| property(&format!("gc={name}"));
    match name.as_str() {
        "Any" => return Some(ranges(&[('\0', char::MAX)])),
        "Ascii" => return Some(ranges(&[('\0', '\x7f')])),
        "Assigned" => {
            let mut class = category("Cn")?;
            class.negate();
            return Some(class);
        }
        _ => {}
    }
    if CATEGORIES.contains(&name.as_str()) {
        return category(&name);
    }
    if let Some(script) = SCRIPTS.split(' ').find(|script| canonical(script) == name) {
        return property(&format!("sc={script}"));
    }
    LONG_CATEGORIES.iter().find(|(long, _)| *long == name).and_then(|(_, short)| category(short))
}

/// A class of the engine's tables.
fn property(query: &str) -> Option<ClassUnicode> {
    // Surrogates are no characters, so nothing here is one.
    if query == "gc=Cs" {
        return Some(ClassUnicode::empty());
    }
    let query = query.replace("gc=LC", "gc=Cased_Letter");
    match regex_syntax::parse(&format!("\\p{{{query}}}")).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        _ => None,
    }
}

/// `\pL`, `\p{Greek}`, `\P{^Lu}` at the start of `text`, and what follows it.
pub(super) fn class(text: &str, folding: bool) -> Result<(ClassUnicode, &str), Error> {
    let mut negated = text.starts_with("\\P");
    let inner = text.get(2..).unwrap_or_default();
    let (name, rest) = match next(inner) {
        Some(('{', braced)) => braced.split_once('}').ok_or_else(|| Error::new(Kind::CharRange, text))?,
        Some((_, rest)) => (&inner[..inner.len() - rest.len()], rest),
        None => ("", ""),
    };
    let plain = name.strip_prefix('^');
    negated ^= plain.is_some();
    let Some(class) = table(plain.unwrap_or(name)) else {
        let part = text.get(..text.len() - rest.len()).unwrap_or(text);
        return Err(Error::new(Kind::CharRange, part));
    };
    let mut class = fold(class, folding);
    if negated {
        class.negate();
    }
    Ok((class, rest))
}

/// All forms of a character, when there are several.
pub(super) fn folded_char(c: char) -> Option<ClassUnicode> {
    let class = fold(ranges(&[(c, c)]), true);
    let single = class.ranges().len() == 1 && class.ranges().first().is_some_and(|r| r.start() == r.end());
    (!single).then_some(class)
}
