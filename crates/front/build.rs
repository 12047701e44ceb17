//! Turns `ui/dist` into a table of precompressed assets. Without it the table is empty and the pages say
//! how to build the web app; the APIs do not need it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = root.join("../../ui/dist");
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    collect(&dist, &dist, &mut files);
    files.sort();
    let mut table = String::from("pub(super) static FILES: &[File] = &[\n");
    for path in &files {
        let full = dist.join(path);
        let full = full.canonicalize().unwrap_or(full);
        println!("cargo:rerun-if-changed={}", full.display());
        let shown = full.display().to_string();
        let optional = |suffix: &str| {
            let compressed = format!("{shown}{suffix}");
            if Path::new(&compressed).exists() {
                format!("Some(include_bytes!({compressed:?}))")
            } else {
                "None".to_owned()
            }
        };
        let (brotli, gzip) = (optional(".br"), optional(".gz"));
        let _ = writeln!(
            table,
            "    File {{ path: {path:?}, plain: include_bytes!({shown:?}), brotli: {brotli}, gzip: {gzip} }},"
        );
    }
    table.push_str("];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default()).join("assets.rs");
    if let Err(e) = std::fs::write(&out, table) {
        println!("cargo:warning=cannot write {}: {e}", out.display());
    }
}

fn collect(root: &Path, dir: &Path, out: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, out);
        } else if let Ok(relative) = path.strip_prefix(root) {
            let name = relative.to_string_lossy().into_owned();
            if !name.ends_with(".br") && !name.ends_with(".gz") && !name.ends_with(".map") {
                out.push(name);
            }
        }
    }
}
