//! Images in the result of a load.
//!
//! Rule: `docs/rules/tiltfile-result.md`, "Images".

use serde_json::{Map, Value, json};

use super::lists::list_or_null;
use crate::model::{
    ComposeBuild, CustomBuild, DockerBuild, Exec, Ignore, ImageBuild, ImageTarget, LiveUpdate, LocalPath,
    Manifest,
};

pub(super) fn image_target(manifest: &Manifest, image: &ImageTarget) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    let name = format!("{}:{}", manifest.name, image.id.name);
    add("selector", image.selector.image.familiar().into());
    if image.selector.exact {
        add("matchExact", true.into());
    }
    if image.injection.match_in_env_vars {
        add("matchInEnvVars", true.into());
    }
    if let Some(command) = &image.injection.command {
        add("overrideCommand", json!({"command": command}));
    }
    if let Some(args) = &image.injection.args {
        add("overrideArgs", json!({"args": list_or_null(args)}));
    }
    let has_live_update = image.live_update.is_some();
    add(
        "LiveUpdateName",
        if has_live_update {
            name.as_str().into()
        } else {
            "".into()
        },
    );
    add("LiveUpdateSpec", live_update(image.live_update.as_ref()));
    add("LiveUpdateReconciler", has_live_update.into());
    let (docker_name, cmd_name, details) = match &image.build {
        ImageBuild::Docker(build) => (name, String::new(), docker_build(image, build)),
        ImageBuild::Custom(build) => (String::new(), name, custom_build(image, build)),
        ImageBuild::Compose(build) => (String::new(), String::new(), compose_build(build)),
    };
    add("DockerImageName", docker_name.into());
    add("CmdImageName", cmd_name.into());
    add("BuildDetails", details);
    add("IsLiveUpdateOnly", image.is_live_update_only().into());
    add(
        "FileWatchIgnores",
        match &image.build {
            ImageBuild::Compose(build) => compose_ignores(image, build),
            ImageBuild::Docker(_) | ImageBuild::Custom(_) => ignores(&image.watch_ignores),
        },
    );
    Value::Object(fields)
}

fn live_update(update: Option<&LiveUpdate>) -> Value {
    let Some(update) = update else {
        return json!({"basePath": "", "selector": {}});
    };
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    let relative = |path: &LocalPath| path.relative_with_dots(&update.base);
    add("basePath", update.base.to_string().into());
    add(
        "selector",
        match &update.container {
            Some(container) => json!({"kubernetes": {"discoveryName": "", "containerName": container}}),
            None => json!({}),
        },
    );
    if !update.stop_paths.is_empty() {
        let paths: Vec<String> = update.stop_paths.iter().map(relative).collect();
        add("stopPaths", paths.into());
    }
    if !update.syncs.is_empty() {
        let syncs = update.syncs.iter();
        let syncs =
            syncs.map(|sync| json!({"localPath": relative(&sync.source), "containerPath": sync.destination}));
        add("syncs", syncs.collect());
    }
    if !update.execs.is_empty() {
        let exec = |exec: &Exec| {
            let triggers = list_or_null(&exec.triggers);
            json!({"args": list_or_null(&exec.argv), "triggerPaths": triggers, "echoOff": exec.echo_off})
        };
        add("execs", update.execs.iter().map(exec).collect());
    }
    if update.restart {
        add("restart", "always".into());
    }
    if update.initial_sync {
        add("initialSync", json!({}));
    }
    Value::Object(fields)
}

fn compose_build(build: &ComposeBuild) -> Value {
    let context = build.context.as_ref().map(ToString::to_string);
    json!({"Service": build.service, "Context": context.unwrap_or_default()})
}

/// Tilt lists volumes like paths, and a Dockerfile also where there is none.
fn compose_ignores(image: &ImageTarget, build: &ComposeBuild) -> Value {
    let with_patterns = image
        .watch_ignores
        .iter()
        .filter(|ignore| !ignore.patterns.is_empty());
    let mut listed = ignores(&with_patterns.cloned().collect::<Vec<_>>());
    let dockerfile = build.definition["dockerfile"].as_str().unwrap_or("Dockerfile");
    let dockerfile = match &build.context {
        Some(context) => context.join(dockerfile).to_string(),
        None => dockerfile.to_owned(),
    };
    if let Value::Array(listed) = &mut listed {
        let whole = std::iter::once(&dockerfile).chain(&build.mounted);
        listed.extend(whole.map(|path| json!({"basePath": path})));
    }
    listed
}

fn custom_build(image: &ImageTarget, build: &CustomBuild) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    add("ref", "".into());
    add("args", build.command.argv.clone().into());
    if let Some(dir) = &build.command.dir {
        add("dir", dir.to_string().into());
    }
    if !build.command.env.is_empty() {
        add("env", build.command.env.clone().into());
    }
    if !image.base_images.is_empty() {
        add("imageMaps", image_maps(image));
    }
    add("outputMode", build.output.as_str().into());
    if let Some(tag) = &build.tag {
        add("outputTag", tag.as_str().into());
    }
    if let Some(file) = &build.image_ref_file {
        add("outputsImageRefTo", file.to_string().into());
    }
    let deps: Option<Vec<String>> = build
        .deps
        .as_ref()
        .map(|deps| deps.iter().map(ToString::to_string).collect());
    add("Deps", deps.into());
    Value::Object(fields)
}

fn image_maps(image: &ImageTarget) -> Value {
    image.base_images.iter().map(|id| id.name.as_str()).collect()
}

fn docker_build(image: &ImageTarget, build: &DockerBuild) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    add("ref", "".into());
    if !build.dockerfile_contents.is_empty() {
        add("dockerfileContents", build.dockerfile_contents.as_str().into());
    }
    add("context", build.context.to_string().into());
    if !build.context_ignores.is_empty() {
        add("contextIgnores", ignores(&build.context_ignores));
    }
    if !build.build_args.is_empty() {
        add("args", build.build_args.clone().into());
    }
    if let Some(stage) = &build.stage {
        add("target", stage.as_str().into());
    }
    let options = &build.options;
    add_texts(&mut add, "sshAgentConfigs", &options.ssh);
    add_texts(&mut add, "secrets", &options.secrets);
    if let Some(network) = &options.network {
        add("network", network.as_str().into());
    }
    if options.pull {
        add("pull", true.into());
    }
    add_texts(&mut add, "cacheFrom", &options.cache_from);
    if let Some(platform) = &options.platform {
        add("platform", platform.as_str().into());
    }
    add_texts(&mut add, "extraTags", &options.extra_tags);
    if !image.base_images.is_empty() {
        add("imageMaps", image_maps(image));
    }
    add_texts(&mut add, "extraHosts", &options.extra_hosts);
    Value::Object(fields)
}

fn add_texts(add: &mut impl FnMut(&str, Value), name: &str, texts: &[String]) {
    if !texts.is_empty() {
        add(name, texts.into());
    }
}

/// Returns what is left out; see `Ignore`.
pub(super) fn ignores(ignores: &[Ignore]) -> Value {
    let ignore = |ignore: &Ignore| {
        let base = ignore.base.to_string();
        if ignore.patterns.is_empty() {
            json!({"basePath": base})
        } else {
            json!({"basePath": base, "patterns": ignore.patterns})
        }
    };
    ignores.iter().map(ignore).collect::<Vec<_>>().into()
}
