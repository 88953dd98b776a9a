//! The deploy target of a Kubernetes resource.
//!
//! Rule: `docs/rules/tiltfile-result.md`, "Kubernetes".

use serde_json::{Map, Value, json};

use crate::k8s::yaml;
use crate::model::{
    Command, ImageLocator, K8sTarget, Link, Manifest, ObjectPatterns, PortForward, TargetId,
    format_go_duration,
};

/// Containers whose logs nobody wants to read.
const QUIET_CONTAINERS: [&str; 4] = ["istio-init", "istio-proxy", "linkerd-proxy", "linkerd-init"];

/// Returns the deploy target of a Kubernetes resource. Port-forwards without a host listen on `web_host`.
pub(super) fn target(
    manifest: &Manifest,
    target: &K8sTarget,
    web_host: &str,
    server_side_apply: bool,
) -> Value {
    let options = &target.options;
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    if !target.entities.is_empty() {
        add("yaml", yaml::write(&target.entities).into());
    }
    add_list(&mut add, "imageMaps", &target.images, |id: &TargetId| {
        id.name.as_str().into()
    });
    add_list(&mut add, "imageLocators", &options.image_locators, image_locator);
    add("timeout", format_go_duration(target.upsert_timeout).into());
    if !target.extra_pod_selectors.is_empty() {
        let selectors = target.extra_pod_selectors.iter();
        let selectors: Vec<Value> = selectors.map(|labels| json!({"matchLabels": labels})).collect();
        add(
            "kubernetesDiscoveryTemplateSpec",
            json!({"extraSelectors": selectors}),
        );
    }
    if !options.port_forwards.is_empty() {
        let forwards = options.port_forwards.iter();
        let forwards: Vec<Value> = forwards.map(|forward| port_forward(forward, web_host)).collect();
        add("portForwardTemplateSpec", json!({"forwards": forwards}));
    }
    add(
        "podLogStreamTemplateSpec",
        json!({"sinceTime": null, "ignoreContainers": QUIET_CONTAINERS}),
    );
    if let Some(deploy) = &options.custom_deploy {
        add("applyCmd", command(&deploy.apply));
        add("deleteCmd", command(&deploy.delete));
        let watch = format!("{}:apply", manifest.name);
        add("restartOn", json!({"fileWatches": [watch]}));
    }
    if let Some(strategy) = options.discovery_strategy {
        add("discoveryStrategy", strategy.as_str().into());
    }
    add("cluster", "default".into());
    if server_side_apply {
        add("serverSideApply", true.into());
    }
    add("Name", manifest.name.as_str().into());
    add("PodReadinessMode", target.readiness.as_str().into());
    add("Links", links(&options.links));
    let deploy = options.custom_deploy.as_ref();
    let watch_ignores = deploy.map_or(&[][..], |deploy| &deploy.watch_ignores);
    let ignores = (!watch_ignores.is_empty()).then(|| super::images::ignores(watch_ignores));
    add("FileWatchIgnores", ignores.unwrap_or_default());
    Value::Object(fields)
}

/// Returns links as the result shows them; `null` for none.
pub(super) fn links(links: &[Link]) -> Value {
    if links.is_empty() {
        return Value::Null;
    }
    let link = |link: &Link| {
        let url = &link.url;
        json!({
            "URL": {
                "Scheme": url.scheme,
                "Opaque": url.opaque,
                "User": url.user.as_ref().map(|_| json!({})),
                "Host": url.host,
                "Path": url.path,
                "Fragment": url.fragment,
                "RawQuery": url.raw_query,
                "RawPath": url.raw_path,
                "RawFragment": url.raw_fragment,
                "ForceQuery": url.force_query,
                "OmitHost": url.omit_host,
            },
            "Name": link.name,
        })
    };
    links.iter().map(link).collect::<Vec<_>>().into()
}

fn command(command: &Command) -> Value {
    json!({
        "args": command.argv,
        "dir": command.dir.as_ref().map(ToString::to_string).unwrap_or_default(),
        "env": super::lists::list_or_null(&command.env),
    })
}

fn add_list<T>(add: &mut impl FnMut(&str, Value), name: &str, list: &[T], show: impl Fn(&T) -> Value) {
    if !list.is_empty() {
        add(name, list.iter().map(show).collect::<Vec<_>>().into());
    }
}

fn port_forward(forward: &PortForward, web_host: &str) -> Value {
    let mut fields = Map::new();
    if forward.local_port != 0 {
        fields.insert("localPort".to_owned(), forward.local_port.into());
    }
    fields.insert("containerPort".to_owned(), forward.container_port.into());
    let host = forward.host.as_deref().unwrap_or(web_host);
    for (name, text) in [("host", host), ("name", &forward.name), ("path", &forward.path)] {
        if !text.is_empty() {
            fields.insert(name.to_owned(), text.into());
        }
    }
    Value::Object(fields)
}

fn image_locator(locator: &ImageLocator) -> Value {
    let mut fields = Map::new();
    fields.insert("objectSelector".to_owned(), object_selector(&locator.objects));
    fields.insert("path".to_owned(), locator.path.as_str().into());
    if let Some((repository, tag)) = &locator.fields {
        fields.insert(
            "object".to_owned(),
            json!({"repoField": repository, "tagField": tag}),
        );
    }
    Value::Object(fields)
}

fn object_selector(patterns: &ObjectPatterns) -> Value {
    let all = [
        ("apiVersionRegexp", &patterns.api_version),
        ("kindRegexp", &patterns.kind),
        ("nameRegexp", &patterns.name),
        ("namespaceRegexp", &patterns.namespace),
    ];
    let given = all.into_iter().filter(|(_, pattern)| !pattern.is_empty());
    let fields = given.map(|(name, pattern)| (name.to_owned(), format!("(?i){pattern}").into()));
    Value::Object(fields.collect())
}
