//! A plan in words for people: lines that fit 80 columns.

use super::{ImageAction, ObjectAction, PlanAnswer, ResourcePlan};
use crate::history::Look;

/// How wide lines may be.
const WIDTH: usize = 80;
/// How many fields of an object, or files of an image, are told.
const NAMED: usize = 10;

/// Returns a plan in words.
pub fn plan_text(plan: &PlanAnswer, look: &Look) -> String {
    let mut out = String::new();
    let mut counts = Counts::default();
    for resource in &plan.resources {
        counts.add(resource);
        if resource.has_changes() || resource.error.is_some() {
            out.push_str(&of_resource(resource, look));
        }
    }
    if out.is_empty() {
        return "Nothing to do: all is as the Tiltfile says.\n".to_owned();
    }
    out.push_str(&counts.line());
    out
}

fn of_resource(resource: &ResourcePlan, look: &Look) -> String {
    let mut out = format!("{}\n", look.bold(&resource.name));
    for image in &resource.images {
        let (sign, what) = match image.action {
            ImageAction::Build if image.push => ("~", "build and push"),
            ImageAction::Build => ("~", "build"),
            ImageAction::UpToDate => (" ", "up to date"),
        };
        line(
            &mut out,
            look,
            sign,
            &format!("image {}: {what}: {}", image.image, image.why),
        );
        for file in image.files.iter().take(NAMED) {
            line(&mut out, look, " ", &format!("  {}", look.path(file)));
        }
        more(&mut out, look, image.files.len(), "files");
    }
    for object in &resource.objects {
        let (sign, what) = match object.action {
            ObjectAction::Create => ("+", "create"),
            ObjectAction::Change => ("~", "change"),
            ObjectAction::Unchanged => continue,
            ObjectAction::Recreate => ("±", "delete and create anew"),
            ObjectAction::Delete => ("-", "delete"),
            ObjectAction::Refused => ("!", "refused"),
        };
        let namespace = object.namespace.as_ref();
        let namespace = namespace.map_or_else(String::new, |namespace| format!(" in {namespace}"));
        line(
            &mut out,
            look,
            sign,
            &format!("{}{namespace}: {what}", object.object),
        );
        if let Some(reason) = &object.reason {
            line(
                &mut out,
                look,
                " ",
                &format!("  {}", reason.lines().next().unwrap_or_default()),
            );
        }
        for change in object.fields.iter().take(NAMED) {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
            line(
                &mut out,
                look,
                " ",
                &format!(
                    "  {}: {} -> {}",
                    change.field,
                    value(&change.from),
                    value(&change.to)
                ),
            );
        }
        more(&mut out, look, object.fields.len(), "fields");
    }
    for command in &resource.commands {
        let first = command.lines().next().unwrap_or_default();
        line(&mut out, look, "$", &format!("run: {first}"));
    }
    if let Some(error) = &resource.error {
        error.lines().for_each(|text| line(&mut out, look, "!", text));
    }
    out
}

fn more(out: &mut String, look: &Look, all: usize, what: &str) {
    if let Some(more) = all.checked_sub(NAMED).filter(|more| *more > 0) {
        line(out, look, " ", &format!("  {more} more {what}"));
    }
}

fn line(out: &mut String, look: &Look, sign: &str, text: &str) {
    let room = WIDTH - 4;
    let shown: String = match text.chars().count() > room {
        true => text.chars().take(room - 1).chain(['…']).collect(),
        false => text.to_owned(),
    };
    let code = match sign {
        "+" => 32,
        "-" | "!" => 31,
        "~" | "±" => 33,
        _ => 0,
    };
    let sign = if code == 0 {
        sign.to_owned()
    } else {
        look.colour(code, sign)
    };
    out.push_str(&format!("  {sign} {shown}\n"));
}

#[derive(Default)]
struct Counts {
    builds: usize,
    created: usize,
    changed: usize,
    recreated: usize,
    deleted: usize,
    commands: usize,
}

impl Counts {
    fn add(&mut self, resource: &ResourcePlan) {
        let images = resource.images.iter();
        self.builds += images.filter(|image| image.action == ImageAction::Build).count();
        for object in &resource.objects {
            match object.action {
                ObjectAction::Create => self.created += 1,
                ObjectAction::Change => self.changed += 1,
                ObjectAction::Recreate => self.recreated += 1,
                ObjectAction::Delete => self.deleted += 1,
                ObjectAction::Unchanged | ObjectAction::Refused => {}
            }
        }
        self.commands += resource.commands.len();
    }

    fn line(&self) -> String {
        format!(
            "Plan: {} to build, {} to create, {} to change, {} to create anew,\n      {} to delete, {} commands to run.\n",
            self.builds, self.created, self.changed, self.recreated, self.deleted, self.commands
        )
    }
}
