//! The function of a Tiltfile that names resources. It is called after the evaluation, when workloads are known.
//!
//! Rule: `docs/rules/tiltfile.md`, "Kubernetes".

use std::sync::atomic::Ordering;

use starlark::environment::{FrozenModule, Module};
use starlark::eval::Evaluator;

use super::call::Arg;
use super::kinds::go_type;
use super::naming_function::NamingFunction;
use super::session::{MAX_CALL_DEPTH, Session};
use super::values::ObjectId;
use crate::diag::Place;
use crate::k8s::Entity;

impl Session<'_> {
    /// Keeps a function; that of an earlier call is forgotten.
    pub(super) fn set_naming<'v>(&self, eval: &Evaluator<'v, '_, '_>, arg: &Arg<'v>, n_parameters: usize) {
        let name = arg.value.function_name().unwrap_or("lambda").to_owned();
        let mut naming = self.naming.borrow_mut();
        let variable = match naming.as_ref() {
            Some(earlier) => format!("{} again", earlier.variable),
            None => "workload to resource".to_owned(),
        };
        // The value lives as long as its module, which is the one that is evaluated now.
        eval.module().set(&variable, arg.value);
        *naming = Some(NamingFunction {
            variable,
            function: None,
            n_parameters,
            place: self.definition(&name).unwrap_or_else(|| arg.place()),
            name,
        });
    }

    /// Takes the function out of its module, if that is this one.
    pub(super) fn keep_naming(&self, module: &FrozenModule) {
        if let Some(naming) = self.naming.borrow_mut().as_mut()
            && let Ok(function) = module.get(&naming.variable)
        {
            naming.function = Some(function);
        }
    }

    /// Returns the name of a workload's resource.
    ///
    /// # Errors
    /// Why the function gave none.
    pub(super) fn resource_name(&self, naming: &NamingFunction, workload: &Entity) -> Result<String, String> {
        let Some(function) = &naming.function else {
            return Err(format!("{} is not known any more", naming.name));
        };
        Module::with_temp_heap(|module| {
            let id = ObjectId::of(workload);
            let heap = module.heap();
            let arguments = match naming.n_parameters {
                4 => id.parts().map(|part| heap.alloc(part)).to_vec(),
                _ => vec![heap.alloc(id)],
            };
            let mut eval = Evaluator::new(&module);
            eval.extra = Some(self);
            eval.set_max_callstack_size(MAX_CALL_DEPTH)
                .map_err(|error| error.to_string())?;
            eval.set_check_cancelled(Box::new(|| self.cancelled.load(Ordering::Relaxed)));
            self.naming_runs.set(true);
            let result = eval.eval_function(heap.access_owned_frozen_value(function), &arguments, &[]);
            self.naming_runs.set(false);
            let value = result.map_err(|error| self.fault(&error).to_string())?;
            match value.unpack_str() {
                Some(name) => Ok(name.to_owned()),
                None => Err(format!(
                    "{}: invalid return value. wanted: string. got: {}",
                    naming.name,
                    go_type(value)
                )),
            }
        })
    }

    /// Returns where a function is defined; `None` when its `def` is not found, as for a `lambda`.
    fn definition(&self, name: &str) -> Option<Place> {
        let source = self.source(&self.running_file().to_string())?;
        let text = &source.text;
        let mut start = 0;
        for line in text.text().split_inclusive('\n') {
            let code = line.trim_start();
            let rest = code.strip_prefix("def ").map(str::trim_start);
            let rest = rest.and_then(|rest| rest.strip_prefix(name));
            if rest.is_some_and(|rest| rest.trim_start().starts_with('(')) {
                let at = start + line.len() - code.len();
                return Some(text.place(at..start + line.trim_end().len()));
            }
            start += line.len();
        }
        None
    }
}
