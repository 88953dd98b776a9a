//! A BuildKit session: the engine asks over it for the files of a build that it lacks, for logins, secrets and SSH agents.
//!
//! The session is a connection that the engine calls us on. What it may ask for is in `files` (with `request`), `secrets`,
//! `ssh` and [`Registries`].

mod files;
mod request;
mod secrets;
mod ssh;
mod unfit;

use std::sync::Arc;

use bollard::health::health_check_response::ServingStatus;
use bollard::health::health_server::{Health, HealthServer};
use bollard::health::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use bollard::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard::moby::filesync::v1::file_sync_server::FileSyncServer;
use bollard::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use bollard::moby::sshforward::v1::ssh_server::SshServer;
use hyper::Method;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::service::TowerToHyperService;

use tonic::service::Routes;
use tonic::{Request, Response, Status};

pub(super) use files::{DOCKERFILE_NAME, SessionFiles};
pub(super) use secrets::SecretStore;
pub(super) use ssh::SshAgents;

use super::auth::{Credentials, credentials};
use super::config::DockerConfig;
use super::http::{AbortOnDrop, ApiError, Http, body};
use super::sent_times::hex;
use crate::edge::process::Environment;

/// A session that is open as long as this value lives.
pub(super) struct Session {
    pub(super) id: String,
    _serving: AbortOnDrop,
    _connection: AbortOnDrop,
}

impl Session {
    /// Opens a session that offers these files, logins and what a build may use beside.
    pub(super) async fn open(
        http: &Http,
        files: SessionFiles,
        config: DockerConfig,
        env: Arc<Environment>,
        offers: Offers,
    ) -> Result<Self, ApiError> {
        let id = random_id();
        let request = http
            .request(Method::POST, "/session")
            .header("Connection", "Upgrade")
            .header("Upgrade", "h2c")
            .header("X-Docker-Expose-Session-Uuid", &id)
            .header("X-Docker-Expose-Session-Name", "tilt")
            // The engine keeps what it got for this key, so that the next such build sends only what changed.
            .header("X-Docker-Expose-Session-Sharedkey", files.shared_key())
            .header(
                "X-Docker-Expose-Session-Grpc-Method",
                "/moby.filesync.v1.FileSync/DiffCopy",
            )
            .header(
                "X-Docker-Expose-Session-Grpc-Method",
                "/moby.filesync.v1.Auth/Credentials",
            )
            .header(
                "X-Docker-Expose-Session-Grpc-Method",
                "/moby.buildkit.secrets.v1.Secrets/GetSecret",
            )
            .header(
                "X-Docker-Expose-Session-Grpc-Method",
                "/moby.sshforward.v1.SSH/CheckAgent",
            )
            .header(
                "X-Docker-Expose-Session-Grpc-Method",
                "/moby.sshforward.v1.SSH/ForwardAgent",
            )
            .header(
                "X-Docker-Expose-Session-Grpc-Method",
                "/grpc.health.v1.Health/Check",
            )
            .body(body(""))
            .map_err(ApiError::unreadable)?;
        let (upgraded, connection) = http.send(request).await?.upgrade().await?;
        let routes = Routes::new(FileSyncServer::new(files))
            .add_service(AuthServer::new(Registries { config, env }))
            .add_service(SecretsServer::new(offers.secrets))
            .add_service(SshServer::new(offers.ssh))
            .add_service(HealthServer::new(Alive))
            .prepare();
        let serving = tokio::spawn(async move {
            let served = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .serve_connection(upgraded, TowerToHyperService::new(routes))
                .await;
            if let Err(err) = served {
                tracing::debug!(%err, "build session ended");
            }
        });
        Ok(Self {
            id,
            _serving: AbortOnDrop(serving),
            _connection: connection,
        })
    }
}

/// What a build may use beside its files.
pub(super) struct Offers {
    pub(super) secrets: SecretStore,
    pub(super) ssh: SshAgents,
}

/// Whoever knows the id of a session may ask it for secrets.
fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random numbers");
    format!("tilt{}", hex(&bytes))
}

/// Answers with logins from Docker's settings.
struct Registries {
    config: DockerConfig,
    env: Arc<Environment>,
}

#[tonic::async_trait]
impl Auth for Registries {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let found = credentials(&self.config, &request.get_ref().host, &self.env).await;
        Ok(Response::new(answer(found)))
    }

    // The engine fetches tokens itself when we do not offer to.
    async fn fetch_token(
        &self,
        _: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("fetch_token"))
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("get_token_authority"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("verify_token_authority"))
    }
}

/// A secret without a name is an identity token.
fn answer(login: Credentials) -> CredentialsResponse {
    if login.identity_token.is_empty() {
        return CredentialsResponse {
            username: login.username,
            secret: login.password,
        };
    }
    CredentialsResponse {
        username: String::new(),
        secret: login.identity_token,
    }
}

/// Tells the engine that we are still there; it asks every second.
struct Alive;

#[tonic::async_trait]
impl Health for Alive {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("list"))
    }

    type WatchStream = futures::stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("watch"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_token_is_told_without_a_name() {
        let login = |identity_token: &str| Credentials {
            username: "me".to_owned(),
            password: "pw".to_owned(),
            identity_token: identity_token.to_owned(),
            ..Credentials::default()
        };
        for (token, username, secret) in [("", "me", "pw"), ("t0ken", "", "t0ken")] {
            let told = answer(login(token));
            assert_eq!((told.username.as_str(), told.secret.as_str()), (username, secret));
        }
    }
}
