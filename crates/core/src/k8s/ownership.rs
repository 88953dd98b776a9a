//! Whose an object is, as its annotations say: two people who deploy the same objects should know of each other.

use std::time::Duration;

use serde_json::Value;

use super::labels::{OWNER_ANNOTATION, Ownership, PROJECT_ANNOTATION};
use super::owned_fields::FIELD_MANAGER;
use crate::model::{Timestamp, format_go_duration};

/// How long an object counts as somebody's after they deployed it last.
const LATELY: Duration = Duration::from_secs(24 * 60 * 60);

/// Who deployed an object, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What the annotations say.
    pub by: Ownership,
    /// How long ago they deployed it; at most a day.
    pub age: Duration,
}

/// Returns who else has deployed this object within a day, from another project or as another person.
///
/// `live` is the object as the API server has it; the time is that of the last change by a field manager of our name.
pub fn claim_of_others(live: &Value, ours: &Ownership, now: Timestamp) -> Option<Claim> {
    let annotation = |key| {
        let annotations = live.pointer("/metadata/annotations");
        let value = annotations.and_then(|all| all.get(key)).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let by = Ownership {
        project: annotation(PROJECT_ANNOTATION),
        owner: annotation(OWNER_ANNOTATION),
    };
    let differs = |theirs: &str, ours: &str| !theirs.is_empty() && theirs != ours;
    if !differs(&by.project, &ours.project) && !differs(&by.owner, &ours.owner) {
        return None;
    }
    let age = now.since(deployed_at(live)?);
    (age <= LATELY).then_some(Claim { by, age })
}

fn deployed_at(live: &Value) -> Option<Timestamp> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    entries
        .iter()
        .filter(|entry| entry["manager"] == FIELD_MANAGER)
        .filter_map(|entry| {
            entry["time"]
                .as_str()?
                .parse::<k8s_openapi::jiff::Timestamp>()
                .ok()
        })
        .map(|time| Timestamp(time.as_microsecond()))
        .max()
}

/// What becomes of an object that was somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is ours from now on.
    TakenOver,
    /// It is deleted.
    Deleted,
}

/// Returns what a user is told of objects that were others': one text for each of the others.
pub fn warnings(fate: Fate, claims: &[(String, Claim)], ours: &Ownership) -> Vec<String> {
    let mut others: Vec<&Ownership> = Vec::new();
    for (_, claim) in claims {
        if !others.contains(&&claim.by) {
            others.push(&claim.by);
        }
    }
    others
        .into_iter()
        .map(|by| {
            let theirs: Vec<&(String, Claim)> = claims.iter().filter(|(_, claim)| claim.by == *by).collect();
            let objects: Vec<&str> = theirs.iter().map(|(object, _)| object.as_str()).collect();
            let age = theirs
                .iter()
                .map(|(_, claim)| claim.age)
                .min()
                .unwrap_or_default();
            warning(fate, by, ours, age, &objects.join(", "))
        })
        .collect()
}

fn warning(fate: Fate, by: &Ownership, ours: &Ownership, age: Duration, objects: &str) -> String {
    let who = match by.owner.as_str() {
        "" => "somebody".to_owned(),
        owner if owner == ours.owner => format!("you ({owner})"),
        owner => owner.to_owned(),
    };
    let from = match by.project.as_str() {
        "" => String::new(),
        project => format!(" from {project}"),
    };
    let age = format_go_duration(Duration::from_secs(age.as_secs()));
    let other = if by.owner.is_empty() || by.owner == ours.owner {
        "whoever works there"
    } else {
        &by.owner
    };
    let (doing, hint) = match fate {
        Fate::TakenOver => (
            "taking over",
            format!(
                "two sessions that deploy the same objects undo each other's work; agree with {other}, or deploy to another \
                 namespace"
            ),
        ),
        Fate::Deleted => (
            "deleting",
            format!("tell {other}; deploying again from there brings it back"),
        ),
    };
    format!("{doing} what {who} deployed {age} ago{from}: {objects}\nhint: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DAY: i64 = 24 * 60 * 60;

    fn ownership(owner: &str, project: &str) -> Ownership {
        Ownership {
            project: project.to_owned(),
            owner: owner.to_owned(),
        }
    }

    /// An object that was deployed at the start of 1970.
    fn object(owner: &str, project: &str) -> Value {
        json!({"metadata": {
            "annotations": {OWNER_ANNOTATION: owner, PROJECT_ANNOTATION: project},
            "managedFields": [
                {"manager": "kubectl", "operation": "Update", "time": "1970-01-03T00:00:00Z"},
                {"manager": FIELD_MANAGER, "operation": "Apply", "time": "1970-01-01T00:00:00Z"}]}})
    }

    #[test]
    fn what_another_person_or_project_deployed_within_a_day_is_theirs() {
        let ours = ownership("ann", "/src/shop");
        for (owner, project, seconds, expected) in [
            ("ann", "/src/shop", 60, false),
            ("bob", "/src/shop", 60, true),
            ("ann", "/src/other", 60, true),
            ("", "", 60, false),
            ("bob", "/home/bob/shop", DAY, true),
            ("bob", "/home/bob/shop", DAY + 1, false),
        ] {
            let claim = claim_of_others(&object(owner, project), &ours, Timestamp::from_secs(seconds));
            assert_eq!(claim.is_some(), expected, "{owner} {project} {seconds}");
        }
    }

    #[test]
    fn what_nobody_deployed_with_us_is_nobodys() {
        let plain = json!({"metadata": {"annotations": {OWNER_ANNOTATION: "bob"}}});
        assert_eq!(
            claim_of_others(&plain, &ownership("ann", "/"), Timestamp::from_secs(1)),
            None
        );
        assert_eq!(
            claim_of_others(&json!({}), &ownership("ann", "/"), Timestamp::from_secs(1)),
            None
        );
    }

    #[test]
    fn a_warning_names_the_owner_the_project_the_time_and_the_objects() {
        let ours = ownership("ann", "/src/shop");
        let told = |others: &[(&str, &str, &str, i64)]| {
            let claims: Vec<_> = others
                .iter()
                .map(|(name, owner, project, seconds)| {
                    let now = Timestamp::from_secs(*seconds);
                    let claim = claim_of_others(&object(owner, project), &ours, now);
                    ((*name).to_owned(), claim.expect("somebody else's"))
                })
                .collect();
            [Fate::TakenOver, Fate::Deleted]
                .map(|fate| warnings(fate, &claims, &ours).join("\n"))
                .join("\n")
        };
        insta::assert_snapshot!(told(&[
            ("Deployment/web", "bob", "/home/bob/shop", 720),
            ("Service/web", "bob", "/home/bob/shop", 7200),
            ("ConfigMap/web", "ann", "/src/other", 5),
        ]), @r"
        taking over what bob deployed 12m0s ago from /home/bob/shop: Deployment/web, Service/web
        hint: two sessions that deploy the same objects undo each other's work; agree with bob, or deploy to another namespace
        taking over what you (ann) deployed 5s ago from /src/other: ConfigMap/web
        hint: two sessions that deploy the same objects undo each other's work; agree with whoever works there, or deploy to another namespace
        deleting what bob deployed 12m0s ago from /home/bob/shop: Deployment/web, Service/web
        hint: tell bob; deploying again from there brings it back
        deleting what you (ann) deployed 5s ago from /src/other: ConfigMap/web
        hint: tell whoever works there; deploying again from there brings it back
        ");
        insta::assert_snapshot!(told(&[("Deployment/web", "", "/home/bob/shop", 90)]), @r"
        taking over what somebody deployed 1m30s ago from /home/bob/shop: Deployment/web
        hint: two sessions that deploy the same objects undo each other's work; agree with whoever works there, or deploy to another namespace
        deleting what somebody deployed 1m30s ago from /home/bob/shop: Deployment/web
        hint: tell whoever works there; deploying again from there brings it back
        ");
    }
}
