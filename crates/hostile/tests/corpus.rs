//! Replays what the fuzzer has found worth keeping, and a few seeds that every parser gets.

use std::path::Path;

/// Bytes that have broken parsers before: ours and other people's.
const CLASSICS: &[&[u8]] = &[
    b"",
    b"\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    b"((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((",
    b"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"a: &a [*a, *a, *a]\n",
    b"\xef\xbb\xbfa 1\n",
    b"\"\\u{110000}\\xff\\777",
    b"9223372036854775808 -9223372036854775809 1e999 0x1p-1074 NaN",
];

#[test]
fn every_parser_survives_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, feed) in hostile::TARGETS {
        CLASSICS.iter().for_each(|bytes| feed(bytes));
        let Ok(entries) = std::fs::read_dir(corpus.join(name)) else {
            panic!("fuzz/corpus/{name} is missing: every parser has a corpus");
        };
        let mut fed = 0;
        for entry in entries {
            let path = entry.expect("a directory entry").path();
            feed(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
            fed += 1;
        }
        assert!(fed > 0, "fuzz/corpus/{name} is empty");
    }
}
