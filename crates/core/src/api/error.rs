//! What is answered when a request cannot be served, in the words and numbers of a Kubernetes API server.

use serde_json::{Value, json};

use super::{GROUP, Kind};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request makes no sense.
    BadRequest,
    /// Who asks may not.
    Forbidden,
    /// There is no such object.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// It was changed meanwhile.
    Conflict,
    /// Its content is against the rules.
    Invalid,
    /// It is too old to be watched from there.
    Expired,
    /// The kind cannot do that.
    MethodNotAllowed,
    /// The body is in a format that is not read.
    UnsupportedMediaType,
    /// The body is too long.
    RequestEntityTooLarge,
    /// A fault of our own.
    InternalError,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// Why.
    pub reason: Reason,
    /// What is told.
    pub message: String,
    /// The kind and name that it is about.
    pub about: Option<(&'static Kind, String)>,
    /// What is wrong where: field, reason and message.
    pub causes: Vec<(String, &'static str, String)>,
}

impl Reason {
    /// Returns the HTTP status.
    pub fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Expired => 410,
            Self::RequestEntityTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::InternalError => 500,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Expired => "Expired",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::Invalid => "Invalid",
            Self::InternalError => "InternalError",
        }
    }
}

impl ApiError {
    /// Returns a refusal that is about no object.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            about: None,
            causes: Vec::new(),
        }
    }

    /// Returns a request that makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// Returns that there is no such object.
    pub fn not_found(kind: &'static Kind, name: &str) -> Self {
        Self::about(Reason::NotFound, kind, name, "not found")
    }

    /// Returns that there is such an object already.
    pub fn already_exists(kind: &'static Kind, name: &str) -> Self {
        Self::about(Reason::AlreadyExists, kind, name, "already exists")
    }

    /// Returns that the object was changed since it was read.
    pub fn modified(kind: &'static Kind, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {}.{GROUP} {name:?}: the object has been modified; please apply your \
             changes to the latest version and try again",
            kind.plural
        );
        Self {
            message,
            ..Self::about(Reason::Conflict, kind, name, "")
        }
    }

    /// Returns that the content of an object is against the rules.
    pub fn invalid(kind: &'static Kind, name: &str, causes: Vec<(String, &'static str, String)>) -> Self {
        let told: Vec<String> = causes
            .iter()
            .map(|(field, _, message)| format!("{field}: {message}"))
            .collect();
        let told = match told.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        Self {
            reason: Reason::Invalid,
            message: format!("{}.{GROUP} {name:?} is invalid: {told}", kind.name),
            about: Some((kind, name.to_owned())),
            causes,
        }
    }

    /// Returns that fields which somebody applies are set by others: who, and which.
    pub(super) fn apply_conflict(conflicts: &[(String, String)]) -> Self {
        let message = match conflicts {
            [(manager, field)] => {
                format!("Apply failed with 1 conflict: conflict with {manager}: {field}")
            }
            several => {
                let mut managers: Vec<&String> = several.iter().map(|(manager, _)| manager).collect();
                managers.sort();
                managers.dedup();
                let told = managers.into_iter().map(|manager| {
                    let fields = several.iter().filter(|(of, _)| of == manager);
                    let fields: String = fields.map(|(_, field)| format!("\n- {field}")).collect();
                    format!("conflicts with {manager}:{fields}")
                });
                let told = told.collect::<Vec<_>>().join("\n");
                format!("Apply failed with {} conflicts: {told}", several.len())
            }
        };
        let causes = conflicts.iter().map(|(manager, field)| {
            let message = format!("conflict with {manager}");
            (field.clone(), "FieldManagerConflict", message)
        });
        Self {
            causes: causes.collect(),
            ..Self::new(Reason::Conflict, message)
        }
    }

    fn about(reason: Reason, kind: &'static Kind, name: &str, what: &str) -> Self {
        Self {
            reason,
            message: format!("{}.{GROUP} {name:?} {what}", kind.plural),
            about: Some((kind, name.to_owned())),
            causes: Vec::new(),
        }
    }

    /// Returns it as an object of the kind `Status`.
    pub fn to_status(&self) -> Value {
        let mut details = json!({});
        if let Some((kind, name)) = &self.about {
            details["name"] = name.as_str().into();
            details["group"] = GROUP.into();
            let is_invalid = self.reason == Reason::Invalid;
            details["kind"] = if is_invalid { kind.name } else { kind.plural }.into();
        }
        let causes: Vec<Value> = self
            .causes
            .iter()
            .map(|(field, reason, message)| json!({"reason": reason, "message": message, "field": field}))
            .collect();
        if !causes.is_empty() {
            details["causes"] = causes.into();
        }
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason.word(),
            "details": details,
            "code": self.reason.code(),
        })
    }
}
