//! Built-ins about Kubernetes objects and contexts.

use std::collections::BTreeSet;
use std::rc::Rc;

use starlark::values::Value;

use crate::assembly::DeclaredObject;
use crate::call::{Builtin, Call};
use crate::fault::{Fault, Outcome, traceback};
use crate::k8s::Entity;
use crate::secrets;
use crate::session::Session;
use crate::values::Blob;

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "allow_k8s_contexts",
        signature: "contexts",
        doc: "Allows deploying to contexts that are not known to be local development clusters. Args: `contexts` \
              (string or list of strings): their names.",
        run: allow_k8s_contexts,
    },
    Builtin {
        name: "k8s_context",
        signature: "*args, **kwargs",
        doc: "Returns the name of the Kubernetes context, empty when there is none.",
        run: k8s_context,
    },
    Builtin {
        name: "k8s_namespace",
        signature: "*args, **kwargs",
        doc: "Returns the namespace of the Kubernetes context, empty when there is no cluster.",
        run: k8s_namespace,
    },
    Builtin {
        name: "k8s_yaml",
        signature: "yaml, allow_duplicates=False",
        doc: "Registers Kubernetes objects. Args: `yaml` (path, blob, or list of these): files are watched; \
              `allow_duplicates` (bool): an object that was registered before is no error.",
        run: k8s_yaml,
    },
];

fn allow_k8s_contexts<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let arg = call.required("contexts");
    let name = |value: Value<'v>| match value.unpack_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(arg.fault(format!(
            "allow_k8s_contexts contexts must be a string or a sequence of strings; found a {}",
            crate::kinds::go_type(value)
        ))),
    };
    let names: BTreeSet<String> = arg.one_or_many().into_iter().map(name).collect::<Outcome<_>>()?;
    call.session()
        .declared
        .borrow_mut()
        .allowed_contexts
        .extend(names);
    Ok(Value::new_none())
}

fn k8s_context<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Ok(call.heap().alloc(call.session().request.kube.name.as_str()))
}

fn k8s_namespace<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Ok(call.heap().alloc(call.session().request.kube.namespace.as_str()))
}

fn k8s_yaml<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("yaml");
    let allow_duplicates = call
        .get("allow_duplicates")
        .map_or(Ok(false), |arg| arg.boolean())?;
    let given = arg.one_or_many();
    let mut entities = Vec::new();
    for value in &given {
        entities.extend(arg.objects_of(*value, session)?);
    }
    let first_is_text = given
        .first()
        .is_none_or(|first| Blob::from_value(*first).is_some() || first.unpack_str() == Some(""));
    if entities.is_empty() && first_is_text {
        return Err(Fault::new("Empty YAML passed to k8s_yaml").at(arg.place()));
    }
    register(call, &entities, allow_duplicates)?;
    hide_secrets(session, &entities);
    let site = call.site();
    let objects = entities.into_iter().map(|entity| DeclaredObject {
        entity,
        site: site.clone(),
    });
    session.declared.borrow_mut().objects.extend(objects);
    Ok(Value::new_none())
}

/// Keeps the values of Secrets out of what the file prints from now on.
fn hide_secrets(session: &Session<'_>, entities: &[Entity]) {
    let secrets = secrets::of(entities.iter());
    if !secrets.is_empty() && session.settings.borrow().session.scrub_secrets {
        session.log.hide(&secrets);
    }
}

/// Remembers which objects there are; one that was there before is a fault where that is not allowed.
fn register(call: &Call<'_, '_, '_, '_>, entities: &[Entity], allow_duplicates: bool) -> Outcome<()> {
    let session = call.session();
    let mut registered = session.registered.borrow_mut();
    let mut here: Option<Rc<str>> = None;
    for entity in entities {
        let key = [
            entity.name(),
            entity.namespace().unwrap_or_default(),
            entity.kind(),
            entity.api_version(),
        ]
        .join("\n");
        match registered.get(&key) {
            Some(_) if allow_duplicates => continue,
            Some(first) => return Err(duplicate(entity, first)),
            None => {}
        }
        let trace = here.get_or_insert_with(|| {
            let (mut lines, inside) = session.lines(&call.eval.call_stack());
            lines.push(format!("  <builtin>: in {inside}"));
            traceback(&lines).into()
        });
        registered.insert(key, Rc::clone(trace));
    }
    Ok(())
}

fn duplicate(entity: &Entity, first: &str) -> Fault {
    let namespace = match entity.namespace() {
        Some(namespace) => format!(" (Namespace: {namespace})"),
        None => String::new(),
    };
    Fault::new(format!(
        "Duplicate YAML: {} {}{namespace}\nIgnore this error with k8s_yaml(..., allow_duplicates=True)\n\
         YAML originally registered at: {first}",
        entity.kind(),
        entity.name(),
    ))
}
