//! The objects of images: how each is built, what was built, and how its containers are changed in place.

use serde_json::{Value, json};

use super::made::{Made, metadata};
use crate::model::{
    CustomBuild, DockerBuild, Ignore, ImageBuild, ImageTarget, LiveUpdate, Manifest, OutputMode, Timestamp,
    sanitize_name,
};
use crate::view::{ImageView, ResourceView};

pub(super) fn of_resource(resource: &ResourceView, definition: &Manifest) -> Vec<Made> {
    let images = definition.images.iter().zip(&resource.images);
    images
        .flat_map(|(image, view)| of_image(resource, image, view))
        .collect()
}

fn of_image(resource: &ResourceView, image: &ImageTarget, view: &ImageView) -> Vec<Made> {
    let mut made = Vec::new();
    let name = sanitize_name(&format!("{}:{}", resource.name, image.id.name));
    if !image.is_live_update_only() {
        made.push(("ImageMap", image_map(resource, image, view)));
        let status = build_status(resource, view);
        match &image.build {
            ImageBuild::Docker(build) => made.push((
                "DockerImage",
                json!({
                    "metadata": metadata(&name, &resource.name, &format!("dockerimage:{name}"), &[]),
                    "spec": docker_image(image, build),
                    "status": status,
                }),
            )),
            ImageBuild::Custom(build) => {
                let span = format!("cmdimage:{name}");
                let managed = [("tilt.dev/managed-by", "cmd_image")];
                made.push((
                    "CmdImage",
                    json!({
                        "metadata": metadata(&name, &resource.name, &span, &[]),
                        "spec": cmd_image(image, build),
                        "status": status,
                    }),
                ));
                made.push((
                    "Cmd",
                    json!({
                        "metadata": metadata(&name, &resource.name, &span, &managed),
                        "spec": {"args": build.command.argv, "dir": dir(build)},
                        "status": {},
                    }),
                ));
            }
            // It is part of the service's own object.
            ImageBuild::Compose(_) => {}
        }
    }
    if let Some(rules) = &image.live_update {
        made.push((
            "LiveUpdate",
            json!({
                "metadata": metadata(&name, &resource.name, &format!("liveupdate:{name}"), &[]),
                "spec": live_update(resource, image, rules),
                "status": {},
            }),
        ));
    }
    made
}

fn image_map(resource: &ResourceView, image: &ImageTarget, view: &ImageView) -> Value {
    let mut spec = json!({"selector": image.selector.image.familiar()});
    if image.selector.exact {
        spec["matchExact"] = true.into();
    }
    if image.injection.match_in_env_vars {
        spec["matchInEnvVars"] = true.into();
    }
    if let Some(command) = &image.injection.command {
        spec["overrideCommand"] = json!({"command": command});
    }
    if let Some(args) = &image.injection.args {
        spec["overrideArgs"] = json!({"args": args});
    }
    let mut status = json!({});
    if let Some(built) = &view.built {
        let started = resource.history.iter().find(|build| build.error.is_none());
        status = json!({
            "image": built.cluster_ref.familiar(),
            "imageFromLocal": built.local_ref.familiar(),
            "imageFromCluster": built.cluster_ref.familiar(),
            "buildStartTime": started.map(|build| build.started.to_micro_text()),
        });
    }
    let name = &image.id.name;
    json!({
        "metadata": metadata(name, &resource.name, &format!("imagemap:{name}"), &[]),
        "spec": spec,
        "status": status,
    })
}

fn build_status(resource: &ResourceView, view: &ImageView) -> Value {
    if let Some(build) = resource.building.as_ref().filter(|_| view.is_building) {
        return json!({"building": {"reason": build.reason, "startedAt": build.started.to_micro_text()}});
    }
    let (Some(built), Some(last)) = (&view.built, resource.history.first()) else {
        return json!({});
    };
    json!({
        "ref": built.local_ref.familiar(),
        "completed": {
            "reason": last.reason,
            "startedAt": last.started.to_micro_text(),
            "finishedAt": last.finished.map(Timestamp::to_micro_text),
        },
    })
}

fn maps(image: &ImageTarget) -> Vec<&str> {
    image.base_images.iter().map(|id| id.name.as_str()).collect()
}

fn docker_image(image: &ImageTarget, build: &DockerBuild) -> Value {
    let options = &build.options;
    json!({
        "ref": image.selector.image.familiar(),
        "dockerfileContents": build.dockerfile_contents,
        "context": build.context.to_string(),
        "contextIgnores": ignores(&build.context_ignores),
        "args": build.build_args,
        "target": build.stage.as_deref().unwrap_or_default(),
        "sshAgentConfigs": options.ssh,
        "secrets": options.secrets,
        "network": options.network.as_deref().unwrap_or_default(),
        "pull": options.pull,
        "cacheFrom": options.cache_from,
        "platform": options.platform.as_deref().unwrap_or_default(),
        "extraTags": options.extra_tags,
        "extraHosts": options.extra_hosts,
        "imageMaps": maps(image),
        "cluster": "default",
    })
}

fn cmd_image(image: &ImageTarget, build: &CustomBuild) -> Value {
    let output = match build.output {
        OutputMode::LocalDocker => "local-docker",
        OutputMode::LocalDockerAndRemote => "local-docker-and-remote",
        OutputMode::Remote => "remote",
    };
    json!({
        "ref": image.selector.image.familiar(),
        "args": build.command.argv,
        "dir": dir(build),
        "env": build.command.env,
        "imageMaps": maps(image),
        "outputMode": output,
        "outputTag": build.tag.as_deref().unwrap_or_default(),
        "outputsImageRefTo": build.image_ref_file.as_ref().map(ToString::to_string).unwrap_or_default(),
        "cluster": "default",
    })
}

fn dir(build: &CustomBuild) -> String {
    build
        .command
        .dir
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn ignores(ignores: &[Ignore]) -> Vec<Value> {
    let shown = ignores
        .iter()
        .map(|ignore| json!({"basePath": ignore.base.to_string(), "patterns": ignore.patterns}));
    shown.collect()
}

fn live_update(resource: &ResourceView, image: &ImageTarget, rules: &LiveUpdate) -> Value {
    let mut selector = json!({"discoveryName": resource.name.as_str(), "applyName": resource.name.as_str()});
    match &rules.container {
        Some(container) => selector["containerName"] = container.as_str().into(),
        None => selector["imageMapName"] = image.id.name.as_str().into(),
    }
    let paths = |paths: &[crate::model::LocalPath]| -> Vec<String> {
        paths
            .iter()
            .map(|path| path.relative_to(&rules.base).display().to_string())
            .collect()
    };
    let syncs: Vec<Value> = rules
        .syncs
        .iter()
        .map(|sync| {
            let local = sync.source.relative_to(&rules.base).display().to_string();
            json!({"localPath": local, "containerPath": sync.destination})
        })
        .collect();
    let execs: Vec<Value> = rules
        .execs
        .iter()
        .map(|exec| json!({"args": exec.argv, "triggerPaths": exec.triggers, "echoOff": exec.echo_off}))
        .collect();
    let mut spec = json!({
        "basePath": rules.base.to_string(),
        "selector": {"kubernetes": selector},
        "sources": [{"fileWatch": image.id.to_string(), "imageMap": image.id.name}],
        "stopPaths": paths(&rules.stop_paths),
        "syncs": syncs,
        "execs": execs,
    });
    if rules.restart {
        spec["restart"] = "always".into();
    }
    if rules.initial_sync {
        spec["initialSync"] = json!({});
    }
    spec
}
