//! The built-in that takes some objects out of YAML.
//!
//! Rule: `docs/rules/tiltfile.md`, "Kubernetes".

use std::collections::BTreeMap;

use starlark::values::Value;
use starlark::values::tuple::AllocTuple;

use super::workloads::{matcher, object_patterns};
use crate::call::{Builtin, Call};
use crate::fault::Outcome;
use crate::k8s::{Entity, yaml};
use crate::values::Blob;

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "filter_yaml",
    signature: "yaml, labels={}, name='', namespace='', kind='', api_version=''",
    doc: "Splits Kubernetes objects in two: returns a tuple of two blobs, the objects that match and the rest. `yaml` is a \
          path, a blob, or a list of these; `labels` (dict) must all be on the object; `name`, `namespace`, `kind` and \
          `api_version` (str) are regular expressions, matched anywhere and without case.",
    run: filter_yaml,
}];

fn filter_yaml<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("yaml");
    let labels = call
        .get("labels")
        .map_or(Ok(BTreeMap::new()), |arg| arg.text_map())?;
    let objects = matcher(call, object_patterns(call)?)?;
    let mut source = "filter_yaml".to_owned();
    let (mut matching, mut rest, mut without_labels) = (Vec::new(), Vec::new(), Vec::new());
    for value in arg.one_or_many() {
        if let Some(blob) = Blob::from_value(value) {
            source.clone_from(&blob.source);
        }
        for entity in arg.objects_of(value, session)? {
            if !has_labels(&entity, &labels) {
                without_labels.push(entity);
            } else if objects.matches(&entity) {
                matching.push(entity);
            } else {
                rest.push(entity);
            }
        }
    }
    rest.extend(without_labels);
    let heap = call.heap();
    let blobs = [matching, rest].map(|entities| {
        let text = yaml::write(&entities);
        let source = source.clone();
        heap.alloc(Blob { text, source })
    });
    Ok(heap.alloc(AllocTuple(blobs)))
}

fn has_labels(entity: &Entity, labels: &BTreeMap<String, String>) -> bool {
    let of = |key: &str| entity.labels()?.get(key)?.as_str();
    labels.iter().all(|(key, value)| of(key) == Some(value.as_str()))
}
