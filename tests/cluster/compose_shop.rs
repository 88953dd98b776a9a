//! A project of Compose services for tests, with an engine that is real.

use crate::support::{Finished, Project};

/// A service that does nothing, and ends at once when it is asked to.
pub(crate) const SLEEPS: &str =
    "image: localhost:5000/busybox:1\n    command: [sh, -c, 'exec sleep 1000']\n    stop_grace_period: 0s";

/// A project of services, with a Compose project of its own. All that compose made of it is removed when it is dropped.
pub(crate) struct Shop(Project);

impl Shop {
    /// Makes a project of these services: each a name, and what is below it in the file.
    pub(crate) fn new(name: &str, services: &[(&str, &str)]) -> Self {
        let project = Project::new(name, "");
        let tiltfile = format!(
            "docker_compose('compose.yml', project_name='{}')\n",
            project.namespace()
        );
        project.write("Tiltfile", &tiltfile);
        let shop = Self(project);
        shop.serve(services);
        shop
    }

    /// Makes a project of files: `--- path` starts each. `PROJECT` and `IMAGE` stand for the name of the Compose project and of
    /// an image that has a shell.
    pub(crate) fn with_files(name: &str, files: &str) -> Self {
        let shop = Self::new(name, &[]);
        let files = files
            .replace("PROJECT", shop.0.namespace())
            .replace("IMAGE", "localhost:5000/busybox:1");
        for part in files.split("--- ").filter(|part| !part.trim().is_empty()) {
            let (path, content) = part.split_once('\n').expect("a path, then its content");
            shop.0.write(path.trim(), content);
        }
        shop
    }

    pub(crate) fn project(&self) -> &Project {
        &self.0
    }

    /// Puts a text in the place of another one in a file.
    #[track_caller]
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.0.dir().join(path)).expect("a file");
        assert!(text.contains(from), "{path} has no {from:?}: {text}");
        self.0.write(path, &text.replace(from, to));
    }

    /// Runs a command in the container of a service; returns what it prints, nothing where that cannot be.
    pub(crate) fn inside(&self, service: &str, command: &str) -> String {
        self.docker(&["exec", &self.container(service), "sh", "-c", command])
    }

    /// Returns when the container of a service was started last.
    pub(crate) fn started(&self, service: &str) -> String {
        let format = "{{.State.StartedAt}}";
        self.docker(&["inspect", "-f", format, &self.container(service)])
    }

    /// Returns how a session says that what runs of a service is doing.
    pub(crate) fn runtime(&self, service: &str) -> String {
        let path = "jsonpath={.status.runtimeStatus}";
        let got = self.0.tilt(&["get", "uiresource", service, "-o", path]);
        got.text.trim().to_owned()
    }

    /// Writes these services into the file.
    pub(crate) fn serve(&self, services: &[(&str, &str)]) {
        let services = services
            .iter()
            .map(|(name, what)| format!("  {name}:\n    {what}\n"));
        let text = format!("services:\n{}", services.collect::<String>());
        self.0.write("compose.yml", &text);
    }

    pub(crate) fn add_to_tiltfile(&self, line: &str) {
        let path = self.0.dir().join("Tiltfile");
        let text = std::fs::read_to_string(path).expect("there is one");
        self.0.write("Tiltfile", &format!("{text}{line}\n"));
    }

    pub(crate) fn ci(&self) -> Finished {
        self.0.tilt(&["ci"])
    }

    pub(crate) fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.0.namespace())
    }

    /// Runs docker; returns what it prints.
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        let output = self
            .0
            .command("docker", args)
            .output()
            .expect("docker is on PATH");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Returns the id of a service's container; empty if there is none.
    pub(crate) fn id(&self, service: &str) -> String {
        let name = format!("name=^{}$", self.container(service));
        self.docker(&["ps", "-aq", "--filter", &name])
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let label = format!("label=com.docker.compose.project={}", self.0.namespace());
        for (list, remove) in [
            (vec!["ps", "-aq"], vec!["rm", "-fv"]),
            (vec!["network", "ls", "-q"], vec!["network", "rm"]),
            (vec!["volume", "ls", "-q"], vec!["volume", "rm"]),
        ] {
            let ids = self.docker(&[&list[..], &["--filter", &label]].concat());
            for id in ids.lines() {
                self.docker(&[&remove[..], &[id]].concat());
            }
        }
        let images = format!("{}-*", self.0.namespace());
        for id in self.docker(&["image", "ls", "-q", &images]).lines() {
            self.docker(&["image", "rm", "-f", id]);
        }
    }
}
