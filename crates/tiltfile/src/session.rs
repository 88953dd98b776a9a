//! The state of one load. Every evaluator of the load points at it.
#![allow(
    unsafe_code,
    reason = "`ProvidesStaticType`, through which evaluators find their session, is an unsafe trait"
)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use starlark::any::ProvidesStaticType;
use starlark::environment::{FrozenModule, Globals, Module};
use starlark::eval::{Evaluator, FileLoader};
use starlark::syntax::AstModule;

use super::config::settings::ConfigState;
use super::depth::{MAX_NESTING, is_too_deep};
use super::fault::{Fault, Outcome, io_message};
use super::guard::{MAX_HEAP_BYTES, guarded, too_large};
use super::naming_function::NamingFunction;
use super::source::Source;
use super::surroundings::too_deep;
use super::{BuiltinCall, Host, Load, LoadRequest};
use crate::Log;
use crate::assembly::{CallSite, Declarations};
use crate::diag::Diagnostic;
use crate::model::octets::text_of;
use crate::model::{ApiObjects, CiSettings, LocalPath, SessionSettings, UpdateSettings};

/// Calls may be nested this deep; Tilt has no limit and crashes.
pub(super) const MAX_CALL_DEPTH: usize = 10_000;

/// What the path in a `load` statement begins with if it names an extension.
pub(super) const EXTENSION: &str = "ext://";

/// What every file of a load can use.
pub(super) struct Vocabulary {
    /// All names.
    pub(super) globals: Globals,
    /// Those of functions and modules that are documented.
    pub(super) builtins: Vec<&'static str>,
}

/// The state of one load.
#[derive(ProvidesStaticType)]
pub(super) struct Session<'h> {
    pub(super) vocabulary: &'static Vocabulary,
    pub(super) request: &'h LoadRequest,
    pub(super) host: &'h dyn Host,
    pub(super) log: &'h dyn Log,
    /// What the session's own Tiltfile gave, where this is one of its extensions.
    pub(super) main: Option<&'h Load>,
    pub(super) cancelled: Arc<AtomicBool>,
    /// What was declared so far.
    pub(super) declared: RefCell<Declarations>,
    /// Objects of the API that were registered so far.
    pub(super) objects: RefCell<ApiObjects>,
    pub(super) config_files: RefCell<BTreeSet<LocalPath>>,
    /// Files that count like those, though Tilt does not list them.
    pub(super) unlisted_files: RefCell<BTreeSet<LocalPath>>,
    pub(super) warnings: RefCell<Vec<Diagnostic>>,
    /// Tracebacks of the `k8s_yaml` calls that registered an object, by what identifies the object.
    pub(super) registered: RefCell<HashMap<String, Rc<str>>>,
    /// The content of all executed files, in the order in which they started.
    pub(super) executed: RefCell<Vec<Arc<str>>>,
    /// The path in the `load` statement that ran last.
    pub(super) last_loaded: RefCell<String>,
    /// The version of the installed helm, once it was asked for.
    pub(super) helm_version: RefCell<Option<String>>,
    /// The command that is Compose, once it was looked for.
    pub(super) compose_program: RefCell<Option<Vec<String>>>,
    /// The function that names resources, if there is one.
    pub(super) naming: RefCell<Option<NamingFunction>>,
    /// Whether that function runs: most built-ins cannot be called then.
    pub(super) naming_runs: Cell<bool>,
    /// The number of this load in its session.
    pub(super) load_number: u64,
    /// Whether the built-in that runs has reused a result.
    pub(super) reused: Cell<bool>,
    /// The calls of built-ins that have ended, if calls are timed.
    pub(super) calls: RefCell<Vec<BuiltinCall>>,
    /// Faults that did not end the load.
    pub(super) faults: RefCell<Vec<Diagnostic>>,
    /// Whether the load ended because it had failed before.
    pub(super) ended: Cell<bool>,
    /// The lines of a traceback that lead to the file which runs.
    pub(super) outer_lines: RefCell<Vec<String>>,
    pub(super) config: RefCell<ConfigState>,
    pub(super) settings: RefCell<Settings>,
    sources: RefCell<HashMap<String, Rc<Source>>>,
    files: RefCell<HashMap<LocalPath, FileState>>,
    directories: RefCell<Vec<LocalPath>>,
    running: RefCell<Vec<LocalPath>>,
}

/// What a file left.
#[derive(Clone)]
pub(super) struct Executed {
    pub(super) module: FrozenModule,
    /// The names that it assigned at its top level.
    pub(super) names: Rc<[String]>,
}

/// What was set for the whole session so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) session: SessionSettings,
    pub(super) update: UpdateSettings,
    pub(super) ci: CiSettings,
}

#[derive(Clone)]
enum FileState {
    Running,
    Done(Outcome<Executed>),
}

impl<'h> Session<'h> {
    pub(super) fn new(
        vocabulary: &'static Vocabulary,
        request: &'h LoadRequest,
        host: &'h dyn Host,
        log: &'h dyn Log,
        cancelled: Arc<AtomicBool>,
    ) -> Self {
        Self {
            vocabulary,
            request,
            host,
            log,
            main: None,
            cancelled,
            declared: RefCell::default(),
            objects: RefCell::default(),
            config_files: RefCell::default(),
            unlisted_files: RefCell::default(),
            warnings: RefCell::default(),
            registered: RefCell::default(),
            executed: RefCell::default(),
            last_loaded: RefCell::default(),
            helm_version: RefCell::default(),
            compose_program: RefCell::default(),
            naming: RefCell::default(),
            naming_runs: Cell::new(false),
            load_number: request.memory.next_load(),
            reused: Cell::default(),
            calls: RefCell::default(),
            faults: RefCell::default(),
            ended: Cell::default(),
            outer_lines: RefCell::default(),
            config: RefCell::default(),
            settings: RefCell::default(),
            sources: RefCell::default(),
            files: RefCell::default(),
            directories: RefCell::default(),
            running: RefCell::default(),
        }
    }

    /// Returns the session of an extension that runs on its own, as a part of this load.
    pub(super) fn of_extension(&self, request: &'h LoadRequest, main: &'h Load) -> Self {
        let session = Self::new(
            self.vocabulary,
            request,
            self.host,
            self.log,
            Arc::clone(&self.cancelled),
        );
        Self {
            main: Some(main),
            load_number: self.load_number,
            ..session
        }
    }

    /// Returns the session that an evaluator works for.
    pub(super) fn of<'a, 'e>(eval: &Evaluator<'_, 'a, 'e>) -> &'a Session<'e> {
        eval.extra
            .and_then(|extra| extra.downcast_ref())
            .expect("every evaluator of a load is given its session")
    }

    /// Returns the directory that relative paths start from: that of the file whose top level runs now.
    pub(super) fn directory(&self) -> LocalPath {
        let current = self.directories.borrow().last().cloned();
        current.unwrap_or_else(|| self.request.file.parent())
    }

    /// Returns the file whose top level runs now.
    pub(super) fn running_file(&self) -> LocalPath {
        let current = self.running.borrow().last().cloned();
        current.unwrap_or_else(|| self.request.file.clone())
    }

    /// Records a file whose change makes another load necessary, unless it is a directory.
    pub(super) fn reads(&self, path: &LocalPath) {
        if !self.host.is_dir(path) {
            self.config_files.borrow_mut().insert(path.clone());
        }
    }

    /// Records a file whose change makes another load necessary, though Tilt does not list it.
    pub(super) fn also_reads(&self, path: &LocalPath) {
        self.unlisted_files.borrow_mut().insert(path.clone());
    }

    /// Records a path whose change, or that of anything below it, makes another load necessary.
    pub(super) fn watches(&self, path: LocalPath) {
        self.config_files.borrow_mut().insert(path);
    }

    /// Writes a warning to the log and keeps it.
    pub(super) fn warn(&self, warning: Diagnostic) {
        self.log.warn(&warning.render());
        self.warnings.borrow_mut().push(warning);
    }

    /// Returns the call that runs now.
    pub(super) fn call_site(&self, eval: &Evaluator<'_, '_, '_>) -> CallSite {
        let location = eval.call_stack_top_location();
        let found = location.and_then(|at| Some(self.source(at.filename())?.call_site(&at)));
        found.unwrap_or_else(|| CallSite::unknown(self.running_file().to_string()))
    }

    pub(super) fn source(&self, file: &str) -> Option<Rc<Source>> {
        self.sources.borrow().get(file).map(Rc::clone)
    }

    /// Returns the only file that defines a function of this name.
    pub(super) fn source_of_function(&self, name: &str) -> Option<Rc<Source>> {
        let sources = self.sources.borrow();
        let mut defining = sources
            .values()
            .filter(|source| source.functions.contains_key(name));
        let (first, second) = (defining.next(), defining.next());
        let only = first.filter(|_| second.is_none()).map(Rc::clone);
        drop(defining);
        only
    }

    /// Runs a file, or returns what it left when it ran before.
    pub(super) fn run(&self, path: &LocalPath) -> Outcome<Executed> {
        let state = self.files.borrow().get(path).cloned();
        match state {
            Some(FileState::Done(result)) => return result,
            Some(FileState::Running) => return Err(Fault::new(format!("Circular load: {path}"))),
            None => {}
        }
        self.files.borrow_mut().insert(path.clone(), FileState::Running);
        self.directories.borrow_mut().push(path.parent());
        self.running.borrow_mut().push(path.clone());
        let result = self.execute(path);
        self.running.borrow_mut().pop();
        self.directories.borrow_mut().pop();
        self.files
            .borrow_mut()
            .insert(path.clone(), FileState::Done(result.clone()));
        result
    }

    fn execute(&self, path: &LocalPath) -> Outcome<Executed> {
        self.reads(path);
        let bytes = self.host.read(path).map_err(|error| {
            Fault::new(format!("error reading file {path}: {}", io_message(path, &error)))
        })?;
        let text = text_of(&bytes);
        self.executed.borrow_mut().push(Arc::from(text.as_str()));
        let file = path.to_string();
        if let Some(why) = too_deep(&text) {
            return Err(Fault::new(format!("{file}: {why}")));
        }
        let (source, parsed) = Source::parse(&file, text);
        let source = Rc::new(source);
        self.sources.borrow_mut().insert(file.clone(), Rc::clone(&source));
        let ast = parsed.map_err(|error| self.static_fault(&error))?;
        if let Some((range, why)) = &source.problem {
            let fault = Fault::new(format!("{}: {why}", source.text.show(range.start)));
            return Err(fault.at(source.text.place(range.clone())));
        }
        guarded(&file, || self.evaluate(path, &source, ast))
    }

    fn evaluate(&self, path: &LocalPath, source: &Source, ast: AstModule) -> Outcome<Executed> {
        let file = path.to_string();
        Module::with_temp_heap(|module| {
            module.set("__file__", module.heap().alloc(file.as_str()));
            module.set("__name__", module.heap().alloc(self.name_of(path).as_str()));
            // A file may use a builtin and then give its name to something else.
            for (name, builtin) in self.vocabulary.globals.iter() {
                if source.assigned.iter().any(|assigned| assigned == name) {
                    module.set(name, builtin.to_value());
                }
            }
            let evaluated = {
                let mut eval = Evaluator::new(&module);
                eval.extra = Some(self);
                // Values live no longer than a load, and collecting them recurses as deep as they are nested.
                eval.disable_gc();
                eval.set_loader(self);
                eval.set_max_callstack_size(MAX_CALL_DEPTH)
                    .map_err(|error| Fault::new(error.to_string()))?;
                let heap = module.heap();
                let is_full = move || heap.allocated_bytes() > MAX_HEAP_BYTES;
                eval.set_check_cancelled(Box::new(move || {
                    self.cancelled.load(Ordering::Relaxed) || is_full()
                }));
                let evaluated = eval.eval_module(ast, &self.vocabulary.globals).map_err(|error| {
                    if is_full() {
                        too_large(&file)
                    } else {
                        self.undefined(&error, source, &module)
                            .unwrap_or_else(|| self.fault(&error))
                    }
                });
                // What ends with `exit()` is frozen like what ends at its end: the naming function is called later.
                match evaluated {
                    Err(fault) if !fault.is_exit() => return Err(fault),
                    ended => ended,
                }
            };
            if is_too_deep(&module) {
                return Err(Fault::new(format!(
                    "{path}: a value holds more than {MAX_NESTING} others within one another"
                )));
            }
            let module = module
                .freeze()
                .map_err(|error| Fault::new(format!("{error:?}")))?;
            self.keep_naming(&module);
            evaluated?;
            Ok(Executed {
                module,
                names: source.assigned.as_slice().into(),
            })
        })
    }

    fn name_of(&self, path: &LocalPath) -> String {
        if *path == self.request.file {
            return "__main__".to_owned();
        }
        let base = path.as_path().file_name().unwrap_or_default();
        base.to_string_lossy().into_owned()
    }

    /// Returns the line of a traceback for a `load` statement of the file that runs.
    fn load_statement(&self, written: &str) -> Vec<String> {
        let source = self.source(&self.running_file().to_string());
        let shown = source.and_then(|source| {
            let at = source.loads.get(written)?;
            Some(format!("  {}: in <toplevel>", source.text.show(*at)))
        });
        shown.into_iter().collect()
    }

    /// Returns the file that a `load` or `include` names.
    pub(super) fn resolve(&self, written: &str) -> Outcome<LocalPath> {
        if let Some(module) = written.strip_prefix(EXTENSION) {
            return self.extension(module);
        }
        Ok(self.directory().join(written))
    }
}

/// The `load` statement calls this when it is reached, not before.
impl FileLoader for Session<'_> {
    fn load(&self, written: &str) -> starlark::Result<FrozenModule> {
        let statement = self.load_statement(written);
        let loaded = self.below(statement, || {
            self.resolve(written).and_then(|path| self.run(&path))
        });
        written.clone_into(&mut self.last_loaded.borrow_mut());
        loaded.map(|executed| executed.module).map_err(|fault| {
            let fault = if fault.has_trace() {
                fault
            } else {
                fault.map_message(|message| format!("cannot load {written}: {message}"))
            };
            fault.into()
        })
    }
}
