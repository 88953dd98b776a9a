//! Why an object was rejected, with the place where it was written and what to do about it.

use crate::diag::{Diagnostic, Place};
use crate::edge::kube::connection::RequestError;
use crate::k8s::display::kind_and_name;
use crate::k8s::field_place::locate;
use crate::k8s::{Entity, KubeContext};

/// Returns the server's message, then the place in the YAML if it can be read, then hints.
pub(super) fn explain(error: &RequestError, entity: &Entity, context: &KubeContext) -> String {
    let mut fields: Vec<&str> = error.causes().iter().map(|cause| cause.field.as_str()).collect();
    if let RequestError::NoMatch { .. } = error {
        fields.push("kind");
    }
    let message = error.message();
    let mut hints = hints(error, context);
    hints.extend(error.hint().map(str::to_owned));
    if error.is_too_large() {
        hints.push("leave out what need not be in the object, or split it".to_owned());
    }
    render(&with_name(error, message, entity), entity, &fields, hints)
}

/// Puts the object before a message that names none, such as that of a proxy or an admission webhook.
fn with_name(error: &RequestError, message: String, entity: &Entity) -> String {
    let is_answer = error.status().is_some_and(|status| status.code != 404);
    if !is_answer || message.contains(&format!("\"{}\"", entity.name())) {
        return message;
    }
    format!("{}: {message}", kind_and_name(entity))
}

/// `fields` are the paths that the server complains of; the first that is found in the YAML is marked, else the object.
fn render(message: &str, entity: &Entity, fields: &[&str], hints: Vec<String>) -> String {
    let mut diagnostic = Diagnostic::error(message);
    if let Some(place) = place(entity, fields) {
        diagnostic = diagnostic.at(place);
    }
    for hint in hints {
        diagnostic = diagnostic.hint(hint);
    }
    diagnostic.render()
}

fn place(entity: &Entity, fields: &[&str]) -> Option<Place> {
    let file = entity.origin.source.strip_prefix("file: ")?;
    let text = std::fs::read_to_string(file).ok()?;
    let start = entity.origin.line;
    let (line, column, width) = fields
        .iter()
        .find_map(|field| locate(&text, start, field))
        .or_else(|| locate(&text, start, "metadata.name"))
        .or_else(|| locate(&text, start, "kind"))?;
    Some(Place {
        file: file.to_owned(),
        line,
        column,
        width,
        source_line: text.lines().nth(line - 1)?.to_owned(),
    })
}

fn hints(error: &RequestError, context: &KubeContext) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some(namespace) = error.missing_namespace() {
        hints.push(format!(
            "create it with `kubectl create namespace {namespace}`, or put a Namespace object into the YAML"
        ));
    } else if error.is_not_permitted() {
        hints.push(format!(
            "ask for the permission, or pick another context than \"{}\" with `kubectl config use-context`",
            context.name
        ));
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::Origin;
    use serde_json::json;

    #[test]
    fn the_servers_words_come_first_then_the_field_in_its_file() {
        let mut file = tempfile::NamedTempFile::new().expect("a scratch file");
        std::io::Write::write_all(
            &mut file,
            b"kind: Pod\nmetadata:\n  name: x\nspec:\n  restartPolicy: Sometimes\n",
        )
        .expect("written");
        let path = file.path().display().to_string();
        let origin = Origin {
            source: format!("file: {path}"),
            line: 1,
        };
        let entity = Entity::new(json!({"kind": "Pod", "metadata": {"name": "x"}}), origin);
        let text = render(
            "Pod \"x\" is invalid",
            &entity,
            &["spec.restartPolicy"],
            Vec::new(),
        );
        assert_eq!(
            text,
            format!(
                "Pod \"x\" is invalid\n --> {path}:5:3\n  |\n5 |   restartPolicy: Sometimes\n  |   ^^^^^^^^^^^^^^^^^^^^^^^^"
            )
        );
    }

    #[test]
    fn a_kind_that_the_cluster_does_not_know_is_marked() {
        let file = tempfile::NamedTempFile::new().expect("a scratch file");
        std::fs::write(
            file.path(),
            "apiVersion: shop/v1\nkind: Widget\nmetadata:\n  name: w\n",
        )
        .expect("written");
        let source = format!("file: {}", file.path().display());
        let origin = Origin { source, line: 1 };
        let widget = json!({"apiVersion": "shop/v1", "kind": "Widget", "metadata": {"name": "w"}});
        let error = RequestError::NoMatch {
            kind: "Widget".to_owned(),
            api_version: "shop/v1".to_owned(),
        };
        let text = explain(&error, &Entity::new(widget, origin), &KubeContext::default());
        assert!(text.contains(":2:1\n  |\n2 | kind: Widget\n  | ^^^^"), "{text}");
    }

    fn refused(code: u16, message: &str) -> RequestError {
        let status = kube::core::Status::failure(message, "").with_code(code);
        kube::Error::Api(status.boxed()).into()
    }

    #[test]
    fn an_answer_that_names_no_object_is_told_with_it() {
        let entity = Entity::new(
            json!({"kind": "ConfigMap", "metadata": {"name": "big"}}),
            Origin::default(),
        );
        let told = |code, message| explain(&refused(code, message), &entity, &KubeContext::default());
        assert_eq!(
            told(413, "Request entity too large: limit is 3145728"),
            "ConfigMap/big: Request entity too large: limit is 3145728\n\
             hint: leave out what need not be in the object, or split it"
        );
        assert_eq!(
            told(400, "admission webhook \"policy\" denied the request: no"),
            "ConfigMap/big: admission webhook \"policy\" denied the request: no"
        );
        assert_eq!(
            told(422, "ConfigMap \"big\" is invalid"),
            "ConfigMap \"big\" is invalid"
        );
    }

    #[test]
    fn what_to_do_follows_from_what_the_server_says_beside_its_message() {
        let told = |status: serde_json::Value| {
            let status: kube::core::Status = serde_json::from_value(status).expect("a Status");
            let error = kube::Error::Api(status.boxed()).into();
            let pod = json!({"kind": "Pod", "metadata": {"name": "web"}});
            let text = explain(
                &error,
                &Entity::new(pod, Origin::default()),
                &KubeContext::default(),
            );
            text.split_once("\nhint: ").map(|(_, hint)| hint.to_owned())
        };
        let missing = json!({"code": 404, "reason": "NotFound", "message": "namespaces \"shop\" not found",
            "details": {"kind": "namespaces", "name": "shop"}});
        assert!(
            told(missing)
                .is_some_and(|hint| hint.starts_with("create it with `kubectl create namespace shop`"))
        );
        let forbidden = |message: &str| {
            json!({"code": 403, "reason": "Forbidden", "message": message,
                "details": {"kind": "deployments", "group": "apps", "name": "web"}})
        };
        for message in [
            "deployments.apps \"web\" is forbidden: User \"jo\" cannot patch resource \"deployments\"",
            "deployments.apps is forbidden: User \"jo\" cannot list resource \"deployments\"",
        ] {
            let hint = told(forbidden(message));
            assert!(
                hint.is_some_and(|hint| hint.starts_with("ask for the permission")),
                "{message}"
            );
        }
        let by_a_rule =
            "deployments.apps \"web\" is forbidden: label \" is forbidden: User \" is not allowed";
        assert_eq!(told(forbidden(by_a_rule)), None);
    }
}
