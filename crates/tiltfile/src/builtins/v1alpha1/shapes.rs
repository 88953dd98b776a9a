//! What each part of an API object is made of: one entry gives the arguments of its constructor, their types, and the
//! fields of the API.
//!
//! Rule: `docs/rules/tiltfile.md`, "v1alpha1"; `docs/rules/tiltfile-result.md`, "The whole"; the fields that are shown when empty
//! are those without `omitempty` in Tilt's `pkg/apis/core/v1alpha1`.

use super::construct::{construct, register};
use super::shape::{Field, Kind, Shape};
use crate::call::Builtin;
use crate::model::ApiKind;

use Kind::{
    Duration, FixedPart, Flag, Inlined, MaybeText, Number, Part, Parts, Path, PathOrHere, Paths, StringMap,
    Strings, Text, Time,
};

/// Defines shapes, a list of them, and the table of their constructors, from one text.
macro_rules! shapes {
    ($($shape:ident $role:ident $name:literal $doc:literal {
        $($argument:ident: $kind:expr => $field:literal $(, $shown:ident)?;)*
    })*) => {
        $(
            static $shape: Shape = Shape {
                name: $name,
                fields: &[$(Field {
                    argument: stringify!($argument),
                    name: $field,
                    kind: $kind,
                    shown: shapes!(@shown $($shown)?),
                }),*],
            };
        )*
        static SHAPES: &[&Shape] = &[$(&$shape),*];
        pub(super) static CONSTRUCTORS: &[Builtin] = &[$(Builtin {
            name: concat!("v1alpha1.", $name),
            signature: concat!(shapes!(@first $role), $(stringify!($argument), "=?, "),*),
            doc: $doc,
            run: shapes!(@run $role $shape),
        }),*];
    };
    (@shown shown) => { true };
    (@shown) => { false };
    (@first object) => { "name, labels=?, annotations=?, " };
    (@first part) => { "" };
    (@run object $shape:ident) => { |call| register(call, &$shape, kind_of(&$shape)) };
    (@run part $shape:ident) => { |call| construct(call, &$shape) };
}

shapes! {
    CONFIG_MAP_KEY part "config_map_disable_source" "Names a key of a config map that says whether something is disabled." {
        name: Text => "name", shown;
        key: Text => "key", shown;
    }
    DISABLE_SOURCE part "disable_source" "Says where it is written whether something is disabled." {
        config_map: Part(&CONFIG_MAP_KEY) => "configMap";
        every_config_map: Parts(&CONFIG_MAP_KEY) => "everyConfigMap";
    }
    EXEC_ACTION part "exec_action" "A probe that runs a command." {
        command: Strings => "command";
    }
    FORWARD part "forward" "A port of this machine that leads to one of a container." {
        local_port: Number => "localPort";
        container_port: Number => "containerPort", shown;
        host: Text => "host", shown;
        name: Text => "name";
        path: Text => "path";
    }
    HTTP_HEADER part "http_header" "A header of a request." {
        name: Text => "name", shown;
        value: Text => "value", shown;
    }
    HTTP_GET_ACTION part "http_get_action" "A probe that asks a web server." {
        path: Text => "path";
        port: Number => "port", shown;
        host: Text => "host";
        scheme: Text => "scheme";
        http_headers: Parts(&HTTP_HEADER) => "httpHeaders";
    }
    TCP_SOCKET_ACTION part "tcp_socket_action" "A probe that connects to a port." {
        port: Number => "port", shown;
        host: Text => "host";
    }
    HANDLER part "handler" "What a probe does: one of three." {
        exec: Part(&EXEC_ACTION) => "exec";
        http_get: Part(&HTTP_GET_ACTION) => "httpGet";
        tcp_socket: Part(&TCP_SOCKET_ACTION) => "tcpSocket";
    }
    IGNORE_DEF part "ignore_def" "Paths to ignore, in the syntax of `.dockerignore`, below a directory." {
        base_path: Path => "basePath", shown;
        patterns: Strings => "patterns";
    }
    KUBERNETES_APPLY_CMD part "kubernetes_apply_cmd" "A command that deploys, or deletes what was deployed." {
        args: Strings => "args", shown;
        dir: Path => "dir", shown;
        env: Strings => "env", shown;
    }
    LABEL_SELECTOR_REQUIREMENT part "label_selector_requirement" "A condition on the values of a label." {
        key: Text => "key", shown;
        operator: Text => "operator", shown;
        values: Strings => "values";
    }
    LABEL_SELECTOR part "label_selector" "Selects objects by their labels." {
        match_labels: StringMap => "matchLabels";
        match_expressions: Parts(&LABEL_SELECTOR_REQUIREMENT) => "matchExpressions";
    }
    KUBERNETES_DISCOVERY_TEMPLATE_SPEC part "kubernetes_discovery_template_spec" "Which further pods belong to something." {
        extra_selectors: Parts(&LABEL_SELECTOR) => "extraSelectors";
    }
    OBJECT_SELECTOR part "object_selector" "Selects Kubernetes objects by regular expressions." {
        api_version_regexp: Text => "apiVersionRegexp";
        kind_regexp: Text => "kindRegexp";
        name_regexp: Text => "nameRegexp";
        namespace_regexp: Text => "namespaceRegexp";
    }
    KUBERNETES_IMAGE_OBJECT_DESCRIPTOR part "kubernetes_image_object_descriptor" "Which fields hold an image's name and tag." {
        repo_field: Text => "repoField", shown;
        tag_field: Text => "tagField", shown;
    }
    KUBERNETES_IMAGE_LOCATOR part "kubernetes_image_locator" "Where objects name images, as a JSON path." {
        object_selector: FixedPart(&OBJECT_SELECTOR) => "objectSelector", shown;
        path: Text => "path", shown;
        object: Part(&KUBERNETES_IMAGE_OBJECT_DESCRIPTOR) => "object";
    }
    KUBERNETES_WATCH_REF part "kubernetes_watch_ref" "Names a Kubernetes object whose pods are looked for." {
        uid: Text => "uid", shown;
        namespace: Text => "namespace", shown;
        name: Text => "name";
    }
    POD_LOG_STREAM_TEMPLATE_SPEC part "pod_log_stream_template_spec" "Which logs of pods are shown." {
        since_time: Time => "sinceTime";
        only_containers: Strings => "onlyContainers";
        ignore_containers: Strings => "ignoreContainers";
    }
    PORT_FORWARD_TEMPLATE_SPEC part "port_forward_template_spec" "Which ports are forwarded." {
        forwards: Parts(&FORWARD) => "forwards", shown;
    }
    PROBE part "probe" "A check, repeated. What it does is a `handler`, or `exec`, `http_get` or `tcp_socket` of a plain dict." {
        handler: Inlined(&HANDLER) => "handler";
        initial_delay_seconds: Number => "initialDelaySeconds";
        timeout_seconds: Number => "timeoutSeconds";
        period_seconds: Number => "periodSeconds";
        success_threshold: Number => "successThreshold";
        failure_threshold: Number => "failureThreshold";
    }
    RESTART_ON_SPEC part "restart_on_spec" "What starts something again: names of file watches and of buttons." {
        file_watches: Strings => "fileWatches";
        ui_buttons: Strings => "uiButtons";
    }
    START_ON_SPEC part "start_on_spec" "What starts something in the first place: names of buttons." {
        start_after: Time => "startAfter", shown;
        ui_buttons: Strings => "uiButtons", shown;
    }
    UI_BOOL_INPUT_SPEC part "ui_bool_input_spec" "A tick box." {
        default_value: Flag => "defaultValue";
        true_string: MaybeText => "trueString";
        false_string: MaybeText => "falseString";
    }
    UI_CHOICE_INPUT_SPEC part "ui_choice_input_spec" "A list to choose from." {
        choices: Strings => "choices", shown;
    }
    UI_COMPONENT_LOCATION part "ui_component_location" "Where a button stands: at a resource (`Resource`) or in the page's head (`Global`, id `nav`)." {
        component_id: Text => "componentID", shown;
        component_type: Text => "componentType", shown;
    }
    UI_HIDDEN_INPUT_SPEC part "ui_hidden_input_spec" "A value that is sent along, unseen." {
        value: Text => "value", shown;
    }
    UI_TEXT_INPUT_SPEC part "ui_text_input_spec" "A field for text." {
        default_value: Text => "defaultValue";
        placeholder: Text => "placeholder";
    }
    UI_INPUT_SPEC part "ui_input_spec" "An input of a button: exactly one of `text`, `bool`, `hidden` and `choice`." {
        name: Text => "name", shown;
        label: Text => "label", shown;
        text: Part(&UI_TEXT_INPUT_SPEC) => "text";
        bool: Part(&UI_BOOL_INPUT_SPEC) => "bool";
        hidden: Part(&UI_HIDDEN_INPUT_SPEC) => "hidden";
        choice: Part(&UI_CHOICE_INPUT_SPEC) => "choice";
    }

    CMD object "cmd" "Registers a local command that other objects start." {
        args: Strings => "args";
        dir: PathOrHere => "dir";
        env: Strings => "env";
        readiness_probe: Part(&PROBE) => "readinessProbe";
        restart_on: Part(&RESTART_ON_SPEC) => "restartOn";
        start_on: Part(&START_ON_SPEC) => "startOn";
        disable_source: Part(&DISABLE_SOURCE) => "disableSource";
    }
    CONFIG_MAP object "config_map" "Registers keys and values that other objects refer to." {
        data: StringMap => "data";
    }
    EXTENSION object "extension" "Registers an extension: a Tiltfile in a repository of extensions. Unless it is loaded, it runs on its own, with these arguments, and its resources join those of this file." {
        repo_name: Text => "repoName", shown;
        repo_path: Text => "repoPath", shown;
        args: Strings => "args";
    }
    EXTENSION_REPO object "extension_repo" "Registers a repository of extensions: a git repository (`https://...`, at `ref` if given) or a directory (`file:///...`). The one called `default` serves `ext://NAME`; one with a `load_host` serves `ext://LOAD_HOST/NAME`." {
        url: Text => "url", shown;
        ref: Text => "ref";
        load_host: Text => "loadHost";
        git_subpath: Text => "gitSubpath";
    }
    FILE_WATCH object "file_watch" "Registers a watch over files and directories that other objects react to." {
        watched_paths: Paths => "watchedPaths", shown;
        ignores: Parts(&IGNORE_DEF) => "ignores";
        disable_source: Part(&DISABLE_SOURCE) => "disableSource";
    }
    KUBERNETES_APPLY object "kubernetes_apply" "Registers YAML, or a command, that is applied to the cluster." {
        yaml: Text => "yaml";
        image_maps: Strings => "imageMaps";
        image_locators: Parts(&KUBERNETES_IMAGE_LOCATOR) => "imageLocators";
        timeout: Duration => "timeout", shown;
        kubernetes_discovery_template_spec: Part(&KUBERNETES_DISCOVERY_TEMPLATE_SPEC) => "kubernetesDiscoveryTemplateSpec";
        port_forward_template_spec: Part(&PORT_FORWARD_TEMPLATE_SPEC) => "portForwardTemplateSpec";
        pod_log_stream_template_spec: Part(&POD_LOG_STREAM_TEMPLATE_SPEC) => "podLogStreamTemplateSpec";
        discovery_strategy: Text => "discoveryStrategy";
        disable_source: Part(&DISABLE_SOURCE) => "disableSource";
        apply_cmd: Part(&KUBERNETES_APPLY_CMD) => "applyCmd";
        restart_on: Part(&RESTART_ON_SPEC) => "restartOn";
        delete_cmd: Part(&KUBERNETES_APPLY_CMD) => "deleteCmd";
        cluster: Text => "cluster", shown;
        server_side_apply: Flag => "serverSideApply";
    }
    KUBERNETES_DISCOVERY object "kubernetes_discovery" "Registers a search for pods, by their owners and by labels." {
        watches: Parts(&KUBERNETES_WATCH_REF) => "watches", shown;
        extra_selectors: Parts(&LABEL_SELECTOR) => "extraSelectors";
        port_forward_template_spec: Part(&PORT_FORWARD_TEMPLATE_SPEC) => "portForwardTemplateSpec";
        pod_log_stream_template_spec: Part(&POD_LOG_STREAM_TEMPLATE_SPEC) => "podLogStreamTemplateSpec";
        cluster: Text => "cluster", shown;
    }
    UI_BUTTON object "ui_button" "Registers a button of the web page. Commands name it in `start_on` or `restart_on`." {
        location: FixedPart(&UI_COMPONENT_LOCATION) => "location", shown;
        text: Text => "text", shown;
        icon_name: Text => "iconName";
        icon_svg: Text => "iconSVG";
        disabled: Flag => "disabled";
        requires_confirmation: Flag => "requiresConfirmation";
        inputs: Parts(&UI_INPUT_SPEC) => "inputs";
    }
}

/// The objects, with what they are in the API.
static KINDS: [(ApiKind, &Shape); 8] = [
    (ApiKind::Cmd, &CMD),
    (ApiKind::ConfigMap, &CONFIG_MAP),
    (ApiKind::Extension, &EXTENSION),
    (ApiKind::ExtensionRepo, &EXTENSION_REPO),
    (ApiKind::FileWatch, &FILE_WATCH),
    (ApiKind::KubernetesApply, &KUBERNETES_APPLY),
    (ApiKind::KubernetesDiscovery, &KUBERNETES_DISCOVERY),
    (ApiKind::UiButton, &UI_BUTTON),
];

/// Returns the shape of what a constructor makes, and its kind if that is an object.
pub(super) fn made_by(builtin: &str) -> Option<(&'static Shape, Option<ApiKind>)> {
    let name = builtin.strip_prefix("v1alpha1.")?;
    let shape = SHAPES.iter().copied().find(|shape| shape.name == name)?;
    Some((shape, object_kind(shape)))
}

fn object_kind(shape: &Shape) -> Option<ApiKind> {
    let kind = KINDS.iter().find(|(_, object)| object.name == shape.name);
    kind.map(|(kind, _)| *kind)
}

fn kind_of(shape: &Shape) -> ApiKind {
    object_kind(shape).expect("constructors of objects and kinds are listed together")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constructor_makes_something_and_eight_of_them_objects() {
        let made: Vec<_> = CONSTRUCTORS.iter().map(|builtin| made_by(builtin.name)).collect();
        assert_eq!(made.len(), 36);
        assert!(made.iter().all(Option::is_some));
        assert_eq!(
            made.iter().flatten().filter(|(_, kind)| kind.is_some()).count(),
            8
        );
    }
}
