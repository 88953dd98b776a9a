//! Pages that are made from the code are what the code says.

use std::path::Path;

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tiltfile.md");
    let made = tilt::tiltfile::reference_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    assert!(
        kept == made,
        "docs/tiltfile.md is not what the code says (first difference: {differs:?}); run UPDATE_DOCS=1 cargo test --test \
         it documentation"
    );
}

#[test]
fn stubs_declare_every_function_of_the_reference() {
    let stubs = tilt::tiltfile::stubs();
    let page = tilt::tiltfile::reference_page();
    for name in page.lines().filter_map(|line| line.strip_prefix("### ")) {
        let (module, function) = name.rsplit_once('.').unwrap_or(("", name));
        let path = match module {
            "" => "api/__init__.py".to_owned(),
            module => match module.split_once('.') {
                Some((outer, inner)) => format!("api/{outer}/{inner}.py"),
                None => format!("api/{module}/__init__.py"),
            },
        };
        let stub = stubs.iter().find(|(at, _)| *at == path);
        let (_, text) = stub.unwrap_or_else(|| panic!("there is no {path} for {name}"));
        assert!(text.contains(&format!("\ndef {function}(")), "{name} in {path}");
    }
}
