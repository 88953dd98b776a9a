//! `tilt mcp` as coding agents see it: asked by the client of the protocol's official library.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::process::Stdio;

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::RunningService;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};

use crate::schemas::check_answer;
use crate::sessions::Session;
use crate::support::free_port;

/// A `tilt mcp` beside a session, and its client.
struct Agent {
    client: RunningService<RoleClient, ()>,
    // It ends when its input is closed.
    _server: tokio::process::Child,
}

impl Agent {
    async fn start(session: &Session, port: &str, args: &[&str]) -> Self {
        let args = [&["mcp", "--port", port], args].concat();
        let command = session.folder.command(&args, &[("KUBECONFIG", "none")]);
        let mut server = tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary runs");
        let pipes = (
            server.stdout.take().expect("a pipe"),
            server.stdin.take().expect("a pipe"),
        );
        let client = ().serve(pipes).await.expect("both understand each other");
        Self {
            client,
            _server: server,
        }
    }

    async fn tools(&self) -> Vec<String> {
        let tools = self.client.list_all_tools().await.expect("it lists them");
        tools.into_iter().map(|tool| tool.name.into_owned()).collect()
    }

    async fn call(&self, tool: &'static str, arguments: Value) -> CallToolResult {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        let call = CallToolRequestParams::new(tool).with_arguments(arguments);
        self.client.call_tool(call).await.expect("it answers")
    }

    /// Returns the text of an answer, and whether it is an error.
    async fn said(&self, tool: &'static str, arguments: Value) -> (String, bool) {
        let result = self.call(tool, arguments).await;
        let text = result.content.first().and_then(|content| content.as_text());
        (
            text.expect("an answer is a text").text.clone(),
            result.is_error == Some(true),
        )
    }

    /// Returns an answer that is JSON.
    async fn asked(&self, tool: &'static str, arguments: Value) -> Value {
        let (text, is_error) = self.said(tool, arguments).await;
        assert!(!is_error, "{tool}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{tool}: {error}: {text}"))
    }
}

const FILES: [(&str, &str); 2] = [
    (
        "Tiltfile",
        "local_resource('web', 'sh check', deps=['check'])\nlocal_resource('docs', 'true')\n",
    ),
    ("check", "echo version one\n"),
];

#[tokio::test]
async fn an_agent_edits_waits_and_learns_what_came_of_it() {
    let port = free_port().to_string();
    let session = Session::start_with(&FILES, &[("TILT_PORT", &port)]);
    let agent = Agent::start(&session, &port, &[]).await;
    let reading = ["list_resources", "read_resource", "logs", "why", "await", "plan"];
    assert_eq!(agent.tools().await, reading);

    let well = agent.asked("await", json!({})).await;
    check_answer("await", &well);
    assert_eq!(well["ok"], true, "{well:#}");

    std::fs::write(session.folder.path("check"), "echo version two; exit 3\n").expect("a file");
    let broken = agent
        .asked("await", json!({"since_edit": true, "lines": 5}))
        .await;
    check_answer("await", &broken);
    assert_eq!(broken["ok"], false, "{broken:#}");
    let [web] = broken["resources"].as_array().expect("a list").as_slice() else {
        panic!("only web is told of: {broken:#}");
    };
    assert_eq!((&web["name"], &web["result"]), (&json!("web"), &json!("failed")));
    let lines = web["lines"].as_array().expect("a list");
    assert!(
        lines.contains(&json!("version two")) && lines.len() <= 5,
        "{lines:?}"
    );

    let why = agent.asked("why", json!({"resource": "web"})).await;
    check_answer("why", &why);
    assert!(
        why["updates"][0]["causes"].to_string().contains("/check"),
        "{why:#}"
    );
    let file = agent.asked("why", json!({"file": "check"})).await;
    check_answer("why-file", &file);
    assert_eq!(file["uses"][0]["resource"], "web");

    let (found, _) = agent.said("logs", json!({"search": "VERSION"})).await;
    assert_eq!(found, "web: version one\nweb: version two");
    let (last, _) = agent
        .said(
            "logs",
            json!({"resource": "web", "search": "version", "lines": 1}),
        )
        .await;
    assert_eq!(last, "(1 earlier lines left out)\nversion two");

    let list = agent.asked("list_resources", json!({})).await;
    assert_eq!(list["resources"][0]["update"], "error", "{list:#}");
    let plan = agent.asked("plan", json!({"tiltfile_args": ["docs"]})).await;
    check_answer("plan", &plan);
    assert_eq!(plan["resources"][0]["name"], "docs", "{plan:#}");
    assert_eq!(plan["resources"].as_array().map(Vec::len), Some(1), "{plan:#}");

    let (nearest, is_error) = agent.said("read_resource", json!({"resource": "wbe"})).await;
    assert!(is_error && nearest.contains("did you mean \"web\"?"), "{nearest}");
    let trigger = CallToolRequestParams::new("trigger");
    let refused = agent
        .client
        .call_tool(trigger)
        .await
        .expect_err("it may change nothing");
    assert!(
        refused.to_string().contains("there is no tool \"trigger\""),
        "{refused}"
    );
    agent.client.cancel().await.expect("it ends");
}

#[tokio::test]
async fn an_agent_that_may_change_things_starts_updates_and_switches_resources() {
    let port = free_port().to_string();
    let session = Session::start_with(&FILES, &[("TILT_PORT", &port)]);
    let agent = Agent::start(&session, &port, &["--allow-changes"]).await;
    assert_eq!(agent.tools().await[6..], ["trigger", "enable", "disable"]);
    agent.asked("await", json!({})).await;
    agent.asked("trigger", json!({"resource": "docs"})).await;
    let after = agent.asked("await", json!({"resources": ["docs"]})).await;
    assert_eq!(
        after["resources"][0]["update"]["causes"][0]["kind"], "asked",
        "{after:#}"
    );
    agent.asked("disable", json!({"resource": "docs"})).await;
    let off = agent.asked("await", json!({"resources": ["docs"]})).await;
    assert_eq!(off["resources"][0]["result"], "disabled", "{off:#}");
    agent.asked("enable", json!({"resource": "docs"})).await;
    let on = agent.asked("await", json!({"resources": ["docs"]})).await;
    assert_eq!(on["resources"][0]["result"], "ok", "{on:#}");
}

#[tokio::test]
async fn an_agent_without_a_session_is_told_what_to_start() {
    let port = free_port().to_string();
    let session = Session::start_with(&FILES, &[("TILT_PORT", &port)]);
    let agent = Agent::start(&session, &free_port().to_string(), &[]).await;
    let (said, is_error) = agent.said("await", json!({})).await;
    assert!(
        is_error && said.contains(&format!("hint: there are tilt-{port}; name one by its port")),
        "{said}"
    );
}
