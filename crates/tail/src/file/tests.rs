use std::fs::{self, OpenOptions};
use std::io::Write;

use super::*;

struct World {
    dir: tempfile::TempDir,
    places: Places,
    followed: Option<FollowedFile>,
    lines: Vec<String>,
}

impl World {
    fn new(text: &str) -> World {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.log"), text).unwrap();
        let mut world = World { dir, places: Places::new(), followed: None, lines: Vec::new() };
        world.open(None);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&mut self, saved: Option<Saved>) {
        let path = self.path("a.log");
        self.followed = Some(FollowedFile::open(&path, saved, &mut self.places, 20).unwrap());
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until nothing comes and returns the new lines.
    fn read(&mut self) -> Vec<String> {
        let followed = self.followed.as_mut().unwrap();
        loop {
            followed.check(&mut self.places).unwrap();
            let lines = &mut self.lines;
            let visit = &mut |line: Line<'_>| {
                let mark = if line.cut { "…" } else { "" };
                lines.push(format!("{}{mark}", String::from_utf8_lossy(line.bytes)));
            };
            match followed.read(&mut self.places, visit).unwrap() {
                ReadEnd::Idle | ReadEnd::Gone => return std::mem::take(&mut self.lines),
                ReadEnd::More | ReadEnd::Finished => {}
                // As if the writer had been silent for long enough.
                ReadEnd::Draining => {
                    let past = Instant::now().checked_sub(DRAIN).unwrap();
                    followed.files.front_mut().unwrap().drained = Some(past);
                }
            }
        }
    }

    fn saved(&self) -> Saved {
        let (id, head, offset) = self.followed.as_ref().unwrap().place().unwrap();
        Saved { offset, file: Some((id, head)), next: self.followed.as_ref().unwrap().after(id) }
    }

    /// A new start with nothing but what was saved.
    fn restart(&mut self, saved: Saved) {
        self.followed = None;
        self.places.clear();
        self.open(Some(saved));
    }
}

#[test]
fn lines_come_once_and_complete() {
    let mut world = World::new("one\ntwo\r\nthr");
    assert_eq!(world.read(), ["one", "two"]);
    world.append("a.log", "ee\n\nfour\n");
    assert_eq!(world.read(), ["three", "", "four"]);
    assert_eq!(world.read(), Vec::<String>::new());
}

#[test]
fn rotation_by_rename_loses_and_doubles_nothing() {
    let mut world = World::new("one\n");
    assert_eq!(world.read(), ["one"]);
    world.append("a.log", "two\n");
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.append("a.log", "four\n");
    // The writer has not noticed yet.
    world.append("a.log.1", "three\nunended");
    assert_eq!(world.read(), ["two", "three", "unended", "four"]);
}

#[test]
fn truncation_starts_again() {
    let mut world = World::new("one\ntwo\n");
    assert_eq!(world.read(), ["one", "two"]);
    fs::write(world.path("a.log"), "").unwrap();
    world.append("a.log", "x\n");
    assert_eq!(world.read(), ["x"]);
    // Grown beyond what was read before anybody looked.
    fs::write(world.path("a.log"), "something else that is longer\n").unwrap();
    assert_eq!(world.read(), ["something else that …"]);
}

#[test]
fn restarts_go_on_where_they_were() {
    let mut world = World::new("one\ntw");
    assert_eq!(world.read(), ["one"]);
    let saved = world.saved();
    world.append("a.log", "o\nthree\n");
    world.restart(saved);
    assert_eq!(world.read(), ["two", "three"]);

    // Rotated while nobody looked.
    let saved = world.saved();
    world.append("a.log", "four\n");
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.append("a.log", "a file that is much longer\n");
    world.restart(saved);
    assert_eq!(world.read(), ["four", "a file that is much …"]);

    // A second file was seen and not read yet, and both were rotated away since.
    fs::rename(world.path("a.log"), world.path("a.log.2")).unwrap();
    world.append("a.log", "next\n");
    let followed = world.followed.as_mut().unwrap();
    followed.check(&mut world.places).unwrap();
    let saved = world.saved();
    assert_eq!(saved.next.len(), 1);
    world.append("a.log", "last\n");
    fs::rename(world.path("a.log"), world.path("a.log.3")).unwrap();
    world.append("a.log", "newest\n");
    world.restart(saved);
    assert_eq!(world.read(), ["next", "last", "newest"]);

    // Truncated while nobody looked.
    let saved = world.saved();
    fs::write(world.path("a.log"), "five, and it is long enough\n").unwrap();
    world.restart(saved);
    assert_eq!(world.read(), ["five, and it is long…"]);

    // The positions file alone.
    world.append("a.log", "six\n");
    let size = fs::metadata(world.path("a.log")).unwrap().len();
    world.restart(Saved { offset: size - 4, file: None, next: Vec::new() });
    assert_eq!(world.read(), ["six"]);
    world.restart(Saved { offset: size + 1, file: None, next: Vec::new() });
    assert_eq!(world.read().len(), 2);
}

#[test]
fn a_file_under_a_second_name_is_not_read_twice() {
    let mut world = World::new("one\n");
    assert_eq!(world.read(), ["one"]);
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.append("a.log.1", "two\n");
    let path = world.path("a.log.1");
    let mut other = FollowedFile::open(&path, None, &mut world.places, 20).unwrap();
    let mut lines = Vec::new();
    let visit = &mut |line: Line<'_>| lines.push(String::from_utf8_lossy(line.bytes).into_owned());
    while other.read(&mut world.places, visit).unwrap() == ReadEnd::More {}
    assert_eq!(lines, ["two"]);
    assert_eq!(world.read(), Vec::<String>::new());
}

#[test]
fn long_lines_are_cut_once() {
    let mut world = World::new(&format!("{}\nnext\n", "x".repeat(50)));
    assert_eq!(world.read(), ["xxxxxxxxxxxxxxxxxxxx…", "next"]);
    world.append("a.log", &"y".repeat(30));
    assert_eq!(world.read(), ["yyyyyyyyyyyyyyyyyyyy…"]);
    world.append("a.log", &"y".repeat(30));
    assert_eq!(world.read(), Vec::<String>::new());
    world.append("a.log", "yy\nnext\n");
    assert_eq!(world.read(), ["next"]);
}

#[test]
fn holes_are_passed_over() {
    let mut world = World::new("");
    let file = File::create(world.path("a.log")).unwrap();
    let end = 8 << 30;
    file.write_all_at(b"after\n", end).unwrap();
    assert_eq!(world.read(), ["after"]);
    assert_eq!(world.saved().offset, end + 6);
}

#[test]
fn what_is_gone_is_gone() {
    let mut world = World::new("one\ntwo");
    fs::remove_file(world.path("a.log")).unwrap();
    assert_eq!(world.read(), ["one", "two"]);
    let followed = world.followed.as_mut().unwrap();
    assert_eq!(followed.read(&mut world.places, &mut |_| {}).unwrap(), ReadEnd::Gone);
}
