//! A file under `tests/it` that `main.rs` does not name would never run.

use std::path::Path;

#[test]
fn every_file_is_a_module_of_the_binary() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(folder.join("main.rs")).expect("main.rs");
    for entry in std::fs::read_dir(&folder).expect("tests/it") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let named = name == "main" || main.contains(&format!("mod {name};\n"));
        assert!(named, "{name} is missing in main.rs");
    }
}
