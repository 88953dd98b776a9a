//! One test binary, one module per area. `forgotten` checks that no file here is left out.
#![allow(missing_docs, reason = "tests state their claims in their names")]

mod api_objects;
mod ci_pipes;
mod ci_runs;
mod commands;
mod diagnostics;
mod dialect;
mod documentation;
mod down_and_flags;
mod edits;
mod examples;
mod extensions;
mod extensions_of_their_own;
mod faults_together;
mod forgotten;
mod git_checkouts;
mod images;
mod inputs;
mod kubernetes;
mod language;
mod live_updates;
mod local_commands;
mod local_declarations;
mod local_resources;
mod manifests;
mod projects;
mod properties;
mod rendering;
mod result_json;
mod reuse;
mod rules;
mod session_cluster;
mod settings;
mod support;
mod traces;
mod values;
