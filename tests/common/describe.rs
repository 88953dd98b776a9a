//! Resources in one line each, for tests that say which ones a Tiltfile makes.

use tilt::model::{Command, ComposeTarget, DeployTarget, LocalTarget, Manifest};

/// Returns what makes a resource, in one line.
pub(crate) fn describe(manifest: &Manifest) -> String {
    let target = match &manifest.deploy {
        DeployTarget::K8s(target) => target,
        DeployTarget::Local(target) => return describe_local(manifest, target),
        DeployTarget::Compose(target) => return describe_service(manifest, target),
    };
    let objects: Vec<String> = target
        .entities
        .iter()
        .map(|entity| format!("{}/{}", entity.kind(), entity.name()))
        .collect();
    let mut line = format!("{}: {}", manifest.name, objects.join(" "));
    if !manifest.images.is_empty() {
        let images: Vec<&str> = manifest
            .images
            .iter()
            .map(|image| image.id.name.as_str())
            .collect();
        line.push_str(&format!("; images {}", images.join(" ")));
    }
    line.push_str(&format!("; {}", target.readiness.as_str()));
    if !manifest.resource_deps.is_empty() {
        let deps: Vec<&str> = manifest.resource_deps.iter().map(|dep| dep.as_str()).collect();
        line.push_str(&format!("; after {}", deps.join(" ")));
    }
    if !manifest.labels.is_empty() {
        let labels: Vec<&str> = manifest.labels.iter().map(String::as_str).collect();
        line.push_str(&format!("; labels {}", labels.join(" ")));
    }
    line
}

fn describe_service(manifest: &Manifest, target: &ComposeTarget) -> String {
    let service = &target.service;
    let mut line = format!(
        "{}: {}/{} {}",
        manifest.name, target.project.name, service.name, service.image
    );
    for image in &manifest.images {
        line.push_str(&format!("; builds {}", image.id.name));
    }
    for needed in &service.depends_on {
        line.push_str(&format!("; {} {}", needed.condition.as_str(), needed.resource));
    }
    for link in target.all_links() {
        line.push_str(&format!("; {}", link.url));
    }
    if !manifest.resource_deps.is_empty() {
        let deps: Vec<&str> = manifest.resource_deps.iter().map(|dep| dep.as_str()).collect();
        line.push_str(&format!("; after {}", deps.join(" ")));
    }
    line
}

fn describe_local(manifest: &Manifest, target: &LocalTarget) -> String {
    let update = target.update_cmd.as_ref().map(Command::display);
    let mut line = format!(
        "{}: {} / {}",
        manifest.name,
        update.unwrap_or_default(),
        target.serve_cmd.display()
    );
    if !manifest.resource_deps.is_empty() {
        let deps: Vec<&str> = manifest.resource_deps.iter().map(|dep| dep.as_str()).collect();
        line.push_str(&format!("; after {}", deps.join(" ")));
    }
    line
}
