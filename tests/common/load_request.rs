//! What a load needs to be told, for tests that load Tiltfiles.

use tilt::k8s::{KubeContext, Product};
use tilt::model::{ApiObjects, LocalPath};
use tilt::tiltfile::{LoadRequest, Memory, Program};

/// Returns a request to evaluate a Tiltfile of a session on a local cluster.
pub(crate) fn load_request(file: LocalPath) -> LoadRequest {
    LoadRequest {
        file,
        args: Vec::new(),
        subcommand: "ci",
        kube: KubeContext {
            name: "kind-test".to_owned(),
            cluster: "kind-test".to_owned(),
            namespace: "default".to_owned(),
            product: Product::Kind,
        },
        web_host: "localhost".to_owned(),
        is_main: true,
        program: Program::default(),
        memory: Memory::default(),
        extensions: ApiObjects::default(),
        clock: None,
    }
}
