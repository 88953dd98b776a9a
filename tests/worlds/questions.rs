//! `tilt await` in worlds: an answer never speaks of an older disk than that of the question.

use std::collections::BTreeSet;

use tilt::engine::{Event, Mode};
use tilt::model::ManifestName;
use tilt::view::{AwaitedResource, View, awaited, has_settled};

use crate::project::LOCAL_FILES;
use crate::rules::{Verdict, holds};
use crate::world::{Brain, World};

/// What was asked, and how the disk was then.
pub(crate) struct Question {
    mark: u64,
    /// Which resources; none for all.
    names: BTreeSet<ManifestName>,
    files: [u64; 4],
    local_files: u64,
    tiltfile_edits: u64,
}

impl<B: Brain> World<B> {
    /// Lets somebody ask what came of the edits until now.
    pub(crate) fn ask_what_came(&mut self) -> Verdict {
        if self.chaos.mode != Mode::Up {
            return Ok(());
        }
        let known: Vec<ManifestName> = self.ledger.current.keys().cloned().collect();
        let one = self.rng.percent(50).then(|| self.rng.pick(&known)).flatten();
        self.last_mark += 1;
        let mark = self.last_mark;
        self.questions.push(Question {
            mark,
            names: one.into_iter().collect(),
            files: self.files,
            local_files: self.local_files,
            tiltfile_edits: self.tiltfile_edits,
        });
        self.send(Event::CatchUpRequested { mark })
    }

    /// Judges what is answered at this moment.
    pub(crate) fn check_questions(&mut self, view: &View) -> Verdict {
        let is_answered =
            |question: &Question| view.caught_up >= question.mark && has_settled(view, &question.names);
        let (answered, open): (Vec<Question>, Vec<Question>) = std::mem::take(&mut self.questions)
            .into_iter()
            .partition(is_answered);
        self.questions = open;
        answered
            .iter()
            .try_for_each(|question| self.check_answer(question, view))
    }

    fn check_answer(&mut self, question: &Question, view: &View) -> Verdict {
        let answer = awaited(view, &question.names, self.time_now());
        // A load that a user has cancelled is told as a failure.
        let is_canceled = |told: &AwaitedResource| {
            told.name == ManifestName::TILTFILE && told.result == "failed" && told.reason == "build canceled"
        };
        let is_read = self.tiltfile_edits_read >= question.tiltfile_edits;
        holds(is_read || answer.resources.iter().any(is_canceled), || {
            "await answers for an older disk: the Tiltfile was not read since".to_owned()
        })?;
        for told in &answer.resources {
            self.coverage.note(format!("await: {}", told.result));
            let name = ManifestName::from(told.name.as_str());
            if name == ManifestName::tiltfile() || !matches!(told.result.as_str(), "ok" | "failed") {
                continue;
            }
            let known = self.ledger.current.get(&name);
            let Some((contents, _)) = known.and_then(|known| known.attempted.as_ref()) else {
                return Err(format!("await has a verdict on {name}, which was never updated"));
            };
            for (image, content) in contents {
                let wanted = match *image {
                    LOCAL_FILES => question.local_files,
                    image => question.files[image],
                };
                holds(content.files >= wanted, || {
                    format!(
                        "await answers for an older disk: {name} was made of edit {} of {image}, asked was for {wanted}",
                        content.files
                    )
                })?;
            }
        }
        Ok(())
    }
}
