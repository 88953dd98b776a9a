//! Built-ins that say which objects are workloads, where their images are, and how their resources are called.
//!
//! Rule: `docs/rules/tiltfile.md`, "Kubernetes".

use starlark::values::Value;
use starlark::values::dict::DictRef;

use crate::assembly::DeclaredKind;
use crate::call::{Arg, Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::k8s::ObjectMatcher;
use crate::k8s::json_path::JsonPath;
use crate::kinds::type_name;
use crate::model::{ImageLocator, ObjectPatterns};

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "k8s_image_json_path",
        signature: "paths, api_version='', kind='', name='', namespace=''",
        doc: "Says where images are in objects, which become workloads. Args: `paths` (string or list of strings): \
              JSONPaths as kubectl writes them; `api_version`, `kind`, `name`, `namespace` (string): regular \
              expressions, matched anywhere and without case, of which `kind`, `name` or `namespace` must be given.",
        run: k8s_image_json_path,
    },
    Builtin {
        name: "k8s_kind",
        signature: "kind, *, image_json_path=?, api_version='', image_object=?, pod_readiness=''",
        doc: "Makes all objects of a kind workloads. `kind` and `api_version` (str) are regular expressions, matched \
              anywhere and without case. `image_json_path` (str or list of str) says where their images are, \
              `image_object` (dict with `json_path`, `repo_field`, `tag_field`) where maps of repository and tag are. \
              `pod_readiness` is `'wait'`, `'ignore'` or `'succeeded'`.",
        run: k8s_kind,
    },
    Builtin {
        name: "workload_to_resource_function",
        signature: "func",
        doc: "Names the resources of workloads. Args: `func` (function): is given the workload's identifier, with \
              the attributes `name`, `kind`, `namespace` and `group`, or these four as arguments, and returns the \
              name.",
        run: workload_to_resource_function,
    },
];

fn k8s_kind<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let text = |name| call.get(name).map_or(Ok(""), |arg| arg.text());
    let patterns = ObjectPatterns {
        kind: call.required("kind").text()?.to_owned(),
        api_version: text("api_version")?.to_owned(),
        ..ObjectPatterns::default()
    };
    let paths = call.get("image_json_path").and_then(Arg::unless_none);
    let object = call.get("image_object");
    let readiness = call
        .get("pod_readiness")
        .map_or(Ok(None), |arg| arg.pod_readiness())?;
    if let (Some(_), Some(object)) = (&paths, &object) {
        return Err(Fault::new("Cannot specify both image_json_path and image_object").at(object.place()));
    }
    let objects = matcher(call, patterns)?;
    let locators = match (paths, object) {
        (Some(paths), _) => locators(&paths, &objects.patterns)?,
        (None, Some(object)) => vec![object_locator(&object, &objects.patterns)?],
        (None, None) => Vec::new(),
    };
    declare(
        call,
        DeclaredKind {
            objects,
            locators,
            readiness,
        },
    )
}

fn k8s_image_json_path<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let patterns = object_patterns(call)?;
    if patterns.kind.is_empty() && patterns.name.is_empty() && patterns.namespace.is_empty() {
        return Err(Fault::new(
            "at least one of kind, name, or namespace must be specified",
        ));
    }
    let paths = call.required("paths");
    let objects = matcher(call, patterns)?;
    let locators = locators(&paths, &objects.patterns)?;
    declare(
        call,
        DeclaredKind {
            objects,
            locators,
            readiness: None,
        },
    )
}

/// Returns the regular expressions of a call: `api_version`, `kind`, `name`, `namespace`.
pub(super) fn object_patterns(call: &Call<'_, '_, '_, '_>) -> Outcome<ObjectPatterns> {
    let text = |name| {
        call.get(name)
            .map_or(Ok(String::new()), |arg| arg.text().map(str::to_owned))
    };
    Ok(ObjectPatterns {
        api_version: text("api_version")?,
        kind: text("kind")?,
        name: text("name")?,
        namespace: text("namespace")?,
    })
}

/// Parses the regular expressions of a call.
pub(super) fn matcher(call: &Call<'_, '_, '_, '_>, patterns: ObjectPatterns) -> Outcome<ObjectMatcher> {
    ObjectMatcher::new(patterns).map_err(|(parameter, message)| {
        let fault = Fault::new(message);
        match call.get(parameter) {
            Some(arg) => fault.at(arg.place()),
            None => fault,
        }
    })
}

fn declare<'v>(call: &Call<'v, '_, '_, '_>, kind: DeclaredKind) -> Outcome<Value<'v>> {
    call.session().declared.borrow_mut().kinds.push(kind);
    Ok(Value::new_none())
}

fn locators(arg: &Arg<'_>, objects: &ObjectPatterns) -> Outcome<Vec<(ImageLocator, JsonPath)>> {
    let locator = |value: Value<'_>| match value.unpack_str() {
        Some(path) => locator(arg, objects, path, None),
        None => Err(arg.unfit(format!("Expected string, got: {}", value.to_repr()))),
    };
    arg.one_or_many().into_iter().map(locator).collect()
}

fn locator(
    arg: &Arg<'_>,
    objects: &ObjectPatterns,
    path: &str,
    fields: Option<(String, String)>,
) -> Outcome<(ImageLocator, JsonPath)> {
    let parsed = JsonPath::parse(path)
        .map_err(|why| Fault::new(format!("parsing JSONPath {path:?}: {why}")).at(arg.place()))?;
    let locator = ImageLocator {
        objects: objects.clone(),
        path: path.to_owned(),
        fields,
    };
    Ok((locator, parsed))
}

fn object_locator(arg: &Arg<'_>, objects: &ObjectPatterns) -> Outcome<(ImageLocator, JsonPath)> {
    const KEYS: [&str; 3] = ["json_path", "repo_field", "tag_field"];
    let fault = |rest: String| {
        arg.unfit(format!(
            "Expected dict of the form {{'json_path': str, 'repo_field': str, 'tag_field': str}}{rest}"
        ))
    };
    let actual = || fault(format!(". Actual: {}", arg.value.to_repr()));
    let dict = DictRef::from_value(arg.value).ok_or_else(actual)?;
    let mut keys = Vec::new();
    for key in dict.keys() {
        let key = key.unpack_str().ok_or_else(actual)?;
        if !KEYS.contains(&key) {
            return Err(fault(format!(": Unexpected key: {key:?}")));
        }
        keys.push(key);
    }
    if keys.len() < KEYS.len() {
        return Err(fault(format!(": Missing keys. Actual keys: {keys:?}")));
    }
    let text = |key: &str| {
        dict.get_str(key)
            .and_then(|value| value.unpack_str())
            .ok_or_else(actual)
    };
    let [path, repository, tag] = KEYS.map(text);
    locator(
        arg,
        objects,
        path?,
        Some((repository?.to_owned(), tag?.to_owned())),
    )
}

fn workload_to_resource_function<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let arg = call.required("func");
    let Some(parameters) = arg.value.parameters_spec() else {
        return Err(arg.unfit(format!("got {}, want function", type_name(arg.value))));
    };
    let n_parameters = parameters.len();
    if !matches!(n_parameters, 1 | 4) {
        let name = arg.value.function_name().unwrap_or("lambda").to_owned();
        return Err(Fault::new(format!(
            "workload_to_resource_function arg must take 1 argument. {name} takes {n_parameters}"
        ))
        .at(arg.place())
        .hint("it may also take 4: name, kind, namespace, group"));
    }
    call.session().set_naming(call.eval, &arg, n_parameters);
    Ok(Value::new_none())
}
