use super::*;

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/d")).unwrap();
    disk
}

#[test]
fn a_kill_keeps_everything_written_and_a_power_loss_only_what_was_synced() {
    let disk = disk();
    let (a, b) = (Path::new("/d/a"), Path::new("/d/b"));
    let file = disk.create(a).unwrap();
    file.append(b"safe").unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    file.append(b"fresh").unwrap();
    disk.create(b).unwrap();

    disk.kill();
    assert_eq!(disk.read(a).unwrap(), b"safefresh");
    assert!(file.append(b"x").is_err(), "handles die with the boot");

    let mut lost_name = false;
    for seed in 0..20 {
        let disk = self::disk();
        let file = disk.create(a).unwrap();
        file.append(b"safe").unwrap();
        file.sync().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.append(b"fresh").unwrap();
        disk.create(b).unwrap();
        disk.power_loss(PowerLoss::Torn, &mut Random::new(seed));
        let bytes = disk.read(a).unwrap();
        assert!(bytes.starts_with(b"safe") && b"safefresh".starts_with(bytes.as_slice()), "{bytes:?}");
        lost_name |= disk.read(b).is_err();
    }
    assert!(lost_name, "an unsynced name can be lost");
}

#[test]
fn faults_strike_once_at_their_operation() {
    let disk = disk();
    let path = Path::new("/d/a");
    let file = disk.create(path).unwrap();
    disk.fail_at(disk.operations() + 1, Fault::Error(io::ErrorKind::StorageFull));
    file.append(b"one").unwrap();
    assert_eq!(file.append(b"four").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read(path).unwrap(), b"onefo");
    file.append(b"!").unwrap();

    disk.fail_at(disk.operations(), Fault::Crash);
    assert!(file.append(b"half").is_err());
    assert!(disk.crashed() && file.sync().is_err() && disk.read(path).is_err());
    disk.kill();
    assert_eq!(disk.read(path).unwrap(), b"onefo!ha");
}

#[test]
fn locks_are_exclusive_until_dropped() {
    let disk = disk();
    let path = Path::new("/d/LOCK");
    let lock = disk.lock(path, "me").unwrap();
    assert_eq!(disk.lock(path, "you").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(lock);
    disk.lock(path, "you").unwrap();
}

#[test]
fn space_runs_out() {
    let disk = disk();
    let file = disk.create(Path::new("/d/a")).unwrap();
    disk.set_free_space(Some(4));
    file.append(b"abc").unwrap();
    assert_eq!(file.append(b"de").unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.set_free_space(None);
    file.append(b"de").unwrap();
}
