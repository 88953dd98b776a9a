//! The built-in that renders Helm charts.
//!
//! Rule: `docs/rules/tiltfile.md`, "helm and kustomize".

use serde_json::{Value as Json, json};
use starlark::values::Value;

use crate::call::{Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::k8s::yaml;
use crate::model::LocalPath;
use crate::objects::read_text;
use crate::quiet_command::QuietFault;
use crate::session::Session;
use crate::values::Blob;

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "helm",
    signature: "paths, name='', namespace='', values=[], set=[], kube_version='', skip_crds=False",
    doc: "Returns the objects of a Helm chart as a blob, as `helm template` writes them, without the chart's tests. \
          `paths` (path) is the chart's directory, which is watched; `name` (str) the release, `chart` by default; \
          `namespace` (str) is also written into objects that have none; `values` (str or list of str) are files of \
          values, `set` (str or list of str) single values; `kube_version` (str) is what templates are told; \
          `skip_crds` (bool) leaves custom resource definitions out. A reload reuses the result while the chart, the files of \
          values and the environment are unchanged.",
    run: helm,
}];

fn helm<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let text = |name| call.get(name).map_or(Ok(""), |arg| arg.text());
    let texts = |name| call.get(name).map_or(Ok(Vec::new()), |arg| arg.text_or_list());
    let chart_arg = call.required("paths");
    let chart = chart_arg.path(session)?;
    let (name, namespace, kube_version) = (text("name")?, text("namespace")?, text("kube_version")?);
    let (values, set) = (texts("values")?, texts("set")?);
    let skip_crds = call.get("skip_crds").map_or(Ok(false), |arg| arg.boolean())?;
    check_directory(session, &chart).map_err(|fault| fault.at(chart_arg.place()))?;
    watch(session, &chart, &values);
    let has_crds_flag = !version(session)?.starts_with("v3.0.") && !skip_crds;
    let mut argv = vec!["helm".to_owned(), "template".to_owned()];
    argv.push(if name.is_empty() { "chart" } else { name }.to_owned());
    argv.push(chart.to_string());
    let mut flag = |flag: &str, value: &str| argv.extend([flag.to_owned(), value.to_owned()]);
    if !namespace.is_empty() {
        flag("--namespace", namespace);
    }
    if !kube_version.is_empty() {
        flag("--kube-version", kube_version);
    }
    if has_crds_flag {
        argv.push("--include-crds".to_owned());
    }
    let inputs = inputs(session, &chart, &values);
    let mut flag = |flag: &str, value: String| argv.extend([flag.to_owned(), value]);
    values.into_iter().for_each(|file| flag("--values", file));
    set.into_iter().for_each(|value| flag("--set", value));
    let rendered = session
        .run_quietly(argv, inputs.as_deref())
        .map_err(|fault| fault.into_fault(|fault, stderr| mark(session, fault, &chart, stderr)))?;
    let source = format!("helm: {chart}");
    let mut text = without_tests(&rendered);
    if !namespace.is_empty() {
        text = with_namespace(&text, &source, namespace, session)?;
    }
    Ok(call.heap().alloc(Blob { text, source }))
}

fn check_directory(session: &Session<'_>, chart: &LocalPath) -> Outcome<()> {
    if !session.host.exists(chart) {
        return Err(Fault::new(format!(
            "Could not read Helm chart directory \"{chart}\": does not exist"
        )));
    }
    if !session.host.is_dir(chart) {
        return Err(Fault::new(format!(
            "helm() may only be called on directories with Chart.yaml: \"{chart}\""
        ))
        .hint("unpack an archive first; helm_remote from the extensions fetches charts"));
    }
    Ok(())
}

/// Watches the chart, files of values, and charts that lie beside it.
fn watch(session: &Session<'_>, chart: &LocalPath, values: &[String]) {
    values
        .iter()
        .for_each(|file| session.reads(&session.directory().join(file)));
    let requirements = session.host.read(&chart.join("requirements.yaml"));
    let requirements = requirements.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let requirements = requirements.and_then(|text| yaml::decode(&text).ok());
    let dependencies = requirements
        .as_ref()
        .and_then(|file| file["dependencies"].as_array());
    let repositories = dependencies
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["repository"].as_str()?.strip_prefix("file://"));
    let mut config_files = session.config_files.borrow_mut();
    config_files.extend(repositories.map(|path| session.directory().join(path)));
    config_files.insert(chart.clone());
}

/// Returns all that a rendered chart depends on; `None` when some of it is elsewhere.
fn inputs(session: &Session<'_>, chart: &LocalPath, values: &[String]) -> Option<Vec<LocalPath>> {
    let is_local = |file: &&String| !file.contains("://");
    let files = values.iter().take_while(is_local);
    let files = files.map(|file| session.directory().join(file));
    let inputs: Vec<LocalPath> = std::iter::once(chart.clone()).chain(files).collect();
    (inputs.len() == values.len() + 1).then_some(inputs)
}

/// Returns the version of the installed program, such as `v3.18.6`; asked once in a load.
fn version(session: &Session<'_>) -> Outcome<String> {
    if let Some(version) = session.helm_version.borrow().as_ref() {
        return Ok(version.clone());
    }
    let argv = ["helm", "version", "--short"].map(str::to_owned).to_vec();
    let printed = session
        .run_quietly(argv, Some(&[]))
        .map_err(|fault| match fault {
            QuietFault::NotStarted(why) if why.contains("not found in $PATH") => {
                Fault::new("Unable to find Helm installation. Make sure `helm` is on your $PATH.")
                    .hint("https://helm.sh/docs/intro/install/ says how to install it")
            }
            other => other.into_fault(|fault, _| fault),
        })?;
    let last = printed.trim().lines().last().unwrap_or_default().trim();
    let found = ["v3.", "3.", "v4.", "4."]
        .iter()
        .any(|prefix| last.starts_with(prefix));
    if !found {
        return Err(Fault::new(format!(
            "could not parse Helm version from string: {printed:?}"
        )));
    }
    let version = format!("v{}", last.trim_start_matches('v'));
    *session.helm_version.borrow_mut() = Some(version.clone());
    Ok(version)
}

/// Drops documents that come from a chart's tests.
fn without_tests(rendered: &str) -> String {
    let is_test = |line: &str| {
        line.strip_prefix("# Source: ")
            .is_some_and(|path| path.contains("/tests/"))
    };
    let documents = rendered.split("---\n");
    let kept: Vec<&str> = documents
        .filter(|document| !document.lines().any(is_test))
        .collect();
    kept.join("---\n")
}

/// Writes a namespace into all objects that have none.
fn with_namespace(text: &str, source: &str, namespace: &str, session: &Session<'_>) -> Outcome<String> {
    let mut entities = read_text(text, source, session)?;
    for entity in entities.iter_mut().filter(|entity| entity.namespace().is_none()) {
        if let Some(object) = entity.value_mut().as_object_mut() {
            let metadata = object.entry("metadata").or_insert_with(|| json!({}));
            if let Json::Object(metadata) = metadata {
                metadata.insert("namespace".to_owned(), namespace.into());
            }
        }
    }
    Ok(yaml::write(&entities))
}

/// Marks the place that helm names, as in `(honey/templates/web.yaml:3:14)`.
fn mark(session: &Session<'_>, fault: Fault, chart: &LocalPath, stderr: &str) -> Fault {
    let places = stderr.split(['(', ' ']).filter_map(|word| {
        let mut parts = word.split([':', ')']);
        let (_, file) = parts.next()?.split_once('/')?;
        let line: usize = parts.next()?.parse().ok()?;
        let column = parts.next().and_then(|column| column.parse().ok()).unwrap_or(0);
        Some((chart.join(file), line, column))
    });
    let known = places.filter(|(file, ..)| session.host.exists(file)).last();
    if let Some((file, line, column)) = known {
        // Helm counts columns from 0.
        return session.marked(fault, &file, line, column + 1);
    }
    let on = stderr
        .split("error on ")
        .nth(1)
        .and_then(|rest| rest.split(':').next());
    let on = on
        .and_then(|path| path.split_once('/'))
        .map(|(_, file)| chart.join(file));
    match on.filter(|file| session.host.exists(file)) {
        Some(file) => fault.hint(format!("the template is {file}")),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_tests_are_dropped() {
        let rendered = "---\n# Source: a/templates/web.yaml\nkind: A\n---\n# Source: a/templates/tests/t.yaml\nkind: B\n---\n\
                        # Source: a/templates/tests.yaml\nkind: C\n";
        assert_eq!(
            without_tests(rendered),
            "---\n# Source: a/templates/web.yaml\nkind: A\n---\n# Source: a/templates/tests.yaml\nkind: C\n"
        );
    }
}
