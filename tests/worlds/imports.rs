//! Files import each other in one direction: whoever reads one need not have read all others. A circle of imports makes one
//! thing of its files, whatever they are called.
//!
//! What is read are the declarations with `use`. A name that a room passes on (`pub use`) counts as an import of the file
//! that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::{Item, UseTree, Visibility};

use crate::pure::sources;

/// A module, by its path from the root of its crate.
type Module = Vec<String>;

/// What a file says: a path from where it stands, and whether it is passed on.
type Import = (Module, bool);

/// The files of a crate.
#[derive(Default)]
struct Imports {
    of: BTreeMap<Module, Vec<Import>>,
}

impl Imports {
    /// Takes in the file of a module.
    fn add(&mut self, module: Module, source: &str) {
        let file = syn::parse_file(source).expect("it compiles");
        let mut imports = Vec::new();
        for item in file.items {
            if let Item::Use(item) = item
                && !item
                    .attrs
                    .iter()
                    .any(|attribute| attribute.path().is_ident("cfg"))
            {
                let is_passed_on = !matches!(item.vis, Visibility::Inherited);
                let mut paths = Vec::new();
                flatten(&item.tree, &mut Vec::new(), &mut paths);
                imports.extend(paths.into_iter().map(|path| (path, is_passed_on)));
            }
        }
        self.of.insert(module, imports);
    }

    /// Returns the modules that a module imports something from.
    fn targets(&self, module: &Module) -> BTreeSet<&Module> {
        let imports = self.of[module].iter().filter(|(_, is_passed_on)| !is_passed_on);
        let found = imports.filter_map(|(path, _)| self.resolve(module, path, 8));
        found.filter(|target| *target != module).collect()
    }

    /// Returns the module that a path leads to from another one; `None` for what is not of this crate.
    fn resolve(&self, from: &Module, path: &[String], patience: usize) -> Option<&Module> {
        let mut rest: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut at = match rest.first()? {
            &"crate" => Module::new(),
            &"self" | &"super" => from.clone(),
            first => {
                let child = [from.as_slice(), &[(*first).to_owned()]].concat();
                self.of.contains_key(&child).then(|| from.clone())?
            }
        };
        while let Some(first @ (&"crate" | &"self" | &"super")) = rest.first() {
            if *first == "super" {
                at.pop();
            }
            rest.remove(0);
        }
        while let Some(next) = rest.first() {
            let child = [at.as_slice(), &[(*next).to_owned()]].concat();
            if !self.of.contains_key(&child) {
                break;
            }
            at = child;
            rest.remove(0);
        }
        // What the room passes on comes from elsewhere.
        let name = rest.first().filter(|_| patience > 0);
        let passed_on = name.and_then(|name| {
            let imports = self.of.get(&at)?.iter().filter(|(_, is_passed_on)| *is_passed_on);
            let mut named = imports.filter(|(path, _)| path.last().is_some_and(|last| last == name));
            named.find_map(|(path, _)| self.resolve(&at, path, patience - 1))
        });
        passed_on.or_else(|| self.of.get_key_value(&at).map(|(module, _)| module))
    }

    /// Returns a circle of imports, if there is one.
    fn circle(&self) -> Option<Vec<&Module>> {
        let modules = self.of.keys();
        let graph: BTreeMap<&Module, BTreeSet<&Module>> =
            modules.map(|module| (module, self.targets(module))).collect();
        let mut done = BTreeSet::new();
        graph.keys().find_map(|module| {
            let mut path = Vec::new();
            follow(&graph, module, &mut path, &mut done)
        })
    }
}

/// Goes on from a module; returns the circle that closes.
fn follow<'a>(
    graph: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
    module: &'a Module,
    path: &mut Vec<&'a Module>,
    done: &mut BTreeSet<&'a Module>,
) -> Option<Vec<&'a Module>> {
    if let Some(at) = path.iter().position(|known| *known == module) {
        return Some(path[at..].to_vec());
    }
    if done.contains(module) {
        return None;
    }
    path.push(module);
    let found = graph[module]
        .iter()
        .find_map(|next| follow(graph, next, path, done));
    path.pop();
    done.insert(module);
    found
}

fn flatten(tree: &UseTree, prefix: &mut Module, paths: &mut Vec<Module>) {
    let mut whole = |name: &syn::Ident, prefix: &Module| {
        let mut path = prefix.clone();
        if name != "self" {
            path.push(name.to_string());
        }
        paths.push(path);
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, paths);
            prefix.pop();
        }
        UseTree::Name(name) => whole(&name.ident, prefix),
        UseTree::Rename(name) => whole(&name.ident, prefix),
        UseTree::Glob(_) => paths.push(prefix.clone()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, paths)),
    }
}

/// Returns the imports of a crate, without its tests.
fn imports_of(crate_dir: &Path) -> Imports {
    let mut imports = Imports::default();
    for file in sources(crate_dir) {
        let inside = file.strip_prefix(crate_dir).expect("it is below");
        let mut module: Module = inside
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        let is_test =
            |part: &String| part == "tests" || part.ends_with("_tests") || part.starts_with("fake_");
        if module.iter().any(is_test) || module == ["main"] {
            continue;
        }
        if module.last().is_some_and(|last| last == "mod" || last == "lib") {
            module.pop();
        }
        let source = std::fs::read_to_string(&file).expect("the file can be read");
        imports.add(module, &source);
    }
    imports
}

#[test]
fn files_import_each_other_in_one_direction() {
    for crate_dir in ["crates/core/src/", "crates/tiltfile/src/", "src/"] {
        let imports = imports_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join(crate_dir));
        assert!(
            imports.of.len() > 30,
            "the folders moved: only {} files",
            imports.of.len()
        );
        let circle = imports.circle();
        let shown = circle.map(|circle| circle.iter().map(|module| module.join("/")).collect::<Vec<_>>());
        assert_eq!(shown, None, "in {crate_dir}");
    }
}

/// The words in which the engine and the outside talk are data too.
#[test]
fn the_data_of_a_session_knows_no_rules() {
    let imports = imports_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/"));
    let is_in = |module: &Module, room: &[&str]| {
        module.len() >= room.len() && module.iter().zip(room).all(|(a, b)| a == b)
    };
    let of_state = imports
        .of
        .keys()
        .filter(|module| is_in(module, &["engine", "state"]));
    let targets: BTreeSet<&Module> = of_state.flat_map(|module| imports.targets(module)).collect();
    let words = ["config", "effect", "event", "moment", "object_id", "state"];
    let in_engine = targets.into_iter().filter(|module| is_in(module, &["engine"]));
    let rules: Vec<String> = in_engine
        .filter(|module| !words.contains(&module[1].as_str()))
        .map(|module| module.join("/"))
        .collect();
    assert!(rules.is_empty(), "engine/state imports {rules:?}");
}

#[test]
fn a_circle_is_found_also_through_what_a_room_passes_on() {
    let module = |path: &str| -> Module { path.split("::").map(str::to_owned).collect() };
    let mut imports = Imports::default();
    imports.add(Module::new(), "mod a; mod b;");
    imports.add(module("a"), "mod inner; pub use inner::Thing;");
    imports.add(module("a::inner"), "use crate::b::{self, other};");
    imports.add(module("b"), "use super::a::Thing;");
    let circle = imports.circle().expect("there is one");
    assert_eq!(circle, [&module("a::inner"), &module("b")]);
    imports.add(module("b"), "#[cfg(test)] use super::a::Thing;");
    assert_eq!(imports.circle(), None);
}
