//! Follows the steps of a path through an object.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::node::{Found, Node, Slice};

/// A value on the way, and the JSON pointer to it.
#[derive(Clone, Debug)]
struct Spot<'a> {
    value: Cow<'a, Value>,
    pointer: Option<String>,
}

impl<'a> Spot<'a> {
    fn constant(value: &Value) -> Self {
        Self {
            value: Cow::Owned(value.clone()),
            pointer: None,
        }
    }

    /// Returns the values in a map or list, each with its key.
    fn children(&self) -> Vec<Spot<'a>> {
        let Cow::Borrowed(value) = self.value else {
            return Vec::new();
        };
        match value {
            Value::Object(map) => map.iter().map(|(key, value)| self.child(key, value)).collect(),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(at, value)| self.child(&at.to_string(), value))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn child(&self, key: &str, value: &'a Value) -> Spot<'a> {
        let escaped = key.replace('~', "~0").replace('/', "~1");
        Spot {
            value: Cow::Borrowed(value),
            pointer: self
                .pointer
                .as_ref()
                .map(|pointer| format!("{pointer}/{escaped}")),
        }
    }
}

/// Returns what all parts of a path lead to, those of each part together. Where `lenient`, what is not there is left out.
pub(super) fn find(parts: &[Vec<Node>], object: &Value, lenient: bool) -> Result<Vec<Vec<Found>>, String> {
    let root = Spot {
        value: Cow::Borrowed(object),
        pointer: Some(String::new()),
    };
    let mut groups = Vec::new();
    let rest = evaluate_parts(parts, &root, lenient, &mut groups)?;
    if !rest.is_empty() {
        return Err("not in range, nothing to end".to_owned());
    }
    let found = |spot: Spot| Found {
        value: spot.value.into_owned(),
        pointer: spot.pointer,
    };
    Ok(groups
        .into_iter()
        .map(|spots| spots.into_iter().map(found).collect())
        .collect())
}

fn walk_part<'a>(part: &[Node], from: &Spot<'a>, lenient: bool) -> Result<Vec<Spot<'a>>, String> {
    match walk(part, vec![from.clone()]) {
        Err(error) if lenient && error.ends_with("is not found") => Ok(Vec::new()),
        walked => walked,
    }
}

/// Evaluates parts up to an `end` that closes no `range` among them; returns the parts from there.
fn evaluate_parts<'p, 'a>(
    mut parts: &'p [Vec<Node>],
    root: &Spot<'a>,
    lenient: bool,
    out: &mut Vec<Vec<Spot<'a>>>,
) -> Result<&'p [Vec<Node>], String> {
    while let Some((part, after)) = parts.split_first() {
        match part.first() {
            Some(Node::Word(word)) if word == "end" => return Ok(parts),
            Some(Node::Word(word)) if word == "range" => {
                parts = skip_range(after);
                for each in walk_part(&part[1..], root, lenient)? {
                    evaluate_parts(after, &each, lenient, out)?;
                }
            }
            _ => {
                out.push(walk_part(part, root, lenient)?);
                parts = after;
            }
        }
    }
    Ok(parts)
}

/// Returns what follows the `end` of a range.
fn skip_range(parts: &[Vec<Node>]) -> &[Vec<Node>] {
    let mut depth = 1_usize;
    for (at, part) in parts.iter().enumerate() {
        match part.first() {
            Some(Node::Word(word)) if word == "range" => depth += 1,
            Some(Node::Word(word)) if word == "end" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &parts[at + 1..];
        }
    }
    &[]
}

fn walk<'a>(nodes: &[Node], from: Vec<Spot<'a>>) -> Result<Vec<Spot<'a>>, String> {
    nodes.iter().try_fold(from, |spots, node| step(node, spots))
}

fn step<'a>(node: &Node, spots: Vec<Spot<'a>>) -> Result<Vec<Spot<'a>>, String> {
    match node {
        Node::Constant(value) => Ok(vec![Spot::constant(value)]),
        Node::Field(name) => fields(name, &spots),
        Node::Wildcard => Ok(spots.iter().flat_map(Spot::children).collect()),
        Node::Recursive => Ok(spots.iter().flat_map(|spot| descendants(spot, 0)).collect()),
        Node::Slice(slice) => {
            let items = spots.iter().map(|spot| items(*slice, spot));
            Ok(items
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect())
        }
        Node::Union(paths) => {
            let results = paths.iter().map(|path| walk(path, spots.clone()));
            Ok(results
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect())
        }
        Node::Filter { left, compared } => {
            let mut passed = Vec::new();
            for spot in &spots {
                if !spot.value.is_array() {
                    let shown = &spot.value;
                    return Err(format!("{shown} is not array or slice and cannot be filtered"));
                }
                for item in spot.children() {
                    if passes(left, compared.as_ref(), &item)? {
                        passed.push(item);
                    }
                }
            }
            Ok(passed)
        }
        Node::Word(word) => Err(format!("unrecognized identifier {word}")),
    }
}

fn fields<'a>(name: &str, spots: &[Spot<'a>]) -> Result<Vec<Spot<'a>>, String> {
    let found: Vec<Spot<'a>> = spots
        .iter()
        .filter_map(|spot| match spot.value {
            Cow::Borrowed(value) => value.get(name).map(|value| spot.child(name, value)),
            Cow::Owned(_) => None,
        })
        .collect();
    if found.is_empty() && !spots.is_empty() {
        return Err(format!("{name} is not found"));
    }
    Ok(found)
}

/// Returns a value and all that is below it, as far as they hold something.
fn descendants<'a>(spot: &Spot<'a>, depth: usize) -> Vec<Spot<'a>> {
    const DEEPEST: usize = 200;
    let children = spot.children();
    if children.is_empty() || depth > DEEPEST {
        return Vec::new();
    }
    let below = children.iter().flat_map(|child| descendants(child, depth + 1));
    let mut all = vec![spot.clone()];
    all.extend(below);
    all
}

fn items<'a>(slice: Slice, spot: &Spot<'a>) -> Result<Vec<Spot<'a>>, String> {
    let kind = match &*spot.value {
        Value::Array(_) => "",
        Value::Null => return Ok(Vec::new()),
        Value::Object(_) => "map[string]interface {}",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(_) => "int64",
    };
    if !kind.is_empty() {
        return Err(format!("{kind} is not array or slice"));
    }
    let children = spot.children();
    let length = i64::try_from(children.len()).unwrap_or(i64::MAX);
    let from_end = |at: i64| if at < 0 { at + length } else { at };
    let start = from_end(slice.start.unwrap_or(0));
    let end = match slice.end {
        _ if slice.single && slice.start.is_some() => start + 1,
        Some(end) => from_end(end),
        None => length,
    };
    if start == end {
        return Ok(Vec::new());
    }
    let out_of_bounds = |at: i64| Err(format!("array index out of bounds: index {at}, length {length}"));
    if !(0..length).contains(&start) {
        return out_of_bounds(start);
    }
    if !(0..=length).contains(&end) {
        return out_of_bounds(end - 1);
    }
    if start > end {
        return Err(format!(
            "starting index {start} is greater than ending index {end}"
        ));
    }
    let step = slice.step.unwrap_or(1);
    let (Ok(start), Ok(end), Ok(step)) = (
        usize::try_from(start),
        usize::try_from(end),
        usize::try_from(step),
    ) else {
        return Err("step must be > 0".to_owned());
    };
    if step == 0 {
        return Err("step must be > 0".to_owned());
    }
    Ok(children.into_iter().take(end).skip(start).step_by(step).collect())
}

fn passes(left: &[Node], compared: Option<&(String, Vec<Node>)>, item: &Spot<'_>) -> Result<bool, String> {
    let lefts = walk(left, vec![item.clone()]);
    let Some((operator, right)) = compared else {
        return Ok(lefts.is_ok_and(|lefts| !lefts.is_empty()));
    };
    let rights = walk(right, vec![item.clone()])?;
    // Of a list, only the elements that have the key are compared.
    let Ok(lefts) = lefts else {
        return Ok(false);
    };
    match (&lefts[..], &rights[..]) {
        ([], _) | (_, []) => Ok(false),
        ([left], [right]) => compare(&left.value, operator, &right.value),
        _ => Err("can only compare one element at a time".to_owned()),
    }
}

fn compare(left: &Value, operator: &str, right: &Value) -> Result<bool, String> {
    let order = match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    };
    match operator {
        "==" => Ok(order == Some(Ordering::Equal)),
        "!=" => Ok(order != Some(Ordering::Equal)),
        "<" => Ok(order == Some(Ordering::Less)),
        ">" => Ok(order == Some(Ordering::Greater)),
        "<=" => Ok(matches!(order, Some(Ordering::Less | Ordering::Equal))),
        ">=" => Ok(matches!(order, Some(Ordering::Greater | Ordering::Equal))),
        other => Err(format!("unrecognized filter operator {other}")),
    }
}
