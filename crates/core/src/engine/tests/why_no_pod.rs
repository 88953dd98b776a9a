//! Deploys that no pod comes of: what is said of them, and when.

use std::time::Duration;

use super::script::*;
use crate::engine::{AppliedObject, Event};
use crate::k8s::Dormancy;
use crate::model::ClusterEvent;
use crate::model::{CiSettings, ObjectUid, PodReadiness};
use crate::view::{report, table};

fn dormant(why: Dormancy) -> AppliedObject {
    AppliedObject {
        dormancy: Some(why),
        ..object("Deployment", "web")
    }
}

fn reason(script: &Script) -> String {
    let rows = report(&script.view(), script.time());
    rows[0].reason.clone()
}

#[test]
fn a_deploy_that_gets_no_pods_is_warned_of_once_and_explains_the_time_out() {
    let settings = CiSettings {
        timeout: Some(Duration::from_secs(60)),
        ..CiSettings::default()
    };
    let mut script = Script::ci(settings, vec![manifest("web")]);
    let effects = script.finish(1, deployed(&[], &[dormant(Dormancy::NoReplicas)]));
    insta::assert_snapshot!(effects, @r#"
    Warn build:1 "no pod will come: Deployment/web asks for 0 replicas\nhint: set its spec.replicas, or wait for none: k8s_resource('web', pod_readiness='ignore')\n"
    watch cluster {"default"} ["deployment-web"]
    "#);
    insta::assert_snapshot!(script.pass(Duration::from_secs(60)), @r#"exit Failed("Timeout after 1m0s: 1 resources waiting (web:runtime waiting-for-pod)")"#);
    insta::assert_snapshot!(table(&report(&script.view(), script.time())), @"
    RESOURCE  RESULT   TIME  REASON
    web       pending  1m0s  no pod: Deployment/web asks for 0 replicas; set its spec.replicas, or wait for none: k8s_resource('web', pod_readiness='ignore')
    ");
    assert!(report(&script.view(), script.time())[0].explains);
}

#[test]
fn each_way_to_get_no_pods_has_its_words() {
    let mut words = Vec::new();
    for why in [
        Dormancy::NoReplicas,
        Dormancy::Paused,
        Dormancy::Suspended,
        Dormancy::NoParallelism,
        Dormancy::OnDelete,
        Dormancy::Partition,
    ] {
        let mut script = Script::ci(CiSettings::default(), vec![manifest("web")]);
        script.finish(1, deployed(&[], &[dormant(why)]));
        words.push(reason(&script));
    }
    insta::assert_snapshot!(words.join("\n"), @"
    no pod: Deployment/web asks for 0 replicas; set its spec.replicas, or wait for none: k8s_resource('web', pod_readiness='ignore')
    no pod: Deployment/web is paused; take out its spec.paused, or `kubectl rollout resume` it, or wait for none: k8s_resource('web', pod_readiness='ignore')
    no pod: Deployment/web is suspended; take out its spec.suspend, or wait for none: k8s_resource('web', pod_readiness='ignore')
    no pod: Deployment/web runs no pods: its parallelism or completions are 0; set its spec.parallelism and spec.completions, or wait for none: k8s_resource('web', pod_readiness='ignore')
    no pod: Deployment/web replaces its pods only when they are deleted (OnDelete); delete its pods, or set its spec.updateStrategy to RollingUpdate, or wait for none: k8s_resource('web', pod_readiness='ignore')
    no pod: Deployment/web keeps all its pods as they are, by its partition; lower its spec.updateStrategy.rollingUpdate.partition, or wait for none: k8s_resource('web', pod_readiness='ignore')
    ");
}

#[test]
fn the_same_is_not_said_again_and_not_where_pods_come_or_nobody_waits_for_them() {
    let mut script = Script::up(vec![manifest("web")]);
    let outcome = || deployed(&[], &[dormant(Dormancy::Paused)]);
    assert!(script.finish(1, outcome()).contains("no pod will come"));
    script.edit_tiltfile();
    script.load(vec![k8s(manifest("web"), |target| {
        target.entities = vec![entity("Deployment", "web", "2")];
    })]);
    assert!(!script.finish(2, outcome()).contains("no pod will come"));
    script.see(pod("web", "web-1", 1));
    assert_eq!(script.resource("web").no_pod, None);

    let mut script = Script::up(vec![manifest("web")]);
    let both = [dormant(Dormancy::NoReplicas), object("Deployment", "other")];
    assert!(
        !script
            .finish(1, deployed(&[], &both))
            .contains("no pod will come")
    );
    assert_eq!(script.resource("web").no_pod, None);

    let ignored = k8s(manifest("web"), |target| target.readiness = PodReadiness::Ignore);
    let mut script = Script::up(vec![ignored]);
    assert!(!script.finish(1, outcome()).contains("no pod will come"));
    assert_eq!(script.resource("web").no_pod, None);
}

#[test]
fn what_the_cluster_says_of_pods_that_it_does_not_make_is_the_reason() {
    let mut script = Script::ci(CiSettings::default(), vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert_eq!(reason(&script), "no pod yet");
    let refused = ClusterEvent {
        reason: "FailedCreate".to_owned(),
        message: "Error creating: pods \"web-1\" is forbidden: exceeded quota: small".to_owned(),
        about: (
            "ReplicaSet".to_owned(),
            "default".to_owned(),
            "web-5d4".to_owned(),
        ),
        owner_chain: vec![ObjectUid::new("set-web"), ObjectUid::new("deployment-web")],
        ..warning(&pod("web", "web-1", 1), 1)
    };
    script.send(Event::ClusterEventSeen(Box::new(refused)));
    assert_eq!(
        reason(&script),
        "no pod: FailedCreate: Error creating: pods \"web-1\" is forbidden: exceeded quota: small"
    );
    script.see(pod("web", "web-1", 1));
    assert_eq!(reason(&script), "");
}
