//! What became of the kubeconfig since a session read it. The session goes on with what it read; its user is told.

use kube::config::Kubeconfig;

use super::cluster::{CONNECT_TIMEOUT, Cluster, client, identity_of};
use super::kubeconfig::{ClusterAccess, Reread};

/// Reads the kubeconfig again, and returns what is to be told of it: `None` where it means what it meant at the start.
///
/// A context that leads elsewhere is asked which cluster it leads to: another address of the same one is no news.
pub async fn drift(access: &ClusterAccess, connected: Option<&Cluster>) -> Option<String> {
    let ours = &access.context;
    let name = &ours.name;
    let again = |what: &str| format!("hint: to use {what}, start tilt again");
    match access.reread() {
        Reread::Unreadable => None,
        Reread::Gone => Some(format!(
            "the kubeconfig no longer has the context \"{name}\"; this session goes on with the cluster that it began with\n\
             hint: if that one is gone, pick another context and start tilt again"
        )),
        Reread::OtherContext(other) => Some(format!(
            "the kubeconfig now names the context \"{other}\"; this session goes on with \"{name}\" and writes nothing to \
             \"{other}\"\n{}",
            again(&format!("\"{other}\""))
        )),
        Reread::Same(now) if leads_elsewhere(access, &now) => {
            if is_same_cluster(&now, connected).await {
                return None;
            }
            let server = server(&now).unwrap_or_default();
            Some(format!(
                "the context \"{name}\" of the kubeconfig now leads to another cluster, {server}; this session goes on with \
                 the one that it began with and writes nothing to the other\n{}",
                again("the other")
            ))
        }
        Reread::Same(now) => {
            let namespace = &now.context.namespace;
            (*namespace != ours.namespace).then(|| {
                format!(
                    "the kubeconfig now names the namespace \"{namespace}\" for the context \"{name}\"; this session goes on \
                     with \"{}\"\n{}",
                    ours.namespace,
                    again(&format!("\"{namespace}\""))
                )
            })
        }
    }
}

pub(super) fn leads_elsewhere(before: &ClusterAccess, now: &ClusterAccess) -> bool {
    let entry = |access: &ClusterAccess| cluster_entry(&access.kubeconfig, &access.context.cluster);
    entry(before) != entry(now)
}

/// The address of a cluster and how it proves who it is, in a form that can be compared.
fn cluster_entry(config: &Kubeconfig, name: &str) -> Option<serde_json::Value> {
    let named = config.clusters.iter().find(|cluster| cluster.name == name)?;
    serde_json::to_value(named.cluster.as_ref()?).ok()
}

fn server(access: &ClusterAccess) -> Option<String> {
    let entry = cluster_entry(&access.kubeconfig, &access.context.cluster)?;
    Some(entry.get("server")?.as_str()?.to_owned())
}

async fn is_same_cluster(now: &ClusterAccess, connected: Option<&Cluster>) -> bool {
    let Some(ours) = connected.and_then(|cluster| cluster.info().identity.clone()) else {
        return false;
    };
    let asked = async {
        let (client, _) = client(now.clone()).await.ok()?;
        identity_of(&client).await.ok()?
    };
    tokio::time::timeout(CONNECT_TIMEOUT, asked).await == Ok(Some(ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::kube::read_context;

    const AT_THE_START: &str = "
current-context: dev
clusters:
- {name: a, cluster: {server: 'https://127.0.0.1:1'}}
- {name: b, cluster: {server: 'https://127.0.0.1:2'}}
users:
- {name: me, user: {token: secret}}
contexts:
- {name: dev, context: {cluster: a, user: me, namespace: shop}}
- {name: prod, context: {cluster: b, user: me}}
";

    /// Returns what is told when the kubeconfig becomes this, with the context of a flag if there is one.
    fn told(flag: Option<&str>, now: &str) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), AT_THE_START).unwrap();
        let env = |name: &str| (name == "KUBECONFIG").then(|| file.path().display().to_string());
        let access = read_context(flag, None, &env).1.unwrap();
        std::fs::write(file.path(), now).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime
            .unwrap()
            .block_on(drift(&access, None))
            .unwrap_or_default()
    }

    #[test]
    fn another_current_context_is_told_unless_a_flag_names_ours() {
        let switched = AT_THE_START.replace("current-context: dev", "current-context: prod");
        insta::assert_snapshot!(told(None, &switched), @r#"
        the kubeconfig now names the context "prod"; this session goes on with "dev" and writes nothing to "prod"
        hint: to use "prod", start tilt again
        "#);
        assert_eq!(told(Some("dev"), &switched), "");
    }

    #[test]
    fn a_context_that_leads_elsewhere_is_told() {
        insta::assert_snapshot!(told(None, &AT_THE_START.replace("127.0.0.1:1", "127.0.0.1:3")), @r#"
        the context "dev" of the kubeconfig now leads to another cluster, https://127.0.0.1:3; this session goes on with the one that it began with and writes nothing to the other
        hint: to use the other, start tilt again
        "#);
        insta::assert_snapshot!(told(None, &AT_THE_START.replace("cluster: a,", "cluster: b,")), @r#"
        the context "dev" of the kubeconfig now leads to another cluster, https://127.0.0.1:2; this session goes on with the one that it began with and writes nothing to the other
        hint: to use the other, start tilt again
        "#);
    }

    #[test]
    fn a_context_or_a_namespace_that_is_gone_is_told() {
        insta::assert_snapshot!(told(None, &AT_THE_START.replace("name: dev", "name: old")), @r#"
        the kubeconfig no longer has the context "dev"; this session goes on with the cluster that it began with
        hint: if that one is gone, pick another context and start tilt again
        "#);
        insta::assert_snapshot!(told(None, &AT_THE_START.replace("namespace: shop", "namespace: bar")), @r#"
        the kubeconfig now names the namespace "bar" for the context "dev"; this session goes on with "shop"
        hint: to use "bar", start tilt again
        "#);
    }

    #[test]
    fn what_changes_nothing_for_the_session_is_not_told() {
        assert_eq!(told(None, AT_THE_START), "");
        assert_eq!(told(None, &AT_THE_START.replace("secret", "renewed")), "");
        assert_eq!(told(None, "half: [writ"), "");
    }
}
