//! Port-forwards: which pod, and which port of it.

use super::script::*;
use crate::engine::{Asker, Event, ForwardId, ForwardPart};
use crate::model::{Manifest, Pod, PodPhase, PortForward};

/// Returns `web` with these ports, local and in the pod.
fn with_ports(ports: &[(u16, u16)]) -> Manifest {
    k8s(manifest("web"), |k8s| {
        k8s.options.port_forwards = ports
            .iter()
            .map(|(local_port, container_port)| PortForward {
                local_port: *local_port,
                container_port: *container_port,
                ..PortForward::default()
            })
            .collect();
    })
}

fn in_phase(name: &str, second: i64, phase: PodPhase) -> Pod {
    Pod {
        phase,
        ..pod("web", name, second)
    }
}

#[test]
fn a_port_is_asked_for_before_there_is_a_pod_and_follows_the_newest_that_runs() {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script.edit_tiltfile();
    let asked = script.load(vec![with_ports(&[(9000, 80)])]);
    assert!(asked.contains("forward [9000 to nowhere]"), "{asked}");
    let pending = script.see(in_phase("web-1", 1, PodPhase::Pending));
    assert!(!pending.contains("forward"), "{pending}");
    let running = script.see(in_phase("web-1", 1, PodPhase::Running));
    assert!(running.contains("forward [9000 to web-1:80]"), "{running}");
    let newer = script.see(in_phase("web-2", 2, PodPhase::Running));
    assert!(newer.contains("forward [9000 to web-2:80]"), "{newer}");
    let mut going = in_phase("web-2", 2, PodPhase::Running);
    going.deleting = true;
    let back = script.see(going);
    assert!(back.contains("forward [9000 to web-1:80]"), "{back}");
}

#[test]
fn a_port_that_is_not_given_is_the_local_one_where_nothing_is_documented() {
    let mut script = Script::up(vec![with_ports(&[(9000, 0)])]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    let running = script.see(in_phase("web-1", 1, PodPhase::Running));
    assert!(running.contains("forward [9000 to web-1:9000]"), "{running}");
}

#[test]
fn a_port_is_healthy_only_with_a_ready_pod_and_nothing_wrong() {
    let mut script = Script::up(vec![with_ports(&[(9000, 80)])]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    let shown = |script: &Script| {
        let forward = script.resource("web").forwards.remove(0);
        let pod = forward.pod.unwrap_or_default();
        format!(
            "{pod} {} {}",
            forward.is_healthy,
            forward.error.unwrap_or_default()
        )
    };
    assert_eq!(shown(&script), " false ");
    let ready = |status| Pod {
        conditions: vec![condition("Ready", status, ("", ""), 1)],
        ..in_phase("web-1", 1, PodPhase::Running)
    };
    script.see(ready("False"));
    assert_eq!(shown(&script), "web-1 false ");
    script.see(ready("True"));
    assert_eq!(shown(&script), "web-1 true ");
    let tell = |script: &mut Script, error: Option<&str>| {
        let forward = ForwardId {
            asker: Asker::Resource("web".into()),
            local_port: 9000,
            host: None,
        };
        let (part, error) = (ForwardPart::Path, error.map(str::to_owned));
        script.send(Event::ForwardChanged { forward, part, error });
    };
    tell(&mut script, Some("the node does not answer"));
    assert_eq!(shown(&script), "web-1 false the node does not answer");
    tell(&mut script, None);
    assert_eq!(shown(&script), "web-1 true ");
    let going = Pod {
        deleting: true,
        ..ready("True")
    };
    script.see(going);
    assert_eq!(shown(&script), "web-1 false ");
}
