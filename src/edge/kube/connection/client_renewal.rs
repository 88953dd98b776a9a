//! A new client for the session's cluster: with connections of its own, and with the login as it is by now. A plugin that
//! gives tokens is asked again, and what the kubeconfig says of the user is read again.

use std::time::Duration;

use kube::config::{AuthInfo, Kubeconfig};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::cluster::{Cluster, client};
use super::error::{is_login_refused, is_lost};
use super::kubeconfig::{ClusterAccess, Reread};
use super::kubeconfig_changes::leads_elsewhere;
use crate::clock;

/// Clients are made this often at most.
const REST: Duration = Duration::from_secs(5);
/// How long the answer to a question may take: a server that hangs is told soon, whatever the objects' own time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a deletion may take, and any other write: the API server itself gives up before that.
const DELETE_TIMEOUT: Duration = Duration::from_secs(30);
const WRITE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long making one may take: a plugin may wait for a network that is not there.
const PATIENCE: Duration = Duration::from_secs(10);

impl Cluster {
    /// Makes a new client; the one before stays if there is no other, and if it was made just now. Returns whether it
    /// was made.
    ///
    /// Whoever comes while one is made waits for the same.
    pub(super) async fn renew_client(&self) -> bool {
        let Some(access) = self.access() else { return false };
        let mut last = self.renewals().0.lock().await;
        if last.is_some_and(|last| clock::now().duration_since(last) < REST) {
            return false;
        }
        let made = timeout(PATIENCE, client(with_present_login(access))).await;
        *last = Some(clock::now());
        match made {
            Ok(Ok((client, _))) => {
                self.replace_client(client);
                true
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "no new client");
                false
            }
            Err(_) => false,
        }
    }

    /// Sends a request; once more with a new login if that of now is refused.
    pub(in crate::edge::kube) async fn send<T: DeserializeOwned>(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> kube::Result<T> {
        let answer = self.send_once(request.clone()).await;
        if !answer.as_ref().is_err_and(is_login_refused) {
            return answer;
        }
        self.login_refused().await;
        self.send_once(request).await
    }

    /// What is not answered in time is answered no more.
    async fn send_once<T: DeserializeOwned>(&self, request: http::Request<Vec<u8>>) -> kube::Result<T> {
        let limit = match *request.method() {
            http::Method::GET => ANSWER_TIMEOUT,
            http::Method::DELETE => DELETE_TIMEOUT,
            _ => WRITE_TIMEOUT,
        };
        let client = self.client();
        let too_late = |_| {
            let why = format!("no answer within {} s", limit.as_secs());
            Err(kube::Error::Service(why.into()))
        };
        let answer = timeout(limit, client.request(request))
            .await
            .unwrap_or_else(too_late);
        if answer.as_ref().is_err_and(is_lost) {
            self.suspect();
        }
        answer
    }

    /// Takes in that the API server refused the login: logs in again, and has all connections made anew.
    pub(in crate::edge) async fn login_refused(&self) {
        if self.renew_client().await {
            self.outages().connections_renewed();
        }
    }
}

/// Returns the access with what the kubeconfig says of its user by now, as long as it still means the same cluster.
fn with_present_login(access: &ClusterAccess) -> ClusterAccess {
    let mut access = access.clone();
    let Reread::Same(now) = access.reread() else {
        return access;
    };
    if leads_elsewhere(&access, &now) {
        return access;
    }
    let login = login(&now.kubeconfig, &now.context.name).cloned();
    let user = user(&access.kubeconfig, &access.context.name);
    if let (Some(login), Some(user)) = (login, user) {
        let mut known = access.kubeconfig.auth_infos.iter_mut();
        if let Some(known) = known.find(|known| known.name == user) {
            known.auth_info = Some(login);
        }
    }
    access
}

fn user(config: &Kubeconfig, context: &str) -> Option<String> {
    let named = config.contexts.iter().find(|known| known.name == context)?;
    named.context.as_ref()?.user.clone()
}

fn login<'c>(config: &'c Kubeconfig, context: &str) -> Option<&'c AuthInfo> {
    let user = user(config, context)?;
    let named = config.auth_infos.iter().find(|known| known.name == user)?;
    named.auth_info.as_ref()
}
