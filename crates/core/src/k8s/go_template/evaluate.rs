//! Fills a template in.

use serde_json::Value;

use super::functions::{call, is_true, text_of};
use super::syntax::{Base, GoTemplate, Node, Operand, Pipeline};

/// How deep templates may call one another.
const DEEPEST: usize = 100;

pub(super) fn print(template: &GoTemplate, object: &Value, strict: bool) -> Result<String, String> {
    let mut run = Run {
        template,
        strict,
        out: String::new(),
        variables: vec![(String::new(), object.clone())],
        depth: 0,
    };
    run.nodes(&template.main, object)?;
    Ok(run.out)
}

struct Run<'a> {
    template: &'a GoTemplate,
    strict: bool,
    out: String,
    variables: Vec<(String, Value)>,
    depth: usize,
}

/// How a run of nodes ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, String> {
        let known = self.variables.len();
        for node in nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                self.variables.truncate(known);
                return Ok(flow);
            }
        }
        self.variables.truncate(known);
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, String> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Print(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.sets.is_empty() {
                    let text = text_of(&value);
                    self.out.push_str(&text);
                }
            }
            Node::If(branches, otherwise) => {
                for (condition, body) in branches {
                    let known = self.variables.len();
                    let holds = is_true(&self.pipeline(condition, dot)?);
                    if holds {
                        let flow = self.nodes(body, dot)?;
                        self.variables.truncate(known);
                        return Ok(flow);
                    }
                }
                return self.nodes(otherwise, dot);
            }
            Node::With(pipeline, body, otherwise) => {
                let known = self.variables.len();
                let value = self.pipeline(pipeline, dot)?;
                let flow = match is_true(&value) {
                    true => self.nodes(body, &value)?,
                    false => self.nodes(otherwise, dot)?,
                };
                self.variables.truncate(known);
                return Ok(flow);
            }
            Node::Range {
                over,
                body,
                otherwise,
            } => return self.range(over, body, otherwise, dot),
            Node::Template(name, data) => {
                let data = match data {
                    Some(pipeline) => self.pipeline(pipeline, dot)?,
                    None => Value::Null,
                };
                let Some(nodes) = self.template.named.get(name) else {
                    return Err(format!("template: output: template {name:?} not defined"));
                };
                if self.depth == DEEPEST {
                    return Err(format!(
                        "template: output: exceeded maximum template depth ({DEEPEST})"
                    ));
                }
                self.depth += 1;
                let outer = std::mem::replace(&mut self.variables, vec![(String::new(), data.clone())]);
                self.nodes(nodes, &data)?;
                self.variables = outer;
                self.depth -= 1;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn range(
        &mut self,
        over: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<Flow, String> {
        let plain = self.commands(&over.commands, dot)?;
        let items: Vec<(Value, Value)> = match plain {
            Value::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| (at.into(), item))
                .collect(),
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.into_iter().collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                fields
                    .into_iter()
                    .map(|(name, value)| (name.into(), value))
                    .collect()
            }
            Value::Null => Vec::new(),
            other => {
                let at = over.commands.first().and_then(|command| command.first());
                return Err(self.fault(at, &format!("range can't iterate over {}", text_of(&other))));
            }
        };
        if items.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, item) in items {
            let known = self.variables.len();
            match over.sets.as_slice() {
                [value] => self.variables.push((value.clone(), item.clone())),
                [of_key, value] => {
                    self.variables.push((of_key.clone(), key));
                    self.variables.push((value.clone(), item.clone()));
                }
                _ => {}
            }
            let flow = self.nodes(body, &item)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, String> {
        let value = self.commands(&pipeline.commands, dot)?;
        for name in &pipeline.sets {
            let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
            match known {
                Some((_, old)) if !pipeline.declares => *old = value.clone(),
                _ => self.variables.push((name.clone(), value.clone())),
            }
        }
        Ok(value)
    }

    fn commands(&mut self, commands: &[Vec<Operand>], dot: &Value) -> Result<Value, String> {
        let mut last: Option<Value> = None;
        for command in commands {
            let Some((first, args)) = command.split_first() else {
                continue;
            };
            last = Some(match &first.base {
                Base::Function(name) => {
                    let mut values = Vec::new();
                    for arg in args {
                        values.push(self.operand(arg, dot)?);
                    }
                    values.extend(last);
                    call(name, &values)
                        .map_err(|why| self.fault(Some(first), &format!("error calling {name}: {why}")))?
                }
                _ if !args.is_empty() || last.is_some() => {
                    return Err(self.fault(Some(first), "can't give argument to non-function"));
                }
                _ => self.operand(first, dot)?,
            });
        }
        Ok(last.unwrap_or_default())
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        let mut value = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Literal(value) => value.clone(),
            Base::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map(|(_, value)| value.clone()).unwrap_or_default()
            }
            Base::Function(name) => call(name, &[]).map_err(|why| self.fault(Some(operand), &why))?,
            Base::Paren(pipeline) => self.commands(&pipeline.commands, dot)?,
        };
        for field in &operand.fields {
            value = match &value {
                Value::Object(fields) => match fields.get(field) {
                    Some(inner) => inner.clone(),
                    None if self.strict => {
                        return Err(self.fault(Some(operand), &format!("map has no entry for key {field:?}")));
                    }
                    None => Value::Null,
                },
                Value::Null if !self.strict => Value::Null,
                _ => {
                    let why = format!("can't evaluate field {field} in type interface {{}}");
                    return Err(self.fault_at(operand, field, &why));
                }
            };
        }
        Ok(value)
    }

    fn fault(&self, at: Option<&Operand>, why: &str) -> String {
        let Some(operand) = at else {
            return format!("template: output: {why}");
        };
        self.fault_of(operand, operand.at, why)
    }

    /// Returns a fault of a field: its place is that of the dot before it.
    fn fault_at(&self, operand: &Operand, field: &str, why: &str) -> String {
        let dot = operand.written.find(&format!(".{field}")).unwrap_or_default();
        self.fault_of(operand, operand.at + dot, why)
    }

    fn fault_of(&self, operand: &Operand, at: usize, why: &str) -> String {
        let before = &self.template.text[..at.min(self.template.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        format!(
            "template: output:{line}:{column}: executing \"output\" at <{}>: {why}",
            operand.written
        )
    }
}
