//! The built-ins: one table entry each, with name, signature, docstring and implementation side by side.
//!
//! To add one, write a [`Builtin`] into the table of the file that fits. A signature is written as in the
//! documentation (`ref, context, build_args={}, *, name=?`), and `run` asks the [`Call`] for its arguments by name and
//! kind.

mod commands;
mod config;
mod custom_build;
mod custom_deploy;
mod dc_resource;
mod docker;
mod docker_compose;
mod encoding;
mod files;
mod filter;
mod git;
mod helm;
mod images;
mod kubernetes;
mod kustomize;
mod kustomize_inputs;
mod language;
mod live_update;
mod loading;
mod local_resource;
mod os;
mod probes;
mod program;
mod records;
mod resources;
mod settings;
mod v1alpha1;
mod workloads;

use std::sync::LazyLock;

use starlark::environment::{Globals, GlobalsBuilder, LibraryExtension};

use super::call::Builtin;
use super::rewrite::ENDLESS;
use super::session::Vocabulary;
use super::text::operators;
use super::values::{BuiltinModule, Endless, Function, Members, TriggerModeValue};

/// Returns every global function.
pub(super) fn functions() -> impl Iterator<Item = &'static Builtin> {
    [
        language::BUILTINS,
        commands::BUILTINS,
        files::BUILTINS,
        encoding::BUILTINS,
        loading::BUILTINS,
        records::BUILTINS,
        git::BUILTINS,
        kubernetes::BUILTINS,
        custom_deploy::BUILTINS,
        helm::BUILTINS,
        kustomize::BUILTINS,
        resources::BUILTINS,
        filter::BUILTINS,
        workloads::BUILTINS,
        settings::BUILTINS,
        docker::BUILTINS,
        custom_build::BUILTINS,
        live_update::BUILTINS,
        local_resource::BUILTINS,
        probes::BUILTINS,
        docker_compose::BUILTINS,
        dc_resource::BUILTINS,
    ]
    .into_iter()
    .flatten()
}

/// Returns every module.
pub(super) fn modules() -> impl Iterator<Item = &'static Members> {
    [
        &os::OS,
        &program::SYS,
        &program::SHLEX,
        &config::CONFIG,
        &v1alpha1::V1ALPHA1,
    ]
    .into_iter()
}

/// Returns what every file sees.
pub(super) fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary {
        globals: globals(),
        builtins: functions()
            .map(|builtin| builtin.name)
            .chain(modules().map(|members| members.name))
            .collect(),
    });
    &VOCABULARY
}

fn globals() -> Globals {
    let mut builder = GlobalsBuilder::extended_by(&[LibraryExtension::SetType]);
    for builtin in functions() {
        builder.set(builtin.name, Function::new(builtin));
    }
    for builtin in language::BUILTINS {
        builder.set(builtin.name, Function::pure(builtin));
    }
    for members in modules() {
        builder.set(members.name, BuiltinModule { members });
    }
    builder.set("TRIGGER_MODE_AUTO", TriggerModeValue::Auto);
    builder.set("TRIGGER_MODE_MANUAL", TriggerModeValue::Manual);
    builder.set(ENDLESS, Endless);
    operators(&mut builder);
    builder.build()
}

/// Returns the parameters of a signature as they are written.
pub(super) fn parameters(signature: &'static str) -> Vec<&'static str> {
    super::signature::split(signature)
}

/// Returns the arguments of a built-in whose types are known as data, each with its type.
pub(super) fn described_arguments(name: &str) -> Vec<(&'static str, String)> {
    v1alpha1::described_arguments(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Signature;

    #[test]
    fn no_name_is_defined_twice() {
        let mut names: Vec<&str> = functions()
            .map(|builtin| builtin.name)
            .chain(modules().map(|members| members.name))
            .collect();
        names.sort_unstable();
        let unique = names.len();
        names.dedup();
        assert_eq!(names.len(), unique);
    }

    #[test]
    fn every_parameter_is_named_in_the_docstring() {
        let all = functions().chain(modules().flat_map(|members| members.functions));
        let written = |builtin: &'static Builtin| {
            let names = parameters(builtin.signature).into_iter();
            names.map(|parameter| parameter.split('=').next().unwrap_or_default())
        };
        for builtin in all.filter(|builtin| !builtin.name.starts_with("__")) {
            if !described_arguments(builtin.name).is_empty() {
                continue;
            }
            for name in written(builtin).filter(|name| !name.starts_with(['*', '/'])) {
                let named = builtin.doc.contains(&format!("`{name}`"));
                assert!(named, "the docstring of {} does not name `{name}`", builtin.name);
            }
            assert!(
                !builtin.doc.contains("   "),
                "stray blanks in the docstring of {}",
                builtin.name
            );
        }
    }

    #[test]
    fn every_builtin_is_documented_and_its_signature_can_be_read() {
        for builtin in functions().chain(os::OS.functions) {
            assert!(!builtin.doc.is_empty(), "{} has no docstring", builtin.name);
            Signature::parse(builtin.signature);
        }
    }
}
