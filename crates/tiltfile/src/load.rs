//! One evaluation of a Tiltfile, from request to result.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};

use super::Host;
use super::builtins::vocabulary;
use super::enabled::enabled;
use super::fault::io_message;
use super::loaded::{Hashes, Load};
use super::naming_function::NamingFunction;
use super::own_extensions;
use super::request::LoadRequest;
use super::secrets;
use super::session::Session;
use super::values::Kept;
use crate::Log;
use crate::assembly::{Ignorefile, Naming, Surroundings, assemble};
use crate::diag::Diagnostic;
use crate::engine::LoadOutcome;
use crate::k8s::{Entity, deployable};
use crate::model::octets::bytes_of;
use crate::model::{DeployTarget, Ignore, LocalPath, Manifest, SourcePlace};

/// The stack of a thread that evaluates: Starlark functions recurse on it, up to 10,000 deep.
const STACK_BYTES: usize = 512 << 20;

impl Load {
    /// Evaluates the file of a session, and assembles what it declares.
    pub(super) fn evaluate(&mut self, session: &Session<'_>) {
        let _kept = Kept::new(session.request, session.host.variables());
        let executed = session.run(&session.request.file);
        self.hash(session);
        self.keep_settings(session);
        self.errors
            .extend(session.all_faults(executed.err().filter(|fault| !fault.is_exit())));
        if self.errors.is_empty() {
            self.assemble(session);
        }
        self.objects = session.objects.take();
        self.config_files = session.config_files.take().into_iter().collect();
        let unlisted = session.unlisted_files.take().into_iter();
        self.unlisted_files = unlisted
            .filter(|file| !self.config_files.contains(file))
            .collect();
        self.warnings = session.warnings.take();
        self.calls = session.calls.take();
    }

    fn check_resources(&mut self, request: &LoadRequest) {
        if self.manifests.as_ref().is_none_or(Vec::is_empty)
            && let Some(error) = no_resources(request)
        {
            self.manifests = None;
            self.errors.push(error);
        }
    }

    fn read_tiltignore(&mut self, session: &Session<'_>) {
        let path = session.request.file.parent().join(".tiltignore");
        session.reads(&path);
        match session.host.read(&path) {
            Ok(text) => {
                let file = Ignorefile::parse(path.clone(), &String::from_utf8_lossy(&text));
                self.watch_ignores.extend(file.ignore_below(&path.parent()));
                self.tiltignore = Some(file);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => self.errors.push(Diagnostic::error(io_message(&path, &error))),
        }
    }

    fn hash(&mut self, session: &Session<'_>) {
        let texts = session.executed.borrow();
        let mut all = Sha256::new();
        texts.iter().for_each(|text| all.update(bytes_of(text)));
        let first = texts.first().map_or_else(Cow::default, |text| bytes_of(text));
        self.hashes = Hashes {
            tiltfile: hex(&Sha256::digest(first)),
            all_files: hex(&all.finalize()),
        };
    }

    /// Keeps what holds also when the load fails.
    fn keep_settings(&mut self, session: &Session<'_>) {
        let settings = session.settings.take();
        self.update_settings = settings.update;
        self.ci_settings = settings.ci;
        let watch_ignores = settings.session.watch_ignores.iter();
        self.watch_ignores
            .extend(watch_ignores.map(|(base, patterns)| Ignore {
                base: base.clone(),
                patterns: patterns.clone(),
            }));
        if settings.session.scrub_secrets {
            let declared = session.declared.borrow();
            self.secrets = secrets::of(declared.objects.iter().map(|object| &object.entity));
        }
        self.session_settings = settings.session;
    }

    fn assemble(&mut self, session: &Session<'_>) {
        let request = session.request;
        let mut declared = session.declared.take();
        self.allowed_contexts.clone_from(&declared.allowed_contexts);
        if let Some(main) = session.main {
            // What the session's own Tiltfile says of the cluster holds for what its extensions deploy.
            declared
                .allowed_contexts
                .extend(main.allowed_contexts.iter().cloned());
            declared.default_registry = declared.default_registry.or_else(|| main.registry.clone());
        }
        self.registry.clone_from(&declared.default_registry);
        let registry = declared.default_registry.as_ref();
        self.default_registry = registry.map(|(registry, _)| registry.clone());
        let function = session.naming.take();
        let position = function
            .as_ref()
            .map(NamingFunction::position)
            .unwrap_or_default();
        let name = |workload: &Entity| match &function {
            Some(function) => session.resource_name(function, workload),
            None => Ok(workload.name().to_owned()),
        };
        let naming = function.as_ref().map(|function| Naming {
            position: &position,
            place: &function.place,
            name: &name,
        });
        let assembled = assemble(
            declared,
            Surroundings {
                kube: &request.kube,
                checks_context: request.is_main || session.main.is_some(),
                upsert_timeout: self.update_settings.k8s_upsert_timeout,
            },
            naming,
        );
        assembled
            .warnings
            .into_iter()
            .for_each(|warning| session.warn(warning));
        self.errors.extend(assembled.errors);
        let may_have_more = own_extensions::any(&session.objects.borrow());
        if self.errors.is_empty() && assembled.manifests.is_empty() && !may_have_more {
            self.errors.extend(no_resources(request));
        }
        session.config_files.borrow_mut().extend(assembled.dockerignores);
        if self.errors.is_empty() {
            match enabled(&assembled.manifests, &request.args, &session.config.borrow()) {
                Ok(enabled) => self.enabled = enabled,
                Err(error) => self.errors.push(error),
            }
        }
        if self.errors.is_empty() {
            self.manifests = Some(assembled.manifests);
        }
    }

    /// Takes all resources, with the objects that are sent to the cluster, which are not quite those that were written.
    pub fn take_deployable_manifests(&mut self) -> Option<Vec<Manifest>> {
        let mut manifests = self.manifests.take()?;
        for manifest in &mut manifests {
            if let DeployTarget::K8s(target) = &mut manifest.deploy {
                target.entities = deployable(std::mem::take(&mut target.entities));
            }
        }
        Some(manifests)
    }

    /// Returns all files whose change makes another evaluation necessary.
    pub fn watched_files(&self) -> Vec<LocalPath> {
        let all = self.config_files.iter().chain(&self.unlisted_files);
        all.collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }

    /// Returns where the first of the faults is written, if it is a line of a file.
    fn error_place(&self) -> Option<SourcePlace> {
        let place = self.errors.iter().find_map(|error| error.place.as_deref())?;
        place.file.starts_with('/').then(|| SourcePlace {
            file: place.file.clone(),
            line: place.line,
        })
    }

    /// Returns what the engine is told.
    pub fn outcome(mut self) -> LoadOutcome {
        LoadOutcome {
            manifests: self.take_deployable_manifests(),
            error: self.error_text(),
            error_place: self.error_place(),
            config_files: self.watched_files(),
            enabled: self.enabled,
            read: BTreeSet::new(),
            changed_meanwhile: Vec::new(),
            watch_ignores: self.watch_ignores,
            update_settings: self.update_settings,
            ci_settings: self.ci_settings,
            docker_prune: self.session_settings.docker_prune,
            shown_settings: Arc::new(self.session_settings.shown()),
            objects: self.objects,
            extensions: self.extensions,
        }
    }
}

/// Evaluates a Tiltfile. Blocks, and needs the stack that [`load_on_big_stack`] gives.
///
/// Prints and warnings go to `log` as they come; errors only to the result. Once `cancelled` is set the evaluation
/// stops soon, with an error.
pub fn load(request: &LoadRequest, host: &dyn Host, log: &dyn Log, cancelled: Arc<AtomicBool>) -> Load {
    let mut load = Load {
        web_host: request.web_host.clone(),
        ..Load::default()
    };
    if !host.exists(&request.file) {
        load.config_files.push(request.file.clone());
        load.errors.push(Diagnostic::error(format!(
            "No Tiltfile found at paths '{}'. Check out https://docs.tilt.dev/tutorial.html",
            request.file
        )));
        return load;
    }
    let session = Session::new(vocabulary(), request, host, log, cancelled);
    load.read_tiltignore(&session);
    load.evaluate(&session);
    if load.errors.is_empty() {
        load.add_extensions(&session);
    }
    if load.errors.is_empty() {
        session.forget_unused_results();
        load.check_resources(request);
    }
    load
}

/// Evaluates a Tiltfile on a thread of its own, whose stack is large enough, and waits for it.
pub fn load_on_big_stack(
    request: &LoadRequest,
    host: &dyn Host,
    log: &dyn Log,
    cancelled: Arc<AtomicBool>,
) -> Load {
    load_on_big_stack_then(request, host, log, cancelled, |load| load)
}

/// Evaluates a Tiltfile on a thread of its own, whose stack is large enough, and makes something of the result there: what
/// the evaluation gave back of its memory can then be used again.
pub fn load_on_big_stack_then<T: Send>(
    request: &LoadRequest,
    host: &dyn Host,
    log: &dyn Log,
    cancelled: Arc<AtomicBool>,
    then: impl Fn(Load) -> T + Send + Sync,
) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("tiltfile".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || then(load(request, host, log, cancelled)));
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            // The panic was printed where it happened; the files that may be at fault are still watched.
            Ok(Err(_)) => then(Load {
                config_files: vec![request.file.clone()],
                errors: vec![
                    Diagnostic::error(format!("{}: internal error", request.file))
                        .hint("this is a fault of tilt; please report it with what it printed"),
                ],
                ..Load::default()
            }),
            Err(cause) => then(Load {
                errors: vec![Diagnostic::error(format!("cannot start a thread: {cause}"))],
                ..Load::default()
            }),
        }
    })
}

/// Commands that only look at a Tiltfile, or take away what it declares, are content with no resources.
fn no_resources(request: &LoadRequest) -> Option<Diagnostic> {
    let needs_resources = request.is_main && matches!(request.subcommand, "up" | "ci");
    needs_resources.then(|| {
        Diagnostic::error("No resources found. Check out https://docs.tilt.dev/tutorial.html to get started!")
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
