//! `tilt mcp`: a session's questions and answers as tools of the Model Context Protocol, over standard input and output.
//!
//! `tools` says which tools there are, `calls` carries them out. Without `--allow-changes` none of them changes anything.

mod calls;
mod tools;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler, ServiceExt};
use serde_json::Value;

use super::{exit, flags, session, talk};

/// Serve the questions that can be asked of a session as tools of the Model Context Protocol, over standard input and output
///
/// For coding agents: they can list resources, read logs, ask why something was updated, wait for what came of an edit, and see
/// what `tilt up` would do. Nothing can be changed unless --allow-changes is given.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connect: talk::Connect,
    #[command(flatten)]
    tiltfile: flags::Tiltfile,
    /// Offer tools that start updates, and that switch resources on and off
    #[arg(long)]
    allow_changes: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let server = Server {
        tiltfile: args.tiltfile.path()?,
        connect: args.connect,
        allow_changes: args.allow_changes,
    };
    let runtime = session::runtime()?;
    let served = runtime.block_on(async {
        let running = server.serve(rmcp::transport::stdio()).await?;
        running.waiting().await?;
        anyhow::Ok(())
    });
    // Reading standard input cannot be broken off.
    runtime.shutdown_background();
    served?;
    Ok(exit::SUCCESS)
}

/// What answers a client.
struct Server {
    connect: talk::Connect,
    tiltfile: crate::model::LocalPath,
    allow_changes: bool,
}

impl Server {
    fn tools(&self) -> impl Iterator<Item = Tool> {
        let allow_changes = self.allow_changes;
        let offered = tools::all().into_iter();
        offered
            .filter(move |tool| allow_changes || tool.is_read_only)
            .map(tools::Offered::into_tool)
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("tilt", env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "Tilt keeps a project's resources built and running. After editing files call `await`: it answers once what you \
                 changed has been built and is running, or has failed. Use `why` and `logs` to find out about a failure.",
            )
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools().find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools().collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.get_tool(&request.name).is_none() {
            let known: Vec<String> = self.tools().map(|tool| tool.name.to_string()).collect();
            let text = format!(
                "there is no tool {:?}; there are {}",
                request.name,
                known.join(", ")
            );
            return Err(ErrorData::invalid_params(text, None));
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let result = match self.call(&request.name, &arguments).await {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(format!("{error:#}"))]),
        };
        Ok(result.into())
    }
}
