//! Reads the Kubernetes objects that a Tiltfile gives as paths or blobs.

use starlark::values::Value;

use super::call::Arg;
use super::fault::{Fault, Outcome, io_message};
use super::kinds::go_type;
use super::session::Session;
use super::values::Blob;
use super::yaml_stream::read_stream;
use crate::diag::{Diagnostic, SourceText};
use crate::k8s::Entity;
use crate::k8s::yaml::{DroppedField, YamlFault};
use crate::model::octets::text_of;

/// How many warnings about dropped fields one text may give.
const MAX_WARNINGS: usize = 10;

impl<'v> Arg<'v> {
    /// Reads the objects of a path or a blob within the argument. Warns about fields that their kinds do not have.
    pub(super) fn objects_of(&self, value: Value<'v>, session: &Session<'_>) -> Outcome<Vec<Entity>> {
        if let Some(blob) = Blob::from_value(value) {
            return read_text(&blob.text, &blob.source, session);
        }
        if value.is_none() {
            return Ok(Vec::new());
        }
        if session.path(value).is_none() {
            return Err(
                Fault::new(format!("expected path | string. Actual type: {}", go_type(value)))
                    .at(self.place()),
            );
        }
        let path = self.path_of(value, session)?;
        session.reads(&path);
        let bytes = session.host.read(&path).map_err(|error| {
            let fault = Fault::new(format!("error reading yaml file: {}", io_message(&path, &error)));
            let fault = fault.at(self.place());
            if value.unpack_str().is_some_and(|text| text.contains('\n')) {
                fault.hint(format!(
                    "{}() takes a path; wrap YAML text in blob()",
                    self.builtin
                ))
            } else {
                fault
            }
        })?;
        let text = text_of(&bytes);
        read(&text, &format!("file: {path}"), path.to_string(), session)
            .map_err(|fault| fault.map_message(|why| format!("{path} is not a valid YAML file: {why}")))
    }
}

/// Reads the objects of a text that is no file.
pub(super) fn read_text(text: &str, source: &str, session: &Session<'_>) -> Outcome<Vec<Entity>> {
    read(text, source, source.to_owned(), session)
        .map_err(|fault| fault.map_message(|why| format!("Error reading yaml from {source}: {why}")))
}

/// `file` is what places in the text name.
fn read(text: &str, source: &str, file: String, session: &Session<'_>) -> Outcome<Vec<Entity>> {
    match read_stream(text, source) {
        Ok(stream) => {
            if !stream.dropped.is_empty() || !stream.remarks.is_empty() {
                let source = SourceText::new(file, text);
                warn(&stream.dropped, &source, session);
                for remark in stream.remarks.iter().take(MAX_WARNINGS) {
                    let mut warning = Diagnostic::warning(remark.message.as_str()).hint(remark.hint.as_str());
                    if let Some(place) = remark.spot.place(&source) {
                        warning = warning.at(place);
                    }
                    warn_once(warning, session);
                }
            }
            Ok(stream.entities)
        }
        Err(cause) => Err(located(&cause, &SourceText::new(file, text))),
    }
}

/// Marks the place in the YAML.
fn located(cause: &YamlFault, text: &SourceText) -> Fault {
    let fault = Fault::new(cause.message.as_str());
    let fault = match cause.spot.place(text) {
        Some(place) => fault.at(place),
        None => fault,
    };
    cause
        .more
        .iter()
        .fold(fault, |fault, more| fault.hint(more.as_str()))
}

/// The same text may be read by several calls.
fn warn_once(warning: Diagnostic, session: &Session<'_>) {
    let is_known = session.warnings.borrow().contains(&warning);
    if !is_known {
        session.warn(warning);
    }
}

fn warn(dropped: &[DroppedField], text: &SourceText, session: &Session<'_>) {
    for field in dropped.iter().take(MAX_WARNINGS) {
        let mut warning = Diagnostic::warning(field.message.as_str());
        if let Some(place) = field.spot.place(text) {
            warning = warning.at(place);
        }
        if let Some(near) = field.near {
            warning = warning.hint(format!("did you mean \"{near}\"?"));
        }
        warn_once(warning, session);
    }
    if let Some(more) = dropped.len().checked_sub(MAX_WARNINGS).filter(|more| *more > 0) {
        let file = text.file();
        session.warn(Diagnostic::warning(format!(
            "{file} has {more} more unknown fields, which are left out too"
        )));
    }
}
