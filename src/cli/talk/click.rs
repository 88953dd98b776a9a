//! `tilt click`: presses a button.

use anyhow::{anyhow, bail};
use http::Method;
use serde_json::{Value, json};

use super::super::{exit, say};
use super::get::JSON;
use super::printing::display_name;
use super::target::Target;
use super::{Connect, block_on};
use crate::api::Kind;
use crate::clock;
use crate::diag::nearest;

/// Press a button of a running session
///
/// What the page would ask for is given as NAME=VALUE; the rest is as the button says. Nothing is asked back.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// The button
    #[arg(value_name = "BUTTON")]
    button: String,
    /// Values for its inputs
    #[arg(value_name = "NAME=VALUE")]
    inputs: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let kind = Kind::named("UIButton").ok_or_else(|| anyhow!("there are no buttons"))?;
    let target = Target {
        kind,
        names: vec![args.button.clone()],
    };
    block_on(async {
        let api = args.connect.api()?;
        let path = target.path(Some(&args.button));
        let button = match api.request(Method::GET, &path, JSON, None).await {
            Err(failure) if failure.is_not_found() => {
                let list = api.request(Method::GET, &target.path(None), JSON, None).await?;
                let names = list["items"].as_array().into_iter().flatten();
                let names: Vec<&str> = names
                    .filter_map(|item| item["metadata"]["name"].as_str())
                    .collect();
                let near = nearest(&args.button, names).map(|near| format!("\nhint: did you mean {near:?}?"));
                bail!("{failure}{}", near.unwrap_or_default());
            }
            other => other?,
        };
        if button["spec"]["disabled"] == true {
            bail!("the button {:?} is disabled", args.button);
        }
        let status = json!({"status": {
            "lastClickedAt": clock::timestamp().to_micro_text(),
            "inputs": inputs(&button, &args.inputs)?,
        }});
        let sent = Some(("application/merge-patch+json", status.to_string().into_bytes()));
        api.request(Method::PATCH, &format!("{path}/status"), JSON, sent)
            .await?;
        say::out(&format!("{} clicked\n", display_name(kind, &args.button)));
        Ok(exit::SUCCESS)
    })
}

/// Returns the status of each input of a button: what was given, else what the button says.
fn inputs(button: &Value, given: &[String]) -> anyhow::Result<Vec<Value>> {
    let specs = button["spec"]["inputs"].as_array().map_or(&[][..], Vec::as_slice);
    let visible = || {
        let visible = specs.iter().filter(|spec| !spec["hidden"].is_object());
        visible.filter_map(|spec| spec["name"].as_str())
    };
    let mut values = Vec::new();
    for pair in given {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| anyhow!("{pair:?} is no NAME=VALUE"))?;
        if !visible().any(|known| known == name) {
            let hint = match nearest(name, visible()) {
                Some(near) => format!("did you mean {near:?}?"),
                None if visible().next().is_none() => "it has none".to_owned(),
                None => format!("it has {}", visible().collect::<Vec<_>>().join(", ")),
            };
            bail!("the button has no input {name:?}\nhint: {hint}");
        }
        values.push((name, value));
    }
    specs
        .iter()
        .map(|spec| {
            let name = spec["name"].as_str().unwrap_or_default();
            let given = values
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| *value);
            status(name, spec, given)
        })
        .collect()
}

fn status(name: &str, spec: &Value, given: Option<&str>) -> anyhow::Result<Value> {
    if spec["bool"].is_object() {
        let value = match given {
            None => spec["bool"]["defaultValue"].as_bool().unwrap_or_default(),
            Some("true" | "1" | "yes" | "on") => true,
            Some("false" | "0" | "no" | "off") => false,
            Some(other) => bail!("{name}={other}: expected true or false"),
        };
        return Ok(json!({"name": name, "bool": {"value": value}}));
    }
    if let Some(choices) = spec["choice"]["choices"].as_array() {
        let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        let value = match given {
            None => choices.first().copied().unwrap_or_default(),
            Some(value) if choices.contains(&value) => value,
            Some(other) => bail!("{name}={other}: expected one of {}", choices.join(", ")),
        };
        return Ok(json!({"name": name, "choice": {"value": value}}));
    }
    if spec["hidden"].is_object() {
        return Ok(json!({"name": name, "hidden": {"value": spec["hidden"]["value"]}}));
    }
    let default = spec["text"]["defaultValue"].as_str().unwrap_or_default();
    Ok(json!({"name": name, "text": {"value": given.unwrap_or(default)}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn button() -> Value {
        json!({"spec": {"inputs": [
            {"name": "who", "text": {"defaultValue": "all"}},
            {"name": "loud", "bool": {"defaultValue": true}},
            {"name": "how", "choice": {"choices": ["a", "b"]}},
            {"name": "action", "hidden": {"value": "on"}},
        ]}})
    }

    fn given(words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let inputs = inputs(&button(), &words).map_err(|error| error.to_string())?;
        let value = |input: &Value| {
            let kinds = ["text", "bool", "choice", "hidden"];
            let kind = kinds.into_iter().find(|kind| input[*kind].is_object());
            input[kind.unwrap_or_default()]["value"].to_string()
        };
        Ok(inputs.iter().map(value).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn an_input_that_is_not_given_is_as_the_button_says() {
        assert_eq!(given(&[]).as_deref(), Ok("\"all\" true \"a\" \"on\""));
        assert_eq!(
            given(&["who=me=you", "loud=no", "how=b"]).as_deref(),
            Ok("\"me=you\" false \"b\" \"on\"")
        );
    }

    #[test]
    fn what_does_not_fit_is_answered_with_what_would() {
        let rows = [
            (
                "wo=x",
                "the button has no input \"wo\"\nhint: did you mean \"who\"?",
            ),
            (
                "action=off",
                "the button has no input \"action\"\nhint: it has who, loud, how",
            ),
            ("loud=maybe", "loud=maybe: expected true or false"),
            ("how=c", "how=c: expected one of a, b"),
            ("who", "\"who\" is no NAME=VALUE"),
        ];
        for (word, expected) in rows {
            assert_eq!(given(&[word]).expect_err(word), expected);
        }
    }
}
