//! The patches that a client may send.

use serde_json::Value;

use super::ApiError;

/// A kind of patch, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// A list of operations, RFC 6902.
    Json,
    /// Fields to set or, with `null`, to remove, RFC 7386.
    Merge,
    /// The same with Kubernetes' directives for lists. No list of our kinds is merged by key but conditions, so it is read
    /// as a merge patch.
    Strategic,
    /// What its sender wants to own.
    Apply,
}

impl PatchType {
    /// Returns the kind of patch that a media type names.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "application/json-patch+json" => Self::Json,
            "application/merge-patch+json" => Self::Merge,
            "application/strategic-merge-patch+json" => Self::Strategic,
            "application/apply-patch+yaml" => Self::Apply,
            _ => return None,
        })
    }
}

/// Changes an object as a patch says.
///
/// # Errors
/// A patch that is none, or that does not fit the object.
pub fn apply(patch_type: PatchType, object: &mut Value, patch: Value) -> Result<(), ApiError> {
    match patch_type {
        PatchType::Json => {
            let operations: json_patch::Patch = serde_json::from_value(patch)
                .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
            json_patch::patch(object, &operations).map_err(|error| {
                ApiError::new(
                    super::Reason::Invalid,
                    format!("the server rejected our request due to an error in our request: {error}"),
                )
            })
        }
        // An apply is no patch of what there is; `managed` sees to it.
        PatchType::Apply => Ok(()),
        PatchType::Merge | PatchType::Strategic => {
            if !patch.is_object() {
                return Err(ApiError::bad_request("error decoding patch: it is no object"));
            }
            json_patch::merge(object, &without_directives(patch));
            Ok(())
        }
    }
}

/// Returns a patch without the directives of strategic merge patches; what `$patch: delete` stands in goes.
fn without_directives(patch: Value) -> Value {
    match patch {
        Value::Object(fields) if fields.get("$patch") == Some(&Value::from("delete")) => Value::Null,
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| {
                !name.starts_with("$setElementOrder/") && name != "$patch" && name != "$retainKeys"
            })
            .map(|(name, value)| (name, without_directives(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}
