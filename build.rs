//! Puts the page into the binary, and compresses the line tables that the binary keeps: a panic report still has line numbers, in
//! half the space.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux && std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rustc-link-arg-bins=-Wl,--compress-debug-sections=zlib");
    }
    embed_page();
}

/// Writes a table of the files in `web/dist`, which `npm run build` makes; an empty one if it was not run.
fn embed_page() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let dist = root.join("web/dist");
    println!("cargo:rerun-if-changed={}", dist.display());
    let index = std::fs::read_to_string(dist.join("index")).unwrap_or_default();
    let mut table = String::from("static ASSETS: &[Asset] = &[\n");
    for line in index.lines() {
        let mut fields = line.split('\t');
        let (Some(file), Some(path), Some(media_type)) = (fields.next(), fields.next(), fields.next()) else {
            panic!("web/dist/index: {line:?} is no file, path and type");
        };
        let file: &Path = &dist.join(file);
        writeln!(
            table,
            "    Asset {{ path: {path:?}, media_type: {media_type:?}, packed: include_bytes!({file:?}) }},"
        )
        .expect("a string takes all");
    }
    table.push_str("];\n");
    std::fs::write(out.join("page.rs"), table).expect("OUT_DIR can be written to");
}
