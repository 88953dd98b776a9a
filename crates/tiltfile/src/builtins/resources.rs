//! Built-ins about the resources that Kubernetes objects make: `k8s_resource` and what is given to it.
//!
//! Rule: `docs/rules/tiltfile.md`, "Kubernetes" and "Links".

use std::collections::BTreeMap;

use starlark::values::dict::DictRef;
use starlark::values::list::ListRef;
use starlark::values::{UnpackValue, Value};

use crate::assembly::{ResourceOptions, Subject};
use crate::call::{Arg, Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::kinds::{go_type, type_name};
use crate::model::{Link, Url};
use crate::values::{LinkValue, PortForwardValue};

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "k8s_resource",
        signature: "workload='', new_name='', port_forwards=?, extra_pod_selectors=?, trigger_mode=?, \
                    resource_deps=[], objects=[], auto_init=?, pod_readiness='', links=[], labels=[], \
                    discovery_strategy='', *, name=?, entity=?",
        doc: "Sets options of a resource, or makes a new one out of objects that belong to no workload. It may be \
              called before `k8s_yaml`, and several times for one resource: lists and labels add up, of single values \
              the last one counts.\n\n\
              - `workload` (str): the resource's name, by default that of its workload. `name` is another word for it.\n\
              - `entity` (str): an identifier `name[:kind[:namespace[:group]]]` of its workload, in place of the \
              resource's name. It stays the same when the resource is renamed.\n\
              - `new_name` (str): renames the resource; without `workload`, names a new one.\n\
              - `port_forwards`: a port, `'local:container'`, `'host:local:container'`, `port_forward()`, or a list of \
              these.\n\
              - `extra_pod_selectors` (dict or list of dicts): labels of pods that belong to it too.\n\
              - `trigger_mode`: `TRIGGER_MODE_AUTO` or `TRIGGER_MODE_MANUAL`.\n\
              - `resource_deps` (list of str): resources that must have been ready once before it starts.\n\
              - `objects` (list of str): selectors `name[:kind[:namespace]]` of objects to move into it.\n\
              - `auto_init` (bool): whether it starts with the session.\n\
              - `pod_readiness`: `'wait'`, `'ignore'` or `'succeeded'`.\n\
              - `links`: a URL, `link()`, or a list of these.\n\
              - `labels` (str or list of str): groups in a UI.\n\
              - `discovery_strategy`: `'default'` or `'selectors-only'`.",
        run: k8s_resource,
    },
    Builtin {
        name: "link",
        signature: "url, name=''",
        doc: "Returns a link for `links=`. `url` (str) may lack a scheme, which is then `http`; `name` (str) is shown in \
              its place.",
        run: link,
    },
    Builtin {
        name: "port_forward",
        signature: "local_port, container_port=0, name='', link_path='', host=''",
        doc: "Returns a port-forward for `port_forwards=`. Args: `local_port` (int); `container_port` (int): the \
              first port that a container names, if not said; `name` (string) and `link_path` (string): only change \
              the link that is shown; `host` (string): the address to listen on.",
        run: port_forward,
    },
];

fn k8s_resource<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let new_name = match call.get("new_name") {
        Some(arg) => Some(arg.segment()?).filter(|name| !name.is_empty()),
        None => None,
    };
    let objects: Vec<String> = optional(call, "objects", |arg| arg.strings())?;
    let subject = subject(call, new_name.is_some(), !objects.is_empty())?;
    let shown = match &subject {
        Subject::Resource(name) | Subject::Entity(name) => name.clone(),
        Subject::Group => new_name.clone().unwrap_or_default(),
    };
    let options = ResourceOptions {
        subject,
        new_name,
        objects,
        port_forwards: optional(call, "port_forwards", |arg| arg.port_forwards(&shown))?,
        extra_pod_selectors: optional(call, "extra_pod_selectors", extra_pod_selectors)?,
        resource_deps: optional(call, "resource_deps", |arg| arg.strings())?,
        pod_readiness: optional(call, "pod_readiness", |arg| arg.pod_readiness())?,
        links: optional(call, "links", |arg| arg.links())?,
        labels: optional(call, "labels", |arg| arg.labels())?,
        discovery_strategy: optional(call, "discovery_strategy", |arg| arg.discovery_strategy())?,
        on_change: optional(call, "trigger_mode", |arg| arg.on_change().map(Some))?,
        auto_init: optional(call, "auto_init", optional_bool)?,
        site: call.site(),
    };
    call.session().declared.borrow_mut().resources.push(options);
    Ok(Value::new_none())
}

/// Returns a converted argument, or what stands for its absence.
fn optional<'v, T: Default>(
    call: &Call<'v, '_, '_, '_>,
    name: &'static str,
    convert: impl FnOnce(&Arg<'v>) -> Outcome<T>,
) -> Outcome<T> {
    call.get(name)
        .map_or_else(|| Ok(T::default()), |arg| convert(&arg))
}

/// Returns which resource a call is about. `name` is an alias of `workload`; `entity` identifies a workload.
fn subject(call: &Call<'_, '_, '_, '_>, has_new_name: bool, has_objects: bool) -> Outcome<Subject> {
    let mut subjects = Vec::new();
    for arg in ["workload", "name", "entity"]
        .into_iter()
        .filter_map(|name| call.get(name))
    {
        let text = if arg.name == "entity" {
            arg.text()?.to_owned()
        } else {
            arg.segment()?
        };
        if !text.is_empty() {
            subjects.push((arg, text));
        }
    }
    if let [(first, _), (second, _), ..] = &subjects[..] {
        return Err(call
            .fault(format!(
                "cannot specify both \"{}\" and \"{}\"",
                first.name, second.name
            ))
            .at(second.place())
            .hint("\"name\" is another word for \"workload\"; \"entity\" finds the resource through its workload"));
    }
    match subjects.pop() {
        Some((arg, text)) if arg.name == "entity" => Ok(Subject::Entity(text)),
        Some((_, text)) => Ok(Subject::Resource(text)),
        None if !has_new_name => Err(Fault::new(
            "Resource name missing. Must give a name for an existing resource or a new_name to create a new resource.",
        )),
        None if !has_objects => Err(Fault::new(
            "k8s_resource doesn't specify a workload or any objects. All non-workload resources must specify 1 or \
             more objects",
        )),
        None => Ok(Subject::Group),
    }
}

/// A bool, or nothing for `None`.
pub(super) fn optional_bool(arg: &Arg<'_>) -> Outcome<Option<bool>> {
    match arg.value.unpack_bool() {
        None if !arg.value.is_none() => {
            let got = go_type(arg.value);
            Err(arg.unfit(format!("expected starlark.Bool or None, got {got}")))
        }
        given => Ok(given),
    }
}

fn extra_pod_selectors(arg: &Arg<'_>) -> Outcome<Vec<BTreeMap<String, String>>> {
    let fault = |why: String| Fault::new(why).at(arg.place());
    let labels = |value: Value<'_>| -> Option<Outcome<BTreeMap<String, String>>> {
        let dict = DictRef::from_value(value)?;
        let text = |what: &str, value: Value<'_>| match value.unpack_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(fault(format!(
                "pod label {what} must be strings; got '{}' of type {}",
                value.to_str(),
                go_type(value)
            ))),
        };
        let pair = |(key, value)| Ok((text("keys", key)?, text("values", value)?));
        Some(dict.iter().map(pair).collect())
    };
    let selectors: Vec<_> = if let Some(one) = labels(arg.value) {
        vec![one?]
    } else if let Some(items) = ListRef::from_value(arg.value) {
        let one = |value: Value<'_>| {
            let got = go_type(value);
            labels(value)
                .unwrap_or_else(|| Err(fault(format!("pod labels elements must be dicts; got {got}"))))
        };
        items.iter().map(one).collect::<Outcome<_>>()?
    } else {
        let got = go_type(arg.value);
        return Err(fault(format!("pod labels must be a dict or a list; got {got}")));
    };
    Ok(selectors
        .into_iter()
        .filter(|labels| !labels.is_empty())
        .collect())
}

fn link<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let arg = call.required("url");
    let url = arg.text()?;
    let name = call.get("name").map_or(Ok(""), |arg| arg.text())?;
    let link = Link::parse(url, name).map_err(|why| {
        call.fault(format!("validating URL {url:?}: {why}"))
            .at(arg.place())
    })?;
    Ok(call.heap().alloc(LinkValue { link }))
}

fn port_forward<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let text = |name| call.get(name).map_or(Ok(""), |arg| arg.text());
    let path = match call.get("link_path") {
        Some(arg) => {
            let url = Url::parse(arg.text()?)
                .map_err(|why| arg.fault(format!("parsing `path` param: {why}")))?
                .to_string();
            url.strip_prefix('/').unwrap_or(&url).to_owned()
        }
        None => String::new(),
    };
    let value = PortForwardValue {
        local_port: port(&call.required("local_port"))?,
        container_port: call.get("container_port").map_or(Ok(0), |arg| port(&arg))?,
        name: text("name")?.to_owned(),
        path,
        host: text("host")?.to_owned(),
    };
    Ok(call.heap().alloc(value))
}

fn port(arg: &Arg<'_>) -> Outcome<i32> {
    match i32::unpack_value(arg.value) {
        Ok(Some(port)) => Ok(port),
        _ if type_name(arg.value) == "int" => Err(arg.unfit(format!("{} out of range", arg.value.to_str()))),
        _ => Err(arg.unfit(format!("got {}, want int", type_name(arg.value)))),
    }
}
