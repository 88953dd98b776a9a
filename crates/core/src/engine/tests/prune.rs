use std::time::Duration;

use super::script::*;
use crate::engine::{Event, UpdateOutcome};
use crate::model::{DockerPrune, Manifest, PruneId, TargetId};

const HOUR: Duration = Duration::from_secs(3600);

/// Returns a script with one image whose first update has ended, and what that end led to.
fn built(settings: DockerPrune, manifests: Vec<Manifest>) -> (Script, String) {
    let mut script = Script::up(Vec::new());
    script.edit_tiltfile();
    script.finish_load(crate::engine::LoadOutcome {
        docker_prune: settings,
        ..loaded(manifests)
    });
    let end = script.finish(1, UpdateOutcome::default());
    (script, end)
}

fn prunes(effects: &str) -> bool {
    effects.lines().any(|line| line.starts_with("prune "))
}

fn pruned(script: &mut Script, prune: u64, is_possible: bool) -> String {
    let prune = PruneId(prune);
    script.send(Event::Pruned { prune, is_possible })
}

/// Edits the image and ends the update; returns what the end led to.
fn update(script: &mut Script, build: u64) -> String {
    let started = script.edit(TargetId::image("web"), &["/src/web/x"]);
    assert!(!prunes(&started), "not while something is built: {started}");
    script.finish(build, UpdateOutcome::default())
}

#[test]
fn the_first_pruning_follows_the_first_update_and_the_next_an_hour_later() {
    let images = || vec![with_images("web", &["base", "web"])];
    let (mut script, end) = built(DockerPrune::default(), images());
    assert!(
        end.ends_with("prune [\"base\", \"web\"], but the last 2 and {}"),
        "{end}"
    );
    assert_eq!(script.wakes_in(), None, "one at a time");
    assert_eq!(pruned(&mut script, 7, true), "", "nobody waits for that");
    pruned(&mut script, 1, true);
    assert_eq!(script.wakes_in(), Some(HOUR));
    assert!(!prunes(&update(&mut script, 2)));
    assert!(!prunes(&script.pass(HOUR - Duration::from_secs(1))));
    assert!(prunes(&script.pass(Duration::from_secs(1))));
}

#[test]
fn a_number_of_updates_takes_the_place_of_the_time() {
    let settings = DockerPrune {
        num_builds: 2,
        ..DockerPrune::default()
    };
    let (mut script, end) = built(settings, vec![with_images("web", &["web"])]);
    assert!(prunes(&end));
    pruned(&mut script, 1, true);
    assert_eq!(script.wakes_in(), None);
    assert!(!prunes(&script.pass(HOUR)));
    assert!(!prunes(&update(&mut script, 2)));
    assert!(prunes(&update(&mut script, 3)));
}

#[test]
fn nothing_is_pruned_where_nothing_is_built_or_the_tiltfile_says_so() {
    let off = DockerPrune {
        enabled: false,
        ..DockerPrune::default()
    };
    assert!(!prunes(&built(off, vec![with_images("web", &["web"])]).1));
    let (script, end) = built(DockerPrune::default(), vec![manifest("web")]);
    assert!(!prunes(&end));
    assert_eq!(script.wakes_in(), None);
}

#[test]
fn it_waits_until_all_updates_have_ended() {
    let (mut script, end) = built(
        DockerPrune::default(),
        vec![with_images("web", &["web"]), with_images("api", &["api"])],
    );
    assert!(!prunes(&end), "the other one still runs: {end}");
    assert!(prunes(&script.finish(2, UpdateOutcome::default())));
}

#[test]
fn an_image_that_would_be_used_again_is_said_to_be_in_use() {
    let (mut script, _) = built(DockerPrune::default(), vec![with_images("web", &["web"])]);
    pruned(&mut script, 1, true);
    script.edit(TargetId::image("web"), &["/src/web/x"]);
    script.finish(2, deployed(&[("web", "tilt-1")], &[]));
    let effects = script.pass(HOUR);
    assert!(
        effects.contains("but the last 2 and {\"web:tilt-1\"}"),
        "{effects}"
    );
}

#[test]
fn an_engine_that_cannot_is_asked_once() {
    let (mut script, _) = built(DockerPrune::default(), vec![with_images("web", &["web"])]);
    pruned(&mut script, 1, false);
    assert_eq!(script.wakes_in(), None);
    assert!(!prunes(&script.pass(2 * HOUR)));
}
