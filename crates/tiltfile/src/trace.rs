//! From the evaluator's errors to ours: frames with the columns that Go names, and Go's words.

use std::rc::Rc;

use starlark::codemap::FileSpan;
use starlark::eval::CallStack;
use starlark::{Error, ErrorKind};

use super::fault::Fault;
use super::misfit::misfit;
use super::session::Session;
use super::signature::NO_ARGUMENTS;
use super::source::PERCENT;
use super::surroundings::{Bracket, block, open_bracket};
use super::text::is_operator;
use super::wording::{self, Written};
use crate::diag::Place;

impl Session<'_> {
    /// Turns an error of the evaluator into a fault with the frames of this evaluator.
    pub(super) fn fault(&self, error: &Error) -> Fault {
        let frames = &error.call_stack().frames;
        let raised = own_fault(error.kind());
        if frames.is_empty() && raised.is_none() && is_static(error) {
            return self.static_fault(error);
        }
        let (mut lines, mut inside) = self.lines(error.call_stack());
        let innermost = frames.last().and_then(|frame| frame.location.as_ref());
        let text = error.without_diagnostic().to_string();
        if raised.is_none()
            && inside == "<toplevel>"
            && let Some(fault) = self.read_too_early(&text, error.span())
        {
            return fault;
        }
        // An operator that was turned into a call is shown as the operator; what cannot be called was not entered.
        let at_call = inside == PERCENT
            || is_operator(&inside)
            || text.starts_with("Operation `call()`")
            || text.starts_with(NO_ARGUMENTS);
        let misfit = innermost
            .filter(|at| raised.is_none() && Some(*at) == error.span())
            .and_then(|at| self.misfit(&inside, at, &text));
        if let Some((line, message)) = misfit {
            lines.extend(line);
            let place = innermost.and_then(|span| self.place(span, true));
            return Fault::new(message).traced(lines, None, place);
        }
        let in_builtin = innermost.is_some() && innermost == error.span() && !at_call;
        let at = if at_call { innermost } else { error.span() };
        if !in_builtin
            && !at_call
            && let Some(span) = error.span()
        {
            lines.push(self.line(span, &inside));
        }
        let place = at.and_then(|span| self.place(span, in_builtin));
        let builtin = in_builtin.then(|| std::mem::take(&mut inside));
        let fault = raised.unwrap_or_else(|| wording::runtime(&text, &self.written(at, builtin.clone())));
        fault.traced(lines, builtin, place)
    }

    /// Returns why a call does not fit the function that a file defines, and the line of a traceback for that function.
    fn misfit(&self, function: &str, call: &FileSpan, text: &str) -> Option<(Option<String>, String)> {
        if !["Missing ", "Found ", "Argument `"]
            .iter()
            .any(|start| text.starts_with(start))
        {
            return None;
        }
        let here = self.source(call.filename())?;
        let source = match here.functions.contains_key(function) {
            true => Rc::clone(&here),
            false => self.source_of_function(function)?,
        };
        let (at, parameters) = source.functions.get(function)?.as_ref()?;
        let message = misfit(function, parameters, &here.given(call)?)?;
        let line = format!("  {}: in {function}", source.text.show(*at));
        Some(((function != "lambda").then_some(line), message))
    }

    /// Returns the fault for a name that the top level of a file uses before it has it: then it counts as undefined, which
    /// the original finds before it runs anything.
    fn read_too_early(&self, text: &str, span: Option<&FileSpan>) -> Option<Fault> {
        let (name, span) = (wording::read_too_early(text)?, span?);
        let source = self.source(span.filename())?;
        let range = source.range(span.span);
        if source.changed.iter().any(|changed| changed == name) {
            return None;
        }
        let message = format!("{}: undefined: {name}", source.text.show(range.start));
        let fault = Fault::new(message).at(source.text.place(range));
        Some(fault.hint(format!("{name} gets its value further down: move that up")))
    }

    /// Returns the lines of a stack, outermost first, and the function in which it ends.
    pub(super) fn lines(&self, stack: &CallStack) -> (Vec<String>, String) {
        let mut lines = Vec::new();
        let mut inside = "<toplevel>".to_owned();
        for frame in &stack.frames {
            if let Some(location) = &frame.location {
                lines.push(self.line(location, &inside));
            }
            inside = function_name(&frame.name);
        }
        (lines, inside)
    }

    fn line(&self, span: &FileSpan, inside: &str) -> String {
        let shown = match self.source(span.filename()) {
            Some(source) => source.text.show(source.operator(span.span)),
            None => span.filename().to_owned(),
        };
        format!("  {shown}: in {inside}")
    }

    /// Returns what to mark: the whole expression, or of a call that failed by itself only its name.
    pub(super) fn place(&self, span: &FileSpan, is_call: bool) -> Option<Place> {
        let source = self.source(span.filename())?;
        Some(if is_call {
            source.call_site(span).place()
        } else {
            source.text.place(source.range(span.span))
        })
    }

    fn written(&self, span: Option<&FileSpan>, method: Option<String>) -> Written {
        let module = self.last_loaded.borrow().clone();
        let Some((source, span)) = span.and_then(|span| Some((self.source(span.filename())?, span.span)))
        else {
            return Written::default();
        };
        let text = source.text.text();
        Written {
            from_operator: text
                .get(source.operator(span)..)
                .unwrap_or_default()
                .chars()
                .take(8)
                .collect(),
            module,
            method,
            assigned: source.assigned.clone(),
        }
    }

    /// A fault found before the file ran has no traceback, but its place at the front.
    pub(super) fn static_fault(&self, error: &Error) -> Fault {
        let text = error.without_diagnostic().to_string();
        let Some((source, span)) = error
            .span()
            .and_then(|span| Some((self.source(span.filename())?, span)))
        else {
            return Fault::new(text);
        };
        let range = source.range(span.span);
        let is_syntax = matches!(error.kind(), ErrorKind::Parser(_));
        let written = source.text.text().get(range.clone()).unwrap_or_default();
        let whole = source.text.text();
        if is_annotation(error)
            && let Some((message, at)) = annotation(whole, range.start)
        {
            let message = format!("{}: {message}", source.text.show(at));
            let fault = Fault::new(message).at(source.text.place(range));
            return fault.hint("types are not part of the language; say them in a comment or a docstring");
        }
        let bracket = open_bracket(whole, range.start);
        let is_end = whole.get(range.start..).is_none_or(|rest| rest.trim().is_empty());
        let fault = wording::before_running(&text, written, &source.assigned, &self.vocabulary.builtins)
            .map_message(|message| {
                let end = match bracket {
                    Some(Bracket::Arguments) => "','",
                    Some(_) => "']'",
                    None => "newline",
                };
                let message = message
                    .replace("$block", block(whole, range.start))
                    .replace("$end", end);
                match bracket {
                    // Go's parser looks for the end of arguments only at the end of the file.
                    Some(_) if is_end => message.replace("got newline", "got end of file"),
                    Some(Bracket::Arguments) => message.replace("want ')'", "want ','"),
                    _ => message,
                }
            });
        let is_at_start = fault_is_at_start(&fault.to_string());
        let mut at = if is_syntax && !is_at_start {
            range.end
        } else {
            range.start
        };
        if fault.to_string().starts_with(wording::NO_ELSE) {
            at = whole
                .get(..range.start)
                .and_then(|before| before.rfind("if "))
                .unwrap_or(at);
        }
        fault
            .map_message(|message| format!("{}: {message}", source.text.show(at)))
            .at(source.text.place(range))
    }
}

/// Returns the fault that a builtin of ours raised.
fn own_fault(kind: &ErrorKind) -> Option<Fault> {
    match kind {
        ErrorKind::Native(error) | ErrorKind::Other(error) => error.downcast_ref::<Fault>().cloned(),
        _ => None,
    }
}

/// Returns whether Go's parser names the beginning of what is wrong: it does where it wants an expression, and of whole
/// statements, parameters and arguments; else it names the end of the token that it did not expect.
fn fault_is_at_start(message: &str) -> bool {
    const STARTS: [&str; 14] = [
        "*args may not",
        "bare *",
        "break not",
        "can't assign",
        "continue not",
        "duplicate parameter",
        "invalid int",
        "keyword argument",
        "load statement within",
        "multiple *",
        "positional argument",
        "required parameter",
        "return statement",
        "unexpected",
    ];
    let first = message.lines().next().unwrap_or_default();
    let wants_expression = first.ends_with("want primary expression") && !first.starts_with("got indent");
    wants_expression || STARTS.iter().any(|start| first.starts_with(start))
}

fn is_static(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Parser(_) | ErrorKind::Scope(_)) || is_annotation(error)
}

/// Returns whether somebody wrote a type where none can be written. The evaluator does not count that among what its parser says.
fn is_annotation(error: &Error) -> bool {
    error
        .without_diagnostic()
        .to_string()
        .contains("type annotations are not allowed")
}

/// Returns what Go's parser says of a type that begins at `start`, and where it says so: it knows no types.
fn annotation(whole: &str, start: usize) -> Option<(&'static str, usize)> {
    let before = whole.get(..start)?.trim_end();
    if let Some(before) = before.strip_suffix("->") {
        return Some(("got '-', want ':'", before.len() + 1));
    }
    let colon = before.strip_suffix(':')?.len();
    Some(match open_bracket(whole, colon) {
        Some(_) => ("got ':', want ')'", colon + 1),
        None => ("got ':', want newline", colon + 1),
    })
}

/// Returns a function's name without its type or module, as Go prints it.
fn function_name(name: &str) -> String {
    match name {
        "<lambda>" => "lambda".to_owned(),
        _ => name.to_owned(),
    }
}
