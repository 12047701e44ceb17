//! Bytes as they lie on our own disks.

use codec::Cursor;
use index::IndexView;

/// Columns of every kind, one after the other over the same bytes. What decodes encodes to what decodes
/// the same.
pub fn columns(data: &[u8]) {
    let mut floats = Vec::new();
    if codec::floats::decode(&mut Cursor::new(data), &mut floats).is_ok() && floats.len() < 1 << 16 {
        let (mut bytes, mut again) = (Vec::new(), Vec::new());
        codec::floats::encode(&floats, &mut bytes);
        codec::floats::decode(&mut Cursor::new(&bytes), &mut again).expect("what was encoded decodes");
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&floats), bits(&again));
    }
    let mut times = Vec::new();
    if codec::timestamps::decode(&mut Cursor::new(data), &mut times).is_ok() && times.len() < 1 << 16 {
        let (mut bytes, mut again) = (Vec::new(), Vec::new());
        codec::timestamps::encode(&times, &mut bytes);
        codec::timestamps::decode(&mut Cursor::new(&bytes), &mut again).expect("what was encoded decodes");
        assert_eq!(times, again);
    }
    let mut numbers = Vec::new();
    if codec::u64s::decode(&mut Cursor::new(data), &mut numbers).is_ok() && numbers.len() < 1 << 16 {
        let (mut bytes, mut again) = (Vec::new(), Vec::new());
        codec::u64s::encode(&numbers, &mut bytes);
        codec::u64s::decode(&mut Cursor::new(&bytes), &mut again).expect("what was encoded decodes");
        assert_eq!(numbers, again);
    }
    if let Ok(column) = codec::strings::decode(&mut Cursor::new(data)) {
        assert_eq!(column.iter().count(), column.len());
    }
    let _ = codec::histograms::decode(&mut Cursor::new(data), &mut Vec::new());
}

pub fn index_page(data: &[u8]) {
    let Ok(reader) = index::IndexReader::open(data) else { return };
    let Ok(all) = reader.all() else { return };
    for id in all.into_iter().take(64) {
        let _ = reader.labels(id);
    }
    let _ = index::label_names(&reader, &[]);
    let _ = reader.postings("job", "node");
    let mut out = Vec::new();
    let _ = reader.collect("job", "", &mut |_| true, &mut out);
}

/// Chunks of Prometheus' own encodings: the first byte says which.
pub fn prometheus_chunk(data: &[u8]) {
    use blocks::chunk;
    let Some((first, data)) = data.split_first() else { return };
    let Ok(encoding) = chunk::Encoding::from_byte(*first) else { return };
    let mut columns = storage::metrics::SampleColumns::default();
    if chunk::decode(encoding, data, &mut columns).is_ok() {
        assert!(columns.float_times.windows(2).all(|pair| pair[0] < pair[1]), "times ascend");
    }
}
