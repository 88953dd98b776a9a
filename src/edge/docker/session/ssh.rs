//! SSH agents that a build may talk to, as `docker build --ssh` names them: `default`, `id`, `id=/path/to/agent.sock`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;

use bollard::moby::sshforward::v1::ssh_server::Ssh;
use bollard::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use futures::{Stream, StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tonic::{Request, Response, Status, Streaming};

use crate::edge::process::Environment;

/// The header that says which agent is meant.
const ID_HEADER: &str = "buildkit.ssh.id";
/// How much is passed on at a time.
const CHUNK_BYTES: usize = 32 * 1024;

/// The agents of one build, by id.
#[derive(Clone, Debug, Default)]
pub(in crate::edge::docker) struct SshAgents {
    sockets: HashMap<String, PathBuf>,
}

impl SshAgents {
    /// Reads specifications.
    ///
    /// # Errors
    /// When no agent is known for one, or it names a key: keys are for the agent.
    pub(in crate::edge::docker) fn new(specs: &[String], env: &Environment) -> Result<Self, String> {
        let mut sockets = HashMap::new();
        for spec in specs {
            let (id, path) = match spec.split_once('=') {
                Some((id, path)) => (id, PathBuf::from(path)),
                None => {
                    let socket = env.get("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
                    let socket = socket.ok_or_else(|| {
                        format!("invalid empty ssh agent socket for {spec:?}: make sure SSH_AUTH_SOCK is set")
                    })?;
                    (spec.as_str(), PathBuf::from(socket))
                }
            };
            if path.is_file() {
                return Err(format!(
                    "ssh={spec:?} names a key; this version forwards agents only: add it with `ssh-add {}` and write \
                     {id:?}",
                    path.display()
                ));
            }
            let id = if id.is_empty() { "default" } else { id };
            sockets.insert(id.to_owned(), path);
        }
        Ok(Self { sockets })
    }

    async fn connect(&self, id: &str) -> Result<UnixStream, Status> {
        let id = if id.is_empty() { "default" } else { id };
        let path = self
            .sockets
            .get(id)
            .ok_or_else(|| Status::not_found(format!("unset ssh forward key {id}")))?;
        UnixStream::connect(path)
            .await
            .map_err(|err| Status::unavailable(format!("failed to connect to {}: {err}", path.display())))
    }
}

#[tonic::async_trait]
impl Ssh for SshAgents {
    async fn check_agent(
        &self,
        request: Request<CheckAgentRequest>,
    ) -> Result<Response<CheckAgentResponse>, Status> {
        self.connect(&request.get_ref().id).await?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    type ForwardAgentStream = Pin<Box<dyn Stream<Item = Result<BytesMessage, Status>> + Send>>;

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request.metadata().get(ID_HEADER);
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let socket = self.connect(&id).await?;
        let incoming = request.into_inner();
        let incoming = incoming.filter_map(|message| async { Some(message.ok()?.data) });
        let outgoing = relay(socket, incoming).map(|data| Ok(BytesMessage { data }));
        Ok(Response::new(Box::pin(outgoing)))
    }
}

/// Writes what comes in to an agent and returns what the agent answers.
fn relay(
    agent: UnixStream,
    incoming: impl Stream<Item = Vec<u8>> + Send + 'static,
) -> impl Stream<Item = Vec<u8>> {
    let (reader, mut writer) = agent.into_split();
    // It ends with the stream of the engine or the connection to the agent, whichever is first.
    tokio::spawn(async move {
        let mut incoming = Box::pin(incoming);
        while let Some(data) = incoming.next().await {
            if writer.write_all(&data).await.is_err() {
                break;
            }
        }
    });
    stream::unfold(reader, |mut reader| async move {
        let mut data = vec![0; CHUNK_BYTES];
        let read = reader.read(&mut data).await.unwrap_or(0);
        data.truncate(read);
        (read > 0).then_some((data, reader))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_that_of_the_environment_or_a_socket() {
        let mut env = Environment::default();
        let error = SshAgents::new(&["default".to_owned()], &env).expect_err("no agent");
        assert!(error.contains("SSH_AUTH_SOCK"), "{error}");
        env.set("SSH_AUTH_SOCK", "/run/agent");
        let specs = ["default", "ci=/run/other"].map(str::to_owned);
        let agents = SshAgents::new(&specs, &env).expect("two agents");
        assert_eq!(agents.sockets["default"], PathBuf::from("/run/agent"));
        assert_eq!(agents.sockets["ci"], PathBuf::from("/run/other"));
    }

    #[test]
    fn a_key_is_refused_with_what_to_do() {
        let key = tempfile::NamedTempFile::new().expect("a file");
        let spec = format!("default={}", key.path().display());
        let error = SshAgents::new(&[spec], &Environment::default()).expect_err("a key");
        assert!(error.contains("ssh-add"), "{error}");
    }

    #[tokio::test]
    async fn what_the_engine_says_goes_to_the_agent_and_back() {
        let (here, mut agent) = UnixStream::pair().expect("two sockets");
        let said = stream::iter([b"sign ".to_vec(), b"this".to_vec()]);
        let answers = relay(here, said);
        let mut heard = vec![0; 9];
        agent.read_exact(&mut heard).await.expect("both messages");
        assert_eq!(heard, b"sign this");
        agent.write_all(b"signed").await.expect("a reader");
        drop(agent);
        let answers: Vec<Vec<u8>> = answers.collect().await;
        assert_eq!(answers.concat(), b"signed");
    }
}
