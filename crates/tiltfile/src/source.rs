//! One Tiltfile's text: parsed, with the way from the evaluator's positions back to what was written.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use starlark::codemap::{FileSpan, Span};
use starlark::syntax::{AstModule, Dialect};
use starlark_syntax::syntax::ast::{
    AssignOp, AssignP, AssignTargetP, AstAssignTarget, AstExpr, AstLiteral, AstParameter, AstStmt, ExprP,
    ForP, ParameterP, StmtP,
};
use starlark_syntax::syntax::module::AstModuleFields;
use starlark_syntax::syntax::uniplate::Visit;

use super::look_ups::rewrite_look_ups;
use super::misfit::{Given, Parameters};
use super::rewrite::{OffsetMap, Rewritten, rewrite};
use super::text::is_operator;
use crate::assembly::{CallShape, CallSite};
use crate::diag::SourceText;

/// The function that stands for the operator `%`.
pub(super) const PERCENT: &str = "__percent__";

/// A text with the places of its calls and operators.
pub(super) struct Source {
    pub(super) text: SourceText,
    map: OffsetMap,
    calls: HashMap<(u32, u32), Arc<CallShape>>,
    operators: HashMap<(u32, u32), usize>,
    /// Where the `load` statements begin, by what they load.
    pub(super) loads: HashMap<String, usize>,
    /// Names that the file assigns at its top level.
    pub(super) assigned: Vec<String>,
    /// Names that it changes there by an operator such as `+=`.
    pub(super) changed: Vec<String>,
    /// The functions that it defines: where, and what they take. `None` for a name that several have.
    pub(super) functions: HashMap<String, Option<(usize, Parameters)>>,
    /// The versions that it asks for, as written in calls of `version_settings`, and where.
    pub(super) constraints: Vec<(String, Range<usize>)>,
    /// Why Go's scanner refuses the text, though the evaluator's does not, and what it refuses.
    pub(super) problem: Option<(Range<usize>, String)>,
}

impl Source {
    /// Parses a text. The source comes back also when the text is no Starlark, to show where.
    pub(super) fn parse(file: &str, text: String) -> (Self, starlark::Result<AstModule>) {
        let (rewritten, parsed) = parse(file, &text);
        let mut source = Self {
            text: SourceText::new(file, text),
            map: rewritten.map,
            calls: HashMap::new(),
            operators: HashMap::new(),
            loads: HashMap::new(),
            assigned: Vec::new(),
            changed: Vec::new(),
            functions: HashMap::new(),
            constraints: Vec::new(),
            problem: rewritten.problem,
        };
        let parsed = parsed.map(|mut ast| {
            let statement = AstModuleFields::statement(&ast);
            source.note_stmt(statement, &rewritten.text);
            note_assigned(statement, &mut source.assigned);
            let replaced = [("%".to_owned(), PERCENT.to_owned())];
            ast.replace_binary_operators(&replaced.into_iter().collect());
            ast
        });
        (source, parsed)
    }

    /// Returns the text that the evaluator sees.
    #[cfg(test)]
    pub(super) fn rewritten(file: &str, text: &str) -> String {
        parse(file, text).0.text
    }

    /// Returns the range that a span covers in what was written.
    pub(super) fn range(&self, span: Span) -> Range<usize> {
        let start = self.map.original(span.begin().get() as usize);
        let end = span.end().get() as usize;
        let end = end.checked_sub(1).map_or(0, |last| self.map.original(last) + 1);
        start..end.max(start)
    }

    /// Returns the offset that a traceback names for a span: that of its operator, dot or parenthesis.
    pub(super) fn operator(&self, span: Span) -> usize {
        let key = key(span);
        match self.calls.get(&key) {
            Some(call) => call.paren,
            None => match self.operators.get(&key) {
                Some(offset) => *offset,
                None => self.range(span).start,
            },
        }
    }

    /// Returns the call that a location names.
    pub(super) fn call_site(&self, location: &FileSpan) -> CallSite {
        let shape = match self.calls.get(&key(location.span)) {
            Some(shape) => Arc::clone(shape),
            None => {
                let whole = self.range(location.span);
                Arc::new(CallShape {
                    paren: whole.start,
                    whole,
                    arguments: Vec::new(),
                })
            }
        };
        CallSite {
            source: self.text.clone(),
            shape,
        }
    }

    /// Returns what the call at a location gives; `None` where that is not known before it runs.
    pub(super) fn given(&self, location: &FileSpan) -> Option<Given> {
        let shape = self.calls.get(&key(location.span))?;
        let mut given = Given::default();
        for (name, range) in &shape.arguments {
            let before = self.text.text().get(..range.start)?;
            match name {
                Some(name) => given.keywords.push(name.clone()),
                None if before.trim_end().ends_with('*') => return None,
                None => given.positional += 1,
            }
        }
        Some(given)
    }

    fn note_function(&mut self, name: &str, at: Span, params: &[AstParameter]) {
        let mut takes = Parameters::default();
        let mut is_keyword_only = false;
        for parameter in params {
            match &parameter.node {
                ParameterP::Normal(name, _, default) => {
                    let known = (name.node.ident.clone(), default.is_some());
                    match is_keyword_only {
                        true => takes.keyword_only.push(known),
                        false => takes.positional.push(known),
                    }
                }
                ParameterP::NoArgs => is_keyword_only = true,
                ParameterP::Args(..) => (is_keyword_only, takes.rest) = (true, true),
                ParameterP::KwArgs(..) => takes.keywords = true,
                ParameterP::Slash => {}
            }
        }
        let at = self.map.original(at.begin().get() as usize);
        let known = self.functions.entry(name.to_owned());
        known
            .and_modify(|known| *known = None)
            .or_insert(Some((at, takes)));
    }

    /// Notes where a traceback puts what goes wrong with the target of an assignment.
    fn note_target(&mut self, stmt: &AstStmt, target: &AstAssignTarget, text: &str) {
        let at = match &target.node {
            AssignTargetP::Index(both) => find(text, both.0.span.end().get() as usize, "["),
            AssignTargetP::Dot(of, _) => find(text, of.span.end().get() as usize, "."),
            AssignTargetP::Tuple(_) => find(text, target.span.end().get() as usize, "="),
            AssignTargetP::Identifier(_) => return,
        };
        let at = self.map.original(at);
        for span in [stmt.span, target.span] {
            self.operators.insert(key(span), at);
        }
    }

    fn note_stmt(&mut self, stmt: &AstStmt, text: &str) {
        match &stmt.node {
            StmtP::Def(def) => self.note_function(&def.name.node.ident, stmt.span, &def.params),
            StmtP::Assign(AssignP { lhs, .. }) => self.note_target(stmt, lhs, text),
            StmtP::AssignModify(target, op, _) => {
                if let AssignTargetP::Identifier(name) = &target.node {
                    self.changed.push(name.node.ident.clone());
                }
                let at = find(text, target.span.end().get() as usize, assign_op(*op));
                self.operators.insert(key(stmt.span), self.map.original(at));
            }
            StmtP::For(ForP { var, over, .. }) => {
                let at = self.map.original(stmt.span.begin().get() as usize);
                for span in [over.span, var.span] {
                    self.operators.entry(key(span)).or_insert(at);
                }
            }
            StmtP::Load(load) => {
                let at = self.map.original(stmt.span.begin().get() as usize);
                self.loads.entry(load.module.node.clone()).or_insert(at);
            }
            _ => {}
        }
        stmt.visit_children(|child| match child {
            Visit::Stmt(stmt) => self.note_stmt(stmt, text),
            Visit::Expr(expr) => self.note_expr(expr, text),
        });
    }

    fn note_expr(&mut self, expr: &AstExpr, text: &str) {
        let after = |inner: &AstExpr, what: &str| find(text, inner.span.end().get() as usize, what);
        let operator = match &expr.node {
            ExprP::Call(callee, args) if matches!(&callee.node, ExprP::Identifier(name) if is_operator(&name.node.ident)) => {
                args.args.first().map(|of| after(of.node.expr(), ","))
            }
            ExprP::Call(callee, args) => {
                if matches!(&callee.node, ExprP::Identifier(name) if name.node.ident == "version_settings") {
                    let wanted = args
                        .args
                        .iter()
                        .find(|argument| argument.node.name() == Some("constraint"));
                    if let Some(ExprP::Literal(AstLiteral::String(text))) =
                        wanted.map(|wanted| &wanted.node.expr().node)
                    {
                        self.constraints.push((text.node.clone(), self.range(text.span)));
                    }
                }
                let arguments = args.args.iter().map(|argument| {
                    let name = argument.node.name().map(str::to_owned);
                    (name, self.range(argument.node.expr().span))
                });
                let shape = CallShape {
                    whole: self.range(expr.span),
                    paren: self.map.original(after(callee, "(")),
                    arguments: arguments.collect(),
                };
                self.calls.insert(key(expr.span), Arc::new(shape));
                None
            }
            ExprP::Op(left, op, _) => {
                let sign = op.to_string();
                Some(after(left, sign.trim().split(' ').next().unwrap_or_default()))
            }
            ExprP::Dot(inner, _) => Some(after(inner, ".")),
            ExprP::Lambda(lambda) => {
                self.note_function("lambda", expr.span, &lambda.params);
                None
            }
            ExprP::Index(both) => Some(after(&both.0, "[")),
            ExprP::Index2(all) => Some(after(&all.0, "[")),
            ExprP::Slice(inner, ..) => Some(after(inner, "[")),
            _ => None,
        };
        if let Some(at) = operator {
            self.operators.insert(key(expr.span), self.map.original(at));
        }
        expr.visit_expr(|child| self.note_expr(child, text));
    }
}

/// Parses a text as the evaluator reads it.
fn parse(file: &str, text: &str) -> (Rewritten, starlark::Result<AstModule>) {
    let written = rewrite(text);
    let parsed = match AstModule::parse(file, written.text.clone(), &dialect()) {
        Ok(parsed) => parsed,
        Err(error) => return (written, Err(error)),
    };
    let Some(again) = rewrite_look_ups(&written.text, AstModuleFields::statement(&parsed)) else {
        return (written, Ok(parsed));
    };
    let parsed = AstModule::parse(file, again.text.clone(), &dialect());
    let again = Rewritten {
        text: again.text,
        map: again.map.after(written.map),
        problem: written.problem,
    };
    (again, parsed)
}

fn dialect() -> Dialect {
    Dialect {
        enable_top_level_stmt: true,
        enable_keyword_only_arguments: true,
        enable_load_reexport: false,
        ..Dialect::Standard
    }
}

fn key(span: Span) -> (u32, u32) {
    (span.begin().get(), span.end().get())
}

fn find(text: &str, from: usize, what: &str) -> usize {
    text.get(from..)
        .and_then(|rest| rest.find(what))
        .map_or(from, |at| from + at)
}

fn assign_op(op: AssignOp) -> &'static str {
    match op {
        AssignOp::Add => "+=",
        AssignOp::Subtract => "-=",
        AssignOp::Multiply => "*=",
        AssignOp::Divide => "/=",
        AssignOp::FloorDivide => "//=",
        AssignOp::Percent => "%=",
        AssignOp::BitAnd => "&=",
        AssignOp::BitOr => "|=",
        AssignOp::BitXor => "^=",
        AssignOp::LeftShift => "<<=",
        AssignOp::RightShift => ">>=",
    }
}

fn note_assigned(stmt: &AstStmt, names: &mut Vec<String>) {
    match &stmt.node {
        StmtP::Assign(AssignP { lhs, .. }) | StmtP::AssignModify(lhs, _, _) => {
            lhs.visit_lvalue(|name| names.push(name.node.ident.clone()));
        }
        StmtP::For(ForP { var, body, .. }) => {
            var.visit_lvalue(|name| names.push(name.node.ident.clone()));
            note_assigned(body, names);
        }
        StmtP::If(_, then) => note_assigned(then, names),
        StmtP::IfElse(_, both) => {
            note_assigned(&both.0, names);
            note_assigned(&both.1, names);
        }
        StmtP::Statements(all) => all.iter().for_each(|stmt| note_assigned(stmt, names)),
        StmtP::Def(def) => names.push(def.name.node.ident.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_operator(text: &str, expression: &str, expected: usize) {
        let (source, parsed) = Source::parse("f", text.to_owned());
        parsed.expect("Starlark");
        let at = Source::rewritten("f", text)
            .find(expression)
            .expect("in the text");
        let span = Span::new(
            starlark::codemap::Pos::new(at as u32),
            starlark::codemap::Pos::new((at + expression.len()) as u32),
        );
        assert_eq!(source.operator(span), expected);
    }

    #[test]
    fn tracebacks_name_parenthesis_operator_dot_and_bracket() {
        check_operator("f (1)\n", "f (1)", 2);
        check_operator("x = (a) + b\n", "a", 5);
        check_operator("x = a not in b\n", "a not in b", 6);
        check_operator("x = a.b\n", "a.b", 5);
        check_operator("x = a[0]\n", "__at__(a,0)", 5);
        check_operator("x = a.find(b)\n", "__method__(a,\"find\")", 5);
        check_operator("x = 1\nx += 'a'\n", "x += 'a'", 8);
    }

    #[test]
    fn a_file_knows_the_names_that_it_assigns() {
        let text = "a = 1\nfor b in []:\n  c = 2\nif a:\n  d, e = 1, 2\ndef f():\n  g = 1\n";
        let (source, _) = Source::parse("f", text.to_owned());
        assert_eq!(source.assigned, ["a", "b", "c", "d", "e", "f"]);
    }
}
