//! What Tilt has and this version lacks. Nothing of it is silently ignored: using it is an error that names it.

use starlark::values::Value;

use super::{Builtin, Members};
use crate::tiltfile::call::Call;
use crate::tiltfile::fault::{Fault, Outcome};

pub(super) static BUILTINS: &[Builtin] = &[
    missing("analytics_settings"),
    missing("ci_settings"),
    missing("dc_resource"),
    missing("decode_json"),
    missing("decode_yaml"),
    missing("decode_yaml_stream"),
    missing("disable_feature"),
    missing("disable_snapshots"),
    missing("docker_compose"),
    missing("docker_prune_settings"),
    missing("enable_feature"),
    missing("encode_json"),
    missing("encode_yaml"),
    missing("encode_yaml_stream"),
    missing("experimental_analytics_report"),
    missing("experimental_metrics_settings"),
    missing("experimental_telemetry_cmd"),
    missing("listdir"),
    missing("read_json"),
    missing("read_yaml"),
    missing("read_yaml_stream"),
    missing("secret_settings"),
    missing("set_team"),
    missing("update_settings"),
    missing("version_settings"),
    missing("watch_file"),
    missing("watch_settings"),
];

pub(super) static MODULES: &[Members] = &[
    Members {
        name: "sys",
        functions: &[],
        texts: &[],
        modules: &[],
    },
    Members {
        name: "shlex",
        functions: &[missing("shlex.quote")],
        texts: &[],
        modules: &[],
    },
    Members {
        name: "config",
        functions: &[
            missing("config.clear_enabled_resources"),
            missing("config.define_bool"),
            missing("config.define_object"),
            missing("config.define_string"),
            missing("config.define_string_list"),
            missing("config.parse"),
            missing("config.set_enabled_resources"),
        ],
        texts: &[],
        modules: &[],
    },
];

/// Attributes that are no functions; see `wording`.
pub(super) static ATTRIBUTES: &[&str] = &[
    "os.environ",
    "sys.argv",
    "sys.executable",
    "config.main_dir",
    "config.main_path",
    "config.tilt_subcommand",
];

/// The docstring of what is not there yet.
pub(super) const DOC: &str = "Not supported by this version yet.";

/// Returns an entry for a function that is not there yet.
pub(super) const fn missing(name: &'static str) -> Builtin {
    Builtin {
        name,
        signature: "*args, **kwargs",
        doc: DOC,
        run: refuse,
    }
}

fn refuse<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let name = call.builtin.name;
    Err(Fault::new(format!("{name} is not supported by this version yet")))
}
