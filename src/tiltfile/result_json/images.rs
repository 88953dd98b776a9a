//! Images in the result of a load.
//!
//! Rule: `reference/tiltfile-api.md` 4.3.

use serde_json::{Map, Value, json};

use crate::model::{DockerBuild, Ignore, ImageBuild, ImageTarget, Manifest};

pub(super) fn image_target(manifest: &Manifest, image: &ImageTarget) -> Value {
    let mut fields = Map::new();
    fields.insert("selector".to_owned(), image.selector.image.familiar().into());
    if image.selector.exact {
        fields.insert("matchExact".to_owned(), true.into());
    }
    let ImageBuild::Docker(build) = &image.build;
    let rest = json!({
        "LiveUpdateName": "",
        "LiveUpdateSpec": {"basePath": "", "selector": {}},
        "LiveUpdateReconciler": false,
        "DockerImageName": format!("{}:{}", manifest.name, image.id.name),
        "CmdImageName": "",
        "BuildDetails": docker_build(image, build),
        "IsLiveUpdateOnly": false,
        "FileWatchIgnores": ignores(&image.watch_ignores),
    });
    if let Value::Object(rest) = rest {
        fields.extend(rest);
    }
    Value::Object(fields)
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
    if !image.base_images.is_empty() {
        let names: Vec<&str> = image.base_images.iter().map(|id| id.name.as_str()).collect();
        add("imageMaps", names.into());
    }
    Value::Object(fields)
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
