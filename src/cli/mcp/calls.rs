//! Carries tools out: each asks a session, or makes a plan, and answers with JSON.

use anyhow::{Context, bail};
use http::Method;
use serde_json::{Value, json};

use super::Server;
use crate::cli::talk::escaped;
use crate::cli::{flags, plan};
use crate::logs::{codec, visible};
use crate::server::AwaitRequest;

/// How many bytes an answer may have: a model reads all of it.
const MOST_BYTES: usize = 60_000;

impl Server {
    /// Carries a tool out, and returns its answer.
    pub(super) async fn call(&self, tool: &str, arguments: &Value) -> anyhow::Result<String> {
        let text = |name: &str| arguments[name].as_str().map(str::to_owned);
        let number = |name: &str| arguments[name].as_u64();
        let names = |name: &str| -> Vec<String> {
            let items = arguments[name].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let answer = match tool {
            "list_resources" => self.list().await?,
            "read_resource" => self.read(&text("resource").unwrap_or_default()).await?,
            "logs" => {
                let lines = number("lines").unwrap_or(100).min(1_000);
                let lines = usize::try_from(lines).unwrap_or(100);
                return self.logs(text("resource"), text("search"), lines).await;
            }
            "why" => self.why(text("resource"), text("file"), number("last")).await?,
            "await" => {
                let request = AwaitRequest {
                    resources: names("resources"),
                    file: text("file").map(|file| whole_path(&file)).transpose()?,
                    since_edit: arguments["since_edit"].as_bool().unwrap_or(false),
                    lines: usize::try_from(number("lines").unwrap_or(20).min(200)).unwrap_or(20),
                    timeout_millis: Some(number("timeout_seconds").unwrap_or(600) * 1_000),
                };
                self.ask(Method::POST, "/api/await", serde_json::to_vec(&request)?)
                    .await?
            }
            "plan" => self.plan(names("resources"), names("tiltfile_args")).await?,
            "trigger" => {
                let name = text("resource").unwrap_or_default();
                let body = json!({"manifest_names": [name], "build_reason": 0}).to_string();
                let said = self
                    .connect
                    .ask(Method::POST, "/api/trigger", body.into_bytes())
                    .await?;
                let said = String::from_utf8_lossy(&said).trim().to_owned();
                anyhow::ensure!(said.is_empty(), "{said}");
                json!({"triggered": name})
            }
            "enable" | "disable" => {
                let name = text("resource").unwrap_or_default();
                self.connect.switch(&name, tool == "enable").await?;
                json!({"resource": name, "enabled": tool == "enable"})
            }
            other => bail!("there is no tool {other:?}"),
        };
        Ok(bounded(&answer))
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        let body = self.connect.ask(method, path, body).await?;
        serde_json::from_slice(&body).context("the session's answer cannot be read")
    }

    async fn list(&self) -> anyhow::Result<Value> {
        let view = self
            .ask(Method::GET, "/api/dump/engine?log=false", Vec::new())
            .await?;
        let rows = view["resources"].as_array().into_iter().flatten().map(|row| {
            let mut shown = json!({
                "name": row["name"],
                "enabled": row["enabled"],
                "update": row["update_status"],
                "runtime": row["runtime_status"],
            });
            if !row["hold"].is_null() {
                shown["waits"] = row["hold"].clone();
            }
            if row["has_pending_changes"] == true {
                shown["has_pending_changes"] = true.into();
            }
            shown
        });
        let mut answer = json!({"resources": rows.collect::<Vec<_>>()});
        if !view["tiltfile"]["error"].is_null() {
            answer["tiltfile_error"] = view["tiltfile"]["error"].clone();
        }
        Ok(answer)
    }

    async fn read(&self, name: &str) -> anyhow::Result<Value> {
        let view = self
            .ask(Method::GET, "/api/dump/engine?log=false", Vec::new())
            .await?;
        let mut rows = view["resources"].as_array().into_iter().flatten();
        match rows.find(|row| row["name"] == name) {
            Some(row) => Ok(row.clone()),
            None => {
                // The session says which name is near.
                let path = format!("/api/history/{}", escaped(name));
                self.ask(Method::GET, &path, Vec::new()).await
            }
        }
    }

    async fn why(
        &self,
        resource: Option<String>,
        file: Option<String>,
        last: Option<u64>,
    ) -> anyhow::Result<Value> {
        if let Some(file) = file {
            let path = format!("/api/why?file={}", escaped(&whole_path(&file)?));
            return self.ask(Method::GET, &path, Vec::new()).await;
        }
        let Some(resource) = resource else {
            bail!("name a resource, or a file")
        };
        let path = format!("/api/history/{}", escaped(&resource));
        let mut history = self.ask(Method::GET, &path, Vec::new()).await?;
        if let Some(updates) = history["updates"].as_array_mut() {
            updates.truncate(usize::try_from(last.unwrap_or(1)).unwrap_or(1));
        }
        Ok(history)
    }

    async fn logs(
        &self,
        resource: Option<String>,
        search: Option<String>,
        n: usize,
    ) -> anyhow::Result<String> {
        if let Some(name) = &resource {
            // An unknown one is answered with the nearest name.
            self.connect
                .ask(
                    Method::GET,
                    &format!("/api/history/{}", escaped(name)),
                    Vec::new(),
                )
                .await?;
        }
        let body = self.connect.ask(Method::GET, "/api/log", Vec::new()).await?;
        let search = search.map(|search| search.to_lowercase());
        let mut whole: Vec<(String, String)> = Vec::new();
        for segment in String::from_utf8_lossy(&body).lines().filter_map(codec::decode) {
            let name = segment
                .manifest
                .as_ref()
                .map_or("", |name| name.as_str())
                .to_owned();
            if resource.as_ref().is_some_and(|resource| *resource != name) {
                continue;
            }
            let text = segment.text.trim_end_matches('\n').to_owned();
            match whole
                .last_mut()
                .filter(|(of, _)| segment.continues && *of == name)
            {
                Some((_, line)) => line.push_str(&text),
                None => whole.push((name, text)),
            }
        }
        let lines = whole
            .iter()
            .flat_map(|(name, text)| text.lines().map(move |line| (name, line)));
        let is_wanted = |line: &str| {
            search
                .as_ref()
                .is_none_or(|search| line.to_lowercase().contains(search.as_str()))
        };
        let lines: Vec<String> = lines
            .filter(|(_, line)| is_wanted(line))
            .map(|(name, line)| match resource {
                Some(_) => visible(line).into_owned(),
                None => format!("{name}: {}", visible(line)),
            })
            .collect();
        let omitted = lines.len().saturating_sub(n);
        let mut text = lines[omitted..].join("\n");
        if omitted > 0 {
            text = format!("({omitted} earlier lines left out)\n{text}");
        }
        Ok(cut(text))
    }

    async fn plan(&self, names: Vec<String>, tiltfile_args: Vec<String>) -> anyhow::Result<Value> {
        let tiltfile = self.tiltfile.clone();
        let made = tokio::task::spawn_blocking(move || {
            let cluster = flags::Cluster {
                context: None,
                namespace: None,
            };
            plan::make_json(tiltfile, tiltfile_args, &cluster, &names)
        });
        made.await.context("the plan was not made")?
    }
}

fn whole_path(file: &str) -> anyhow::Result<String> {
    Ok(flags::working_directory()?.join(file).to_string())
}

fn bounded(answer: &Value) -> String {
    cut(answer.to_string())
}

fn cut(mut text: String) -> String {
    if text.len() > MOST_BYTES {
        let end = (0..=MOST_BYTES).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push_str("… (cut)");
    }
    text
}
