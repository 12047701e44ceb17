use std::path::PathBuf;
use std::sync::atomic::Ordering as Relaxed;

use platform::{Disk, OsDisk};

use super::*;
use crate::part_store::LocalParts;

fn store(dir: &std::path::Path) -> Arc<dyn PartStore> {
    Arc::new(LocalParts::open(Arc::new(OsDisk), dir.to_path_buf()).unwrap())
}

fn sample(store: &dyn PartStore) -> PartInfo {
    let mut writer = PartWriter::create(store, PartId(7)).unwrap();
    assert_eq!(writer.add_page(1, b"plain", Compression::None).unwrap(), PageRef(0));
    assert_eq!(writer.add_page(2, &[b'a'; 10_000], Compression::default()).unwrap(), PageRef(1));
    assert_eq!(writer.add_page(1, b"", Compression::default()).unwrap(), PageRef(2));
    writer.finish(b"roots", -5, 5).unwrap()
}

fn no_cache() -> Arc<PageCache> {
    Arc::new(PageCache::new(0))
}

fn path(dir: &std::path::Path) -> PathBuf {
    dir.join("0000000000000007.part")
}

#[test]
fn pages_come_back_by_reference_and_by_kind() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let info = sample(store.as_ref());
    assert_eq!(info.bytes, OsDisk.read(&path(dir.path())).unwrap().len() as u64);
    assert!(info.bytes < 1_000, "pages are compressed");
    let part = Part::open(store, PartId(7), Arc::default(), no_cache()).unwrap();
    assert_eq!(*part.info(), info);
    assert_eq!(part.meta().as_ref(), b"roots");
    assert_eq!(part.pages_of(1).collect::<Vec<_>>(), [PageRef(0), PageRef(2)]);
    assert_eq!(part.page(PageRef(0)).unwrap().as_ref(), b"plain");
    assert_eq!(part.page(PageRef(1)).unwrap().as_ref(), [b'a'; 10_000]);
    assert_eq!(part.page(PageRef(2)).unwrap().as_ref(), b"");
    assert_eq!(part.page(PageRef(3)).unwrap_err().kind, KernelErrorKind::Corrupt);
    assert!(part.overlaps(5, 9) && part.overlaps(-9, -5) && !part.overlaps(6, 9));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    sample(store.as_ref());
    let good = OsDisk.read(&path(dir.path())).unwrap();
    let metrics: Arc<KernelMetrics> = Arc::default();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(path(dir.path()), &bad).unwrap();
        let opened = Part::open(store.clone(), PartId(7), metrics.clone(), no_cache());
        let read = opened
            .and_then(|part| (0..3).try_for_each(|page| part.page(PageRef(page)).map(drop)).map(|()| part));
        // The magic at the front is for people; the reserved field means nothing yet.
        let unread = bit / 8 < MAGIC.len() || (good.len() - 12..good.len() - 8).contains(&(bit / 8));
        assert_eq!(read.is_ok(), unread, "bit {bit} of {}", good.len() * 8);
    }
    assert!(metrics.page_corruptions.load(Relaxed::Relaxed) > 0);
    for len in 0..good.len() {
        std::fs::write(path(dir.path()), &good[..len]).unwrap();
        assert!(Part::open(store.clone(), PartId(7), metrics.clone(), no_cache()).is_err(), "cut to {len}");
    }
}

#[test]
fn limits_and_rules() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut writer = PartWriter::create(store.as_ref(), PartId(1)).unwrap();
    let huge = vec![0; page::PAGE_BYTES_MAX + 1];
    let refused = writer.add_page(1, &huge, Compression::None).unwrap_err();
    assert_eq!(refused.kind, KernelErrorKind::LimitExceeded);
    assert_eq!(writer.finish(b"", 1, 0).unwrap_err().kind, KernelErrorKind::Invalid);
    assert_eq!(store.list().unwrap(), []);
}
