//! Turns `x[i]`, `x[a:b]` and `x.method` into calls: what they mean for text is decided in `text`.
//!
//! A file is parsed to find them, rewritten by their places, and parsed once more.

use std::collections::HashMap;

use starlark_syntax::syntax::ast::{AstExpr, AstLiteral, AstStmt, ExprP};
use starlark_syntax::syntax::uniplate::Visit;

use super::rewrite::{Rewritten, replace, token_end};
use super::text::{AT, METHOD, SLICE, is_method_name};

/// Returns the text with its look-ups as calls; `None` if it has none.
pub(super) fn rewrite_look_ups(text: &str, statement: &AstStmt) -> Option<Rewritten> {
    let mut finder = Finder {
        text,
        brackets: None,
        edits: Vec::new(),
    };
    finder.statement(statement);
    if finder.edits.is_empty() {
        return None;
    }
    // What begins at the same place was found from the outside in, and keeps that order.
    finder.edits.sort_by_key(|edit| edit.start);
    let edits = finder.edits.into_iter();
    Some(replace(text, edits.map(|edit| (edit.start..edit.end, edit.new))))
}

struct Edit {
    start: usize,
    end: usize,
    new: String,
}

struct Finder<'a> {
    text: &'a str,
    /// Where brackets are opened, by where they are closed; once they are asked for.
    brackets: Option<HashMap<usize, usize>>,
    edits: Vec<Edit>,
}

impl Finder<'_> {
    fn statement(&mut self, statement: &AstStmt) {
        statement.visit_children(|child| match child {
            Visit::Stmt(statement) => self.statement(statement),
            Visit::Expr(expression) => self.expression(expression),
        });
    }

    fn expression(&mut self, expression: &AstExpr) {
        let end = expression.span.end().get() as usize;
        match &expression.node {
            ExprP::Dot(of, name) if is_method_name(&name.node) => {
                self.open(of, METHOD);
                let call = format!(",\"{}\")", name.node);
                self.edit(self.after(of), name.span.end().get() as usize, call);
            }
            // Text is never looked up by text.
            ExprP::Index(both) if !matches!(both.1.node, ExprP::Literal(AstLiteral::String(_))) => {
                self.open(&both.0, AT);
                self.one(self.after(&both.0), ",");
                self.one(end - 1, ")");
            }
            ExprP::Slice(of, start, stop, step) => {
                self.open(of, SLICE);
                let bracket = self.after(of);
                let or_none = |given: bool| if given { "," } else { ",None" };
                self.one(bracket, or_none(start.is_some()));
                let colon = start
                    .as_ref()
                    .map_or_else(|| self.skip(bracket + 1), |start| self.after(start));
                self.one(colon, or_none(stop.is_some()));
                let second = stop
                    .as_ref()
                    .map_or_else(|| self.skip(colon + 1), |stop| self.after(stop));
                if self.text.as_bytes().get(second) == Some(&b':') {
                    self.one(second, or_none(step.is_some()));
                    self.one(end - 1, ")");
                } else {
                    self.one(end - 1, ",None)");
                }
            }
            _ => {}
        }
        expression.visit_expr(|child| self.expression(child));
    }

    fn open(&mut self, of: &AstExpr, function: &str) {
        let start = self.start(of);
        self.edit(start, start, format!("{function}("));
    }

    fn one(&mut self, at: usize, new: &str) {
        self.edit(at, at + 1, new.to_owned());
    }

    fn edit(&mut self, start: usize, end: usize, new: String) {
        self.edits.push(Edit { start, end, new });
    }

    /// Returns where what follows an expression begins, after the parentheses around it.
    fn after(&self, expression: &AstExpr) -> usize {
        self.skip(expression.span.end().get() as usize)
    }

    fn skip(&self, from: usize) -> usize {
        let mut at = from;
        while let Some(byte) = self.text.as_bytes().get(at) {
            match byte {
                b'#' | b'\\' => at = token_end(self.text, at),
                b')' | b',' | b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                _ => break,
            }
        }
        at
    }

    /// Returns where an expression begins, with the parentheses around it: spans are those of what is within.
    fn start(&mut self, expression: &AstExpr) -> usize {
        let end = expression.span.end().get() as usize;
        let last_parenthesis = self.text[end..self.skip(end)].rfind(')');
        if let Some(close) = last_parenthesis
            && let Some(open) = self.opened(end + close)
        {
            return open;
        }
        match &expression.node {
            ExprP::Dot(of, _) | ExprP::Call(of, _) | ExprP::Slice(of, ..) => self.start(of),
            ExprP::Index(both) => self.start(&both.0),
            ExprP::Index2(all) => self.start(&all.0),
            _ => expression.span.begin().get() as usize,
        }
    }

    fn opened(&mut self, close: usize) -> Option<usize> {
        let text = self.text;
        let brackets = self.brackets.get_or_insert_with(|| {
            let (mut open, mut pairs, mut at) = (Vec::new(), HashMap::new(), 0);
            while at < text.len() {
                match text.as_bytes()[at] {
                    b'(' | b'[' | b'{' => open.push(at),
                    b')' | b']' | b'}' => pairs.extend(open.pop().map(|open| (at, open))),
                    _ => {}
                }
                at = token_end(text, at);
            }
            pairs
        });
        brackets.get(&close).copied()
    }
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    #[track_caller]
    fn check(written: &str, expected: &str) {
        let (_, parsed) = Source::parse("f", format!("{written}\n"));
        parsed.expect("Starlark");
        assert_eq!(
            Source::rewritten("f", &format!("{written}\n")).trim_end(),
            expected
        );
    }

    #[test]
    fn indexes_and_slices_become_calls() {
        check("x = a[0]", "x = __at__(a,0)");
        check("x = a[0][i + 1]", "x = __at__(__at__(a,0),i + 1)");
        check("x = a['k'].b[c]", "x = __at__(a['k'].b,c)");
        check("x = (a + (b))[0]", "x = __at__((a + (b)),0)");
        check("x = (a)[1:]", "x = __slice__((a),1,None,None)");
        check(
            "x = a[:-1] + a[::2] + a[b:c:d]",
            "x = __slice__(a,None,-1,None) + __slice__(a,None,None,2) + __slice__(a,b,c,d)",
        );
        check("a[0] = b", "a[0] = b");
        check("a[0] += b[1]", "a[0] += __at__(b,1)");
    }

    #[test]
    fn methods_of_strings_become_calls() {
        check(
            "x = a.strip().find('b')",
            "x = __method__(__method__(a,\"strip\")(),\"find\")('b')",
        );
        check(
            "x = ('a' + b).strip()[0]",
            "x = __at__(__method__(('a' + b),\"strip\")(),0)",
        );
        check(
            "x = (a,)[0].join(c)",
            "x = __method__(__at__((a,),0),\"join\")(c)",
        );
        check("x = a.b(c[1]).get(d)", "x = a.b(__at__(c,1)).get(d)");
        check(
            "x = [y.upper() for y in z if y[0]]",
            "x = [__method__(y,\"upper\")() for y in z if __at__(y,0)]",
        );
        check(
            "f(\n  a # (\n  .strip())",
            "f(\n  __method__(a # (\n  ,\"strip\")())",
        );
    }
}
