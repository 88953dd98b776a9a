//! The result of a load as `tilt alpha tiltfile-result` prints it, field by field in the order of the original.
//!
//! Rule: `docs/rules/tiltfile-result.md`, "The whole". Fields of features that this version lacks have their values for "not used".

mod compose;
mod go_formatter;
mod images;
mod kubernetes;
mod lists;
mod local;

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine as _;
use go_formatter::GoFormatter;
use lists::list_or_null;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value, json};

use super::Load;
use super::secrets::Secret;
use crate::model::{DeployTarget, DockerPrune, LocalPath, Manifest, Registry, Telemetry, format_go_duration};

impl Load {
    /// Returns the result as JSON, with a newline at its end. Only meaningful for a load that succeeded.
    pub fn result_json(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory does not fail.
        let _ = self.write_result_json(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Writes what [`Load::result_json`] returns, one resource after the other.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_result_json(&self, mut out: impl Write) -> io::Result<()> {
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, GoFormatter::default());
        self.serialize_result(&mut serializer)?;
        out.write_all(b"\n")
    }

    fn serialize_result<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let settings = self.settings();
        let mut fields = serializer.serialize_map(Some(settings.len() + 1))?;
        fields.serialize_entry("Manifests", &Manifests(self))?;
        for (name, value) in &settings {
            fields.serialize_entry(name, value)?;
        }
        fields.end()
    }

    /// Everything but the manifests.
    fn settings(&self) -> Map<String, Value> {
        let manifests = self.manifests.as_deref().unwrap_or_default();
        let tiltignore = match &self.tiltignore {
            None => json!({"LocalPath": "", "Source": "", "Patterns": null}),
            Some(file) => json!({
                "LocalPath": file.path.parent().to_string(),
                "Source": file.path.to_string(),
                "Patterns": Some(&file.patterns).filter(|patterns| !patterns.is_empty()),
            }),
        };
        let config_files: Vec<String> = self.config_files.iter().map(ToString::to_string).collect();
        let session = &self.session_settings;
        let watch_ignores: Vec<Value> = session.watch_ignores.iter().map(watch_ignore).collect();
        let suppressed = &self.update_settings.suppress_unused_image_warnings;
        let fields = json!({
            "EnabledManifests": self.enabled_in_order(manifests),
            "Tiltignore": tiltignore,
            "ConfigFiles": config_files,
            "FeatureFlags": session.features,
            "TeamID": session.team,
            "TelemetrySettings": telemetry(&session.telemetry),
            "Secrets": self.secrets.iter().map(secret).collect::<Map<_, _>>(),
            "Error": null,
            "DockerPruneSettings": docker_prune(&session.docker_prune),
            "AnalyticsOpt": match session.analytics {
                None => 0,
                Some(false) => 1,
                Some(true) => 2,
            },
            "VersionSettings": {"CheckUpdates": session.check_updates},
            "UpdateSettings": {"SuppressUnusedImageWarnings": list_or_null(suppressed)},
            "WatchSettings": {"Ignores": list_or_null(&watch_ignores)},
            "DefaultRegistry": self.default_registry.as_ref().map(registry),
            "ObjectSet": self.objects.to_json(),
            "Hashes": {
                "TiltfileSHA256": self.hashes.tiltfile,
                "AllFilesSHA256": self.hashes.all_files,
            },
            "CISettings": self.ci_settings(),
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    fn enabled_in_order(&self, manifests: &[Manifest]) -> Value {
        let enabled = manifests
            .iter()
            .filter(|manifest| self.enabled.contains(&manifest.name));
        let names: Vec<&str> = enabled.map(|manifest| manifest.name.as_str()).collect();
        list_or_null(&names)
    }

    fn ci_settings(&self) -> Value {
        let settings = &self.ci_settings;
        let mut fields = Map::new();
        if !settings.k8s_grace_period.is_zero() {
            fields.insert(
                "k8sGracePeriod".to_owned(),
                format_go_duration(settings.k8s_grace_period).into(),
            );
        }
        let timeout = format_go_duration(settings.timeout.unwrap_or_default());
        fields.insert("timeout".to_owned(), timeout.into());
        let readiness = format_go_duration(settings.readiness_timeout);
        fields.insert("readinessTimeout".to_owned(), readiness.into());
        if settings.fail_fast {
            fields.insert("failFast".to_owned(), true.into());
        }
        Value::Object(fields)
    }
}

/// The manifests of a load. Each is made when it is written: all together would take more memory than the load.
struct Manifests<'a>(&'a Load);

impl Serialize for Manifests<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let manifests = self.0.manifests.as_deref().unwrap_or_default();
        let server_side_apply = self.0.update_settings.server_side_apply;
        serializer.collect_seq(
            manifests
                .iter()
                .map(|m| manifest(m, &self.0.web_host, server_side_apply)),
        )
    }
}

fn registry(registry: &Registry) -> Value {
    let mut fields = json!({"host": registry.host});
    if let Some(host) = &registry.host_from_container_runtime {
        fields["hostFromContainerRuntime"] = host.as_str().into();
    }
    if let Some(name) = &registry.single_name {
        fields["singleName"] = name.as_str().into();
    }
    fields
}

fn telemetry(telemetry: &Telemetry) -> Value {
    let text = |path: &Option<LocalPath>| path.as_ref().map(ToString::to_string).unwrap_or_default();
    let command = &telemetry.command;
    json!({
        "Cmd": {
            "Argv": list_or_null(&command.argv),
            "Dir": text(&command.dir),
            "Env": list_or_null(&command.env),
            "EchoOff": false,
        },
        "Workdir": text(&telemetry.workdir),
        "Period": nanoseconds(telemetry.period),
    })
}

fn docker_prune(prune: &DockerPrune) -> Value {
    json!({
        "Enabled": prune.enabled,
        "MaxAge": nanoseconds(prune.max_age),
        "NumBuilds": prune.num_builds,
        "Interval": nanoseconds(prune.interval),
        "KeepRecent": prune.keep_recent,
    })
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn watch_ignore((base, patterns): &(LocalPath, Vec<String>)) -> Value {
    json!({"LocalPath": base.to_string(), "Source": "watch_settings()", "Patterns": patterns})
}

fn secret((value, secret): (&String, &Secret)) -> (String, Value) {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let replacement = format!("[redacted secret {}:{}]", secret.name, secret.key);
    let fields = json!({
        "Name": secret.name,
        "Key": secret.key,
        "Value": (!secret.is_null).then(|| base64(value)),
        "ValueEncoded": base64(&base64(value)),
        "Replacement": base64(&replacement),
    });
    (value.clone(), fields)
}

fn manifest(manifest: &Manifest, web_host: &str, server_side_apply: bool) -> Value {
    let has_images = !matches!(manifest.deploy, DeployTarget::Local(_))
        && manifest.name.as_str() != crate::model::ManifestName::UNCATEGORIZED;
    let images = manifest
        .images
        .iter()
        .map(|image| images::image_target(manifest, image));
    let images = has_images.then(|| images.collect::<Vec<_>>());
    let deploy = match &manifest.deploy {
        DeployTarget::K8s(target) => kubernetes::target(manifest, target, web_host, server_side_apply),
        DeployTarget::Local(target) => local::local_target(manifest, target),
        DeployTarget::Compose(target) => compose::target(manifest, target),
    };
    let labels: Map<String, Value> = manifest
        .labels
        .iter()
        .map(|label| (label.clone(), label.as_str().into()))
        .collect();
    let deps: Vec<&str> = manifest.resource_deps.iter().map(|dep| dep.as_str()).collect();
    json!({
        "Name": manifest.name.as_str(),
        "ImageTargets": images,
        "DeployTarget": deploy,
        "TriggerMode": manifest.trigger_mode as u8,
        "ResourceDependencies": list_or_null(&deps),
        "SourceTiltfile": "",
        "Labels": labels,
    })
}
