//! Local ports that lead to pods: they serve, serve again after the pod was replaced, and say who is in the way.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::support::{Project, eventually};

fn kiosk(port: u16) -> String {
    format!(
        "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('kiosk.yaml')
k8s_resource('kiosk', port_forwards=port_forward({port}))
--- kiosk.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {{name: kiosk}}
spec:
  selector: {{matchLabels: {{app: kiosk}}}}
  template:
    metadata: {{labels: {{app: kiosk}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: kiosk
        image: localhost:5000/busybox:1
        command: [sh, -c, 'mkdir /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www']
        ports: [{{containerPort: 8080}}]
        readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}
"
    )
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Returns the page that the port serves; empty while it serves none.
pub(crate) fn page(port: u16) -> String {
    get(port, "/")
}

/// Returns what the port serves at a path; empty while it serves nothing.
pub(crate) fn get(port: u16, path: &str) -> String {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    // A script may end its header's lines as it likes.
    let answer = ask().unwrap_or_default().replace("\r\n", "\n");
    answer
        .split_once("\n\n")
        .map_or("", |(_, page)| page)
        .trim()
        .to_owned()
}

#[test]
fn a_port_serves_and_serves_again_after_its_pod_was_replaced() {
    let port = free_port();
    let project = Project::new("kiosk", &kiosk(port));
    let up = project.up();
    eventually("the first pod serves", || page(port).starts_with("kiosk-"));
    let first = page(port);
    project.kubectl(&["delete", "pod", "-l", "app=kiosk", "--wait=false"]);
    eventually("the second pod serves", || {
        let now = page(port);
        now.starts_with("kiosk-") && now != first
    });
    assert!(
        TcpListener::bind(("127.0.0.1", port)).is_err(),
        "the port stays ours"
    );
    up.stop("INT");
    assert!(
        TcpStream::connect(("127.0.0.1", port)).is_err(),
        "the port is free again"
    );
}

#[test]
fn a_port_that_is_taken_is_told_with_who_has_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let project = Project::new("taken", &kiosk(port));
    let mut up = project.up();
    let line = up.wait_for("Error port-forwarding kiosk: cannot listen on 127.0.0.1");
    assert!(line.contains("in use"), "{line}");
    let hint = up.wait_for("hint: stop what uses port");
    assert!(hint.contains(&format!("(pid {})", std::process::id())), "{hint}");
    up.stop("INT");
}

#[test]
fn a_client_that_has_said_all_gets_the_whole_answer() {
    let port = free_port();
    let echo = kiosk(port)
        .replace(
            "mkdir /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www",
            "while :; do nc -l -p 8080 -e cat; done",
        )
        // A probe would be one of its clients.
        .replace(
            "        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}\n",
            "",
        );
    let project = Project::new("echo", &echo);
    let up = project.up();
    let echoed = |n_bytes: usize| -> std::io::Result<usize> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(&vec![b'x'; n_bytes])?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.len())
    };
    eventually("the pod answers", || echoed(1).is_ok_and(|n| n == 1));
    for n_bytes in [
        10, 1000, 8192, 100_000, 300_000, 1_000_000, 3_000_000, 10, 300_000,
    ] {
        // The pod listens anew after each connection.
        let mut answers = Vec::new();
        eventually("the pod listens again", || {
            answers.push(echoed(n_bytes).unwrap_or(0));
            answers.last() != Some(&0)
        });
        assert_eq!(answers.last(), Some(&n_bytes), "{answers:?}");
    }
    up.stop("INT");
}
