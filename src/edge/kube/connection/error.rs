//! What the API server or the way to it says, as text for users.

use std::error::Error as _;
use std::time::Duration;

use kube::core::response::StatusCause;

use crate::edge::failure::says_unreachable;

/// A request that failed.
#[derive(Debug)]
pub(in crate::edge::kube) enum RequestError {
    /// The cluster does not know the kind.
    NoMatch { kind: String, api_version: String },
    /// Another cluster answers than at the start of the session; nothing was sent to it.
    OtherCluster { context: String },
    /// Nobody wants it any more; nothing was sent.
    Canceled,
    /// There was no answer in this time.
    TimedOut(Duration),
    /// Only a new object could have what is wanted, and this one is not deleted.
    Kept {
        /// What the server said.
        error: Box<RequestError>,
        /// Why it stays, and what differs.
        lines: String,
        /// What to do about it.
        hint: String,
    },
    /// The server refused, or was not reached.
    Kube(kube::Error),
}

impl From<kube::Error> for RequestError {
    fn from(error: kube::Error) -> Self {
        Self::Kube(error)
    }
}

impl RequestError {
    /// Returns the message as the API server words it.
    pub(in crate::edge::kube) fn message(&self) -> String {
        match self {
            Self::NoMatch { kind, api_version } => {
                format!(
                    "no matches for kind \"{kind}\" in version \"{api_version}\"\nensure CRDs are installed first"
                )
            }
            Self::OtherCluster { context } => format!(
                "another cluster answers in context \"{context}\" than when this session began: nothing was written to it\n\
                 hint: to deploy to this one, start tilt again; if it is not the one you mean, bring back the other (your VPN, \
                 your kubeconfig), then save a file"
            ),
            Self::Canceled => "build canceled".to_owned(),
            Self::TimedOut(after) => format!("no answer within {} s", after.as_secs()),
            Self::Kept { error, lines, .. } => {
                let said = error.message();
                format!("{}\n{lines}", said.lines().next().unwrap_or_default())
            }
            Self::Kube(error) => message(error),
        }
    }

    /// Returns what to do about it, where that depends on what was found.
    pub(in crate::edge::kube) fn hint(&self) -> Option<&str> {
        match self {
            Self::Kept { hint, .. } => Some(hint),
            _ => None,
        }
    }

    /// Returns the API server's own answer, if it gave one.
    pub(in crate::edge::kube) fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status),
            Self::Kept { error, .. } => error.status(),
            _ => None,
        }
    }

    /// Returns whether the API server, or what it needed, could not be reached or went away.
    pub(in crate::edge::kube) fn is_unreachable(&self) -> bool {
        match self {
            Self::TimedOut(_) => true,
            Self::Kube(kube::Error::Api(status)) => {
                // What the server itself decides may quote anything, and does not pass.
                matches!(status.code, 429 | 502..=504)
                    || status.code >= 500 && says_unreachable(&status.message)
            }
            Self::Kube(error) => is_lost(error) && !is_of_login(error),
            Self::NoMatch { .. } | Self::OtherCluster { .. } | Self::Canceled | Self::Kept { .. } => false,
        }
    }

    pub(in crate::edge::kube) fn is_not_found(&self) -> bool {
        matches!(self, Self::Kube(error) if is_not_found(error))
    }

    /// Whether what is there stands against it: an object of the name, or another state of it than was meant.
    pub(in crate::edge::kube) fn is_conflict(&self) -> bool {
        self.status().is_some_and(|status| status.code == 409)
    }

    /// Whether the object is larger than the server takes.
    pub(in crate::edge::kube) fn is_too_large(&self) -> bool {
        let too_long = |cause: &StatusCause| {
            cause.reason == "FieldValueTooLong" && cause.field == "metadata.annotations"
        };
        self.status().is_some_and(|status| status.code == 413) || self.causes().iter().any(too_long)
    }

    /// Whether the server's rules for changes are what stands against it, so that a new object may have what we want.
    pub(in crate::edge::kube) fn is_of_a_change(&self) -> bool {
        /// How such rules word it where the reason alone does not tell.
        const ENDS: [&str; 4] = [
            "field is immutable",
            // The addresses of a Service, and the role of a binding.
            "may not change once set",
            "can not be unset",
            "cannot change roleRef",
        ];
        self.causes().iter().any(|cause| match cause.reason.as_str() {
            "FieldValueForbidden" => true,
            // The value that the user wrote stands before it.
            "FieldValueInvalid" => ENDS.iter().any(|end| cause.message.ends_with(end)),
            _ => false,
        })
    }

    /// Whether two refusals complain of the same.
    pub(in crate::edge::kube) fn shares_a_cause(&self, other: &Self) -> bool {
        let is_same = |cause: &StatusCause| {
            let others = other.causes().iter();
            others
                .into_iter()
                .any(|other| (&other.reason, &other.field) == (&cause.reason, &cause.field))
        };
        self.causes().iter().any(is_same)
    }

    /// Whether the user may not do this: one of the server's authorizers says so, not one of its rules for objects.
    pub(in crate::edge::kube) fn is_not_permitted(&self) -> bool {
        let status = self.status().filter(|status| status.code == 403);
        let Some((message, details)) =
            status.and_then(|status| Some((&status.message, status.details.as_ref()?)))
        else {
            return false;
        };
        // Only what follows the object's name tells; the name itself is the user's.
        let resource = match details.group.as_str() {
            "" => details.kind.clone(),
            group => format!("{}.{group}", details.kind),
        };
        let rest = message.strip_prefix(&resource).unwrap_or_default();
        let rest = rest
            .strip_prefix(&format!(" \"{}\"", details.name))
            .unwrap_or(rest);
        rest.starts_with(" is forbidden: User \"")
    }

    /// Returns the namespace that is not there, where that is why.
    pub(in crate::edge::kube) fn missing_namespace(&self) -> Option<&str> {
        let status = self.status().filter(|status| status.code == 404)?;
        let details = status.details.as_ref()?;
        (details.kind == "namespaces").then_some(&details.name)
    }

    /// Returns which fields the server complains of, and why.
    pub(in crate::edge::kube) fn causes(&self) -> &[StatusCause] {
        let details = self.status().and_then(|status| status.details.as_ref());
        details.map_or(&[], |details| &details.causes)
    }

    /// Whether there was no answer, so that nobody knows what became of what was sent.
    pub(in crate::edge::kube) fn is_lost(&self) -> bool {
        match self {
            Self::TimedOut(_) => true,
            Self::Kube(error) => is_lost(error),
            _ => false,
        }
    }
}

/// Whether there is no such object, or no such kind: then the server answers in plain text, without a reason.
pub(in crate::edge::kube) fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Returns whether there was no answer, or an answer broke off.
pub(in crate::edge::kube) fn is_lost(error: &kube::Error) -> bool {
    matches!(
        error,
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_)
    )
}

/// Returns whether there is no login to ask with: a command or a file of the user's did not give it.
fn is_of_login(error: &kube::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<kube::client::AuthError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns whether the API server does not know who asks.
pub(in crate::edge::kube) fn is_login_refused(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 401)
}

/// Returns the API server's message, or what went wrong on the way to it, causes included.
pub(in crate::edge) fn message(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return match (status.message.as_str(), status.reason.as_str()) {
            ("", "") => format!("the server answered with code {}", status.code),
            ("", reason) => reason.to_owned(),
            (message, _) => message.to_owned(),
        };
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Most layers repeat what is below them.
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    let plain = text
        .strip_prefix("ServiceError: ")
        .or(text.strip_prefix("HyperError: "));
    plain.unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_not_be_reached_may_pass() {
        let said = |code, message: &str| {
            let status = kube::core::Status::failure(message, "").with_code(code);
            RequestError::Kube(kube::Error::Api(status.boxed()))
        };
        let login = kube::client::AuthError::AuthExecRun {
            cmd: "login: connection refused".to_owned(),
            out: Box::new(std::process::Output {
                status: std::os::unix::process::ExitStatusExt::from_raw(256),
                stdout: Vec::new(),
                stderr: b"i/o timeout".to_vec(),
            }),
        };
        for error in [
            said(503, "apiserver is starting"),
            said(500, "etcdserver: leader changed"),
            said(429, "The apiserver is overloaded"),
            said(
                500,
                "Internal error occurred: failed calling webhook \"x\": Post \"https://x\": dial tcp 1.2.3.4:443: connect: \
                 connection refused",
            ),
            RequestError::TimedOut(Duration::from_secs(10)),
            RequestError::Kube(kube::Error::Service("connection reset".into())),
        ] {
            assert!(error.is_unreachable(), "{error:?}");
        }
        for error in [
            said(
                422,
                "ConfigMap \"x\" is invalid: data[a]: Invalid value: \"connection refused\": no such key",
            ),
            said(403, "admission webhook \"x\" denied the request: eof is no name"),
            said(
                400,
                "admission webhook \"x\" denied the request: no owner: connection refused",
            ),
            said(
                422,
                "Service \"x\" is invalid: spec.ports[1].name: Duplicate value: \"eof\"",
            ),
            RequestError::Canceled,
            RequestError::Kube(kube::Error::Service(Box::new(login))),
        ] {
            assert!(!error.is_unreachable(), "{error:?}");
        }
    }

    #[test]
    fn an_object_of_a_kind_that_just_went_away_is_not_found() {
        let plain =
            kube::core::Status::failure("404 page not found", "Failed to parse error data").with_code(404);
        assert!(is_not_found(&kube::Error::Api(plain.boxed())));
        let other = kube::core::Status::failure("not now", "").with_code(503);
        assert!(!is_not_found(&kube::Error::Api(other.boxed())));
    }
}
