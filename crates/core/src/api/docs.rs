//! What each kind is for, in a sentence: `tilt explain` shows it.

/// Returns what a kind is for.
pub(super) fn of_kind(kind: &str) -> &'static str {
    match kind {
        "Cluster" => "A cluster, or a Docker engine, that resources are deployed to.",
        "Cmd" => "A local command, which is run at once and again when what it names changes.",
        "CmdImage" => "An image that a command of the user's builds.",
        "ConfigMap" => "Keys and values, such as whether a resource is switched off.",
        "DockerComposeLogStream" => "The log of a service of Docker Compose.",
        "DockerComposeService" => "A service of Docker Compose.",
        "DockerImage" => "An image that is built from a Dockerfile.",
        "Extension" => {
            "A Tiltfile of a repository of extensions, which is evaluated beside the session's own."
        }
        "ExtensionRepo" => "A repository of extensions: a Git repository, or a folder.",
        "FileWatch" => "Files and folders whose changes others react to.",
        "ImageMap" => "Where an image is used, and what it is called after it was built.",
        "KubernetesApply" => "Objects that are applied to a cluster.",
        "KubernetesDiscovery" => "Which pods belong to a resource, and how they are.",
        "LiveUpdate" => "What is copied into running containers, and what is run there, when files change.",
        "PodLogStream" => "The logs of a pod.",
        "PortForward" => "Ports of this machine that lead to a pod.",
        "Session" => "The session: what it waits for, and whether it is done.",
        "Tiltfile" => "A Tiltfile, its arguments, and how its last evaluation went.",
        "ToggleButton" => "A button that switches a value of a config map between two states.",
        "UIButton" => "A button in the web page.",
        "UIResource" => "A resource: how its last update went, and how what runs of it is doing.",
        "UISession" => "What the web page has to know about the session.",
        _ => "",
    }
}
