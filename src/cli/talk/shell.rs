//! `tilt alpha shell`: a shell in a container of a resource.
//!
//! Rule: `docs/rules/commands.md`, "tree-view and shell".

use anyhow::{anyhow, bail};
use http::Method;
use serde_json::Value;

use super::super::say;
use super::get::JSON;
use super::target::escaped;
use super::{Connect, block_on};
use crate::edge::process::{become_program, run_at_terminal};
use crate::server::client::{ApiClient, ApiFailure};

/// Open a shell in a container of a resource of a running session
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// The container; needed where a pod has several
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// The resource
    #[arg(value_name = "RESOURCE")]
    resource: String,
}

/// Where the shell is opened.
struct Place {
    pod: String,
    namespace: String,
    container: String,
    kubeconfig: String,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let place = block_on(async { find(&args.connect.api()?, args).await })?;
    let variables = [("KUBECONFIG".to_owned(), place.kubeconfig.clone())];
    if on_path("kubectl-shell") {
        let argv = place.kubectl(&["shell"], &[]);
        say::err(format!("Running: {}\n", argv.join(" ")));
        return Err(anyhow!(
            "could not run kubectl: {}",
            become_program(&argv, &variables)
        ));
    }
    for shell in ["bash", "sh"] {
        let probe = place.kubectl(
            &["exec"],
            &["sh", "-c", &format!("command -v {shell} >/dev/null")],
        );
        let has_it = run_at_terminal(&probe, &variables)
            .map_err(|error| anyhow!("could not find kubectl: {error}"))?;
        if has_it == 0 {
            let argv = place.kubectl(&["exec", "-it"], &[shell]);
            say::err(format!("Running: {}\n", argv.join(" ")));
            return Err(anyhow!(
                "could not run kubectl: {}",
                become_program(&argv, &variables)
            ));
        }
    }
    bail!(
        "could not find bash or sh in container {:?} of pod {}",
        place.container,
        place.pod
    )
}

impl Place {
    fn kubectl(&self, words: &[&str], command: &[&str]) -> Vec<String> {
        let mut argv = vec!["kubectl"];
        argv.extend(words);
        argv.extend([self.pod.as_str(), "-n", &self.namespace, "-c", &self.container]);
        if !command.is_empty() {
            argv.push("--");
            argv.extend(command);
        }
        argv.into_iter().map(str::to_owned).collect()
    }
}

async fn find(api: &ApiClient, args: &Args) -> anyhow::Result<Place> {
    let name = &args.resource;
    let get = async |plural: &str, name: &str| -> Result<Value, ApiFailure> {
        let path = format!("/apis/tilt.dev/v1alpha1/{plural}/{}", escaped(name));
        api.request(Method::GET, &path, JSON, None).await
    };
    let resource = match get("uiresources", name).await {
        Err(failure) if failure.is_not_found() => {
            bail!("resource {name} not found. To see available resources, run:\ntilt get uiresources")
        }
        other => other?,
    };
    if !resource["status"]["k8sResourceInfo"].is_object() {
        bail!("resource {name} is not a Kubernetes resource. Only Kubernetes pods currently supported");
    }
    let discovery = get("kubernetesdiscoveries", name).await?;
    let pods = discovery["status"]["pods"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let pod = best(pods).ok_or_else(|| anyhow!("no pod found for resource {name}"))?;
    let cluster = get("clusters", "default").await?;
    let kubeconfig = cluster["status"]["connection"]["kubernetes"]["configPath"]
        .as_str()
        .ok_or_else(|| {
            anyhow!(
                "kubernetes cluster not connected: {}",
                text(&cluster["status"]["error"])
            )
        })?;
    Ok(Place {
        container: container(pod, args.container.as_deref())?,
        pod: text(&pod["name"]),
        namespace: text(&pod["namespace"]),
        kubeconfig: kubeconfig.to_owned(),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Returns the newest pod that runs, rather not one that is being deleted.
fn best(pods: &[Value]) -> Option<&Value> {
    let rank = |pod: &&Value| {
        let runs = pod["phase"] == "Running";
        (runs, pod["deleting"] != true, text(&pod["createdAt"]))
    };
    pods.iter().max_by_key(rank)
}

fn container(pod: &Value, wanted: Option<&str>) -> anyhow::Result<String> {
    let names = |field: &str| -> Vec<String> {
        let containers = pod[field].as_array().into_iter().flatten();
        containers.map(|container| text(&container["name"])).collect()
    };
    let (init, main) = (names("initContainers"), names("containers"));
    let all: Vec<String> = init.into_iter().chain(main).collect();
    match (wanted, all.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (Some(wanted), _) if all.iter().any(|name| name == wanted) => Ok(wanted.to_owned()),
        (wanted, _) => bail!(
            "container {} not found in pod {}\nhint: name one with -c: {}",
            wanted.unwrap_or_default(),
            text(&pod["name"]),
            all.join(", ")
        ),
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
