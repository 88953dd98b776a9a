//! Common errors in Go's words: people search for those.

use std::sync::LazyLock;

use regex::Regex;

use super::fault::Fault;
use super::native;
use crate::diag::nearest;
use crate::model::{COMPATIBLE_VERSION, write_quoted};

/// What the evaluator says, and what Go says. `$op` stands for the operator as written, `$module` for the path in the
/// `load` statement.
const TABLE: &[(&str, &str)] = &[
    (
        r"^Operation `(?:compare|cmp\(\)|<>)` not supported for types `(\S+)` and `(\S+)`",
        "$1 $$op $2 not implemented",
    ),
    (
        r"^Operation `\[\]` not supported for types `(\S+)` and `(\S+)`",
        "unhandled index operation $1[$2]",
    ),
    (
        r"^Type of parameters mismatch, expected `int`, actual `(\S+)",
        "string index: got $1, want int",
    ),
    (r"^Expected `int`, but got `(\S+)", "list index: got $1, want int"),
    (
        r"^Operation `(\S+)` not supported for types `(\S+)` and `(\S+)`",
        "unknown binary op: $2 $1 $3",
    ),
    (
        r"^Operation `\(iter\)` not supported on type `(\S+)`",
        "$1 value is not iterable",
    ),
    (
        r"^Operation `call\(\)` not supported on type `(\S+)`",
        "invalid call of non-function ($1)",
    ),
    (
        r"^Operation `\[\]` not supported on type `(\S+)`",
        "unhandled index operation $1",
    ),
    (
        r"^Operation `(\S)` not supported on type `(\S+)`",
        "unknown unary op: $1 $2",
    ),
    (r"^Index `(.+)` is out of bound$", "index $1 out of range"),
    (r"^Key `(.+)` was not found$", "key $1 not in dict"),
    (r"^Dictionary key repeated for `(.+)`$", "duplicate key: $1"),
    (r"^Value of type `(\S+)` is not hashable$", "unhashable type: $1"),
    (
        r"^Object of type `(\S+)` has no attribute `(\S+)`, did you mean `(\S+)`\?$",
        "$1 has no .$2 field or method (did you mean .$3?)",
    ),
    (
        r"^Object of type `(\S+)` has no attribute `(\S+)`$",
        "$1 has no .$2 field or method",
    ),
    (
        r"^Local variable `(\S+)` referenced before assignment$",
        "local variable $1 referenced before assignment",
    ),
    (
        r"^Missing (?:positional |named-only |)parameter `(\S+)` for call to `?(?:[^`]*\.)?([^`.]+)`?$",
        "function $2 missing 1 argument ($1)",
    ),
    (
        r"^Found (\d+) extra positional argument\(s\) for call to `?(?:[^`]*\.)?([^`.]+)`?$",
        "function $2 accepts fewer positional arguments ($1 too many)",
    ),
    (
        r"^Found `(\S+)` extra named parameter\(s\) for call to `?(?:[^`]*\.)?([^`.]+)`?$",
        "function $2 got an unexpected keyword argument \"$1\"",
    ),
    (
        r"^Argument `(\S+)` occurs more than once$",
        "got multiple values for keyword argument \"$1\"",
    ),
    (
        r"^Cannot import private symbol `(\S+)`$",
        "load: names with leading underscores are not exported: $1",
    ),
    (
        r"^Module has no symbol `(\S+)`, did you mean `(\S+)`\?$",
        "load: name $1 not found in module $$module (did you mean $2?)",
    ),
    (
        r"^Module has no symbol `(\S+)`$",
        "load: name $1 not found in module $$module",
    ),
    (r"^Cannot divide by zero$", "$$division by zero"),
    (
        r"^Type of parameters mismatch, expected `str`, actual `(\S+)",
        "'in <string>' requires string as left operand, not $1",
    ),
    (r"^Negative (?:left|right) shift$", "negative shift count"),
    (r"^Floor division by zero: .*$", "floored division by zero"),
    (r"^Modulo by zero: .*$", "integer modulo by zero"),
    (r"^float division by zero: .*$", "floating-point division by zero"),
    (
        r"^Unpacked (\d+) values but expected (\d+)$",
        "$$many values to unpack (got $1, want $2)",
    ),
    (
        r"^Operation `\.(\S+)=` not supported on type `(\S+)`",
        "can't assign to .$1 field of $2",
    ),
    (
        r"^Operation `\.(\S+)` not supported on type `(\S+)`",
        "$2 has no .$1 field or method",
    ),
    (
        r"^Operation `len\(\)` not supported on type `(\S+)`",
        "got $1 in sequence assignment",
    ),
    (
        r"^Integer value is too big to fit in i32: (.+)$",
        "excessive repeat, or a number out of range: $1",
    ),
    (r"^Substring '.*' not found in '.*'$", "substring not found"),
    (r"^Element '.*' not found in list '.*'$", "element not found"),
    (r"^Key `(.+)` not found in dictionary `.*`$", "missing key: $1"),
    (
        r"^Starlark call stack overflow$",
        "functions call each other without end: more than 10000 calls are nested",
    ),
    (r"^Evaluation cancelled$", "the load was canceled"),
    (
        r"^The argument provided for \*args is not iterable$",
        "argument after * must be iterable",
    ),
    (
        r"^The argument provided for \*\*kwargs is not a dictionary$",
        "argument after ** must be a mapping",
    ),
    (
        r"^The argument provided for \*args is not an identifier$",
        "keywords must be strings",
    ),
];

/// What a parser says, and what Go's says.
const SYNTAX: &[(&str, &str)] = &[
    (
        r"comparisons are not associative in Starlark",
        "comparisons do not associate with one another (use parens)",
    ),
    (
        r"unexpected new indentation block",
        "got indent, want primary expression",
    ),
    (r"unfinished string literal", "$$unfinished"),
    (
        r"^Parse error: incorrect indentation",
        "unindent does not match any outer indentation level",
    ),
    (
        r"cannot have leading 0, got `0([0-7]+)`",
        "obsolete form of octal literal; use 0o$1",
    ),
    (r"cannot have leading 0", "invalid int literal"),
    (
        r"Args parameter after another args or kwargs",
        "multiple * parameters not allowed",
    ),
    (
        r"Args array after another args or kwargs",
        "multiple *args not allowed",
    ),
    (
        r"left-hand-side of assignment must take the form",
        "can't assign to $$kind",
    ),
    (
        r"named argument after \*args or \*\*kwargs",
        "keyword argument may not follow *args or **kwargs",
    ),
    (
        r"positional argument after non positional",
        "positional argument may not follow named",
    ),
    (
        r"repeated named argument",
        "keyword argument \"$$written\" is repeated",
    ),
    (r"duplicated parameter name", "duplicate parameter: $$written"),
    (
        r"positional parameter after non positional",
        "required parameter may not follow optional",
    ),
    (
        r"`load` statement requires at least two arguments",
        "load statement must import at least 1 symbol",
    ),
    (
        r"`(break|continue)` cannot be used outside of a `for` loop",
        "$1 not in a loop",
    ),
    (
        r"`return` cannot be used outside of a `def` function",
        "return statement not within a function",
    ),
    (
        r"`load` must only occur at the top of a module",
        "load statement within a $$block",
    ),
    (r"enable f-strings", "got string literal, want $$end"),
    (
        r"^Parse error: unexpected end of file, expected (.+)$",
        "got end of file, want $1",
    ),
    (
        r"^Parse error: unexpected identifier \S+, expected (.+)$",
        "got identifier, want $1",
    ),
    (
        r"^(?:Parse error: )?unexpected integer literal .*, expected (.+)$",
        "got int literal, want $1",
    ),
    (
        r"^(?:Parse error: )?unexpected float literal .*, expected (.+)$",
        "got float literal, want $1",
    ),
    (
        r"^Parse error: unexpected string literal .*, expected (.+)$",
        "got string literal, want $1",
    ),
    (
        r"^Parse error: unexpected new line, expected (.+)$",
        "got newline, want $1",
    ),
    (
        r"^Parse error: unexpected keyword '(\S+)', expected (.+)$",
        "got $1, want $2",
    ),
    (
        r"^Parse error: unexpected (?:keyword|symbol) (\S+), expected (.+)$",
        "got $1, want $2",
    ),
    (
        r"^Parse error: cannot use reserved keyword `(\S+)`$",
        "got illegal token, want primary expression",
    ),
    (r"^Parse error: (.+)$", "$1"),
];

/// What surrounds an error of the running file.
#[derive(Default)]
pub(super) struct Written {
    /// The text from its operator on.
    pub(super) from_operator: String,
    /// The path in the `load` statement that ran last.
    pub(super) module: String,
    /// The built-in method that failed, if one did.
    pub(super) method: Option<String>,
    /// Names that the file assigns at its top level.
    pub(super) assigned: Vec<String>,
}

/// Returns an error of the running file in Go's words.
pub(super) fn runtime(text: &str, written: &Written) -> Fault {
    if let Some(name) = read_too_early(text).filter(|name| written.assigned.iter().any(|known| known == name))
    {
        return Fault::new(format!("global variable {name} referenced before assignment"));
    }
    if text.starts_with("This operation mutates an iterable") {
        return Fault::new(iterated(written.method.as_deref())).hint("go through a copy: for x in list(...)");
    }
    if text == "Immutable" {
        return Fault::new(frozen(written.method.as_deref()));
    }
    if let Some(message) = no_field(text) {
        return Fault::new(message);
    }
    if let Some(message) = written
        .method
        .as_deref()
        .and_then(|method| native::said(text, method))
    {
        return Fault::new(message);
    }
    let operator = operator(&written.from_operator);
    let message = reword(text, &RUNTIME)
        .replace("$op", operator)
        .replace("$many", too_many_or_few(text))
        .replace(
            "$division",
            if written.from_operator.starts_with("//") {
                "floored division"
            } else {
                "division"
            },
        )
        .replace("$module", &written.module);
    let fault = Fault::new(message);
    if text.starts_with("Starlark call stack overflow") {
        return fault.hint("a function that calls itself must stop at some point");
    }
    fault
}

/// Returns what is wrong with what a call gives by `*` or `**` in Go's words.
pub(super) fn of_arguments(text: &str) -> String {
    reword(text, &RUNTIME)
}

/// Returns an error found before the file runs in Go's words. `written` is what is wrong, `assigned` the file's names,
/// `builtins` those that it did not define.
pub(super) fn before_running(text: &str, written: &str, assigned: &[String], builtins: &[&str]) -> Fault {
    if text.starts_with("Variable") && text.contains("not found") {
        return undefined(written, assigned, builtins);
    }
    if let Some(input) = text
        .split_once("invalid input `")
        .and_then(|(_, rest)| rest.strip_suffix('`'))
    {
        return unexpected_character(input);
    }
    let message = reword(text, &PARSER)
        .replace("symbol '", "'")
        .replace("want expression", "want primary expression")
        .replace("want new line", "want newline")
        .replace("want new indentation block", "want indent")
        .replace("want keyword 'in'", "want in")
        .replace("want 'in' after 'not'", "want in")
        .replace("$unfinished", unfinished(written))
        .replace("$kind", kind(written))
        .replace("$written", written);
    let fault = Fault::new(if message.ends_with("want keyword 'else'") {
        NO_ELSE.to_owned()
    } else if message.ends_with(", want identifier") {
        "not an identifier".to_owned()
    } else {
        message
    });
    if text.contains("reserved keyword") {
        return fault.hint(format!(
            "`{written}` is a word that the language keeps for itself"
        ));
    }
    match text.contains("enable f-strings") {
        true => fault.hint("f-strings are not part of the language; use .format()"),
        false => fault,
    }
}

/// An `if` within an expression lacks its `else`.
pub(super) const NO_ELSE: &str = "conditional expression without else clause";

fn unfinished(written: &str) -> &'static str {
    let quotes = written.trim_start_matches(['r', 'b']);
    match quotes.starts_with("\"\"\"") || quotes.starts_with("'''") {
        true => "unexpected EOF in string",
        false => "unexpected newline in string",
    }
}

/// Returns the name of an expression's kind in Go's parser.
fn kind(written: &str) -> &'static str {
    let written = written.trim();
    match written.chars().next() {
        _ if written.starts_with("lambda") => "lambdaexpr",
        Some(c) if c.is_ascii_digit() || c == '"' || c == '\'' => "literal",
        Some('-' | '+' | '~') => "unaryexpr",
        Some('{') => "dictexpr",
        _ if written.ends_with(')') => "callexpr",
        _ => "binaryexpr",
    }
}

/// Says which of the two it is where a number of values does not fit.
fn too_many_or_few(text: &str) -> &'static str {
    let mut numbers = text
        .split_whitespace()
        .filter_map(|word| word.parse::<u64>().ok());
    match numbers.next() > numbers.next() {
        true => "too many",
        false => "too few",
    }
}

/// What cannot be seen is named by its number.
fn unexpected_character(input: &str) -> Fault {
    let mut quoted = String::new();
    write_quoted(&input.chars().take(1).collect::<String>(), &mut quoted);
    let inner = quoted.trim_matches('"').replace("\\\\", "\\");
    let fault = Fault::new(format!("unexpected input character '{inner}'"));
    match input.chars().next() {
        Some('\u{feff}') => fault.hint("this is a byte order mark: save the file as UTF-8 without one"),
        Some(c) if c.is_whitespace() || c.is_control() => fault.hint(format!(
            "U+{:04X} is no blank here: write an ordinary one in its place",
            c as u32
        )),
        _ => fault,
    }
}

static RUNTIME: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| compile(TABLE));
static PARSER: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| compile(SYNTAX));

fn compile(table: &[(&str, &'static str)]) -> Vec<(Regex, &'static str)> {
    table
        .iter()
        .filter_map(|(pattern, words)| Some((Regex::new(pattern).ok()?, *words)))
        .collect()
}

fn reword(text: &str, table: &[(Regex, &str)]) -> String {
    match table
        .iter()
        .find_map(|(pattern, words)| Some((pattern.captures(text)?, words)))
    {
        Some((captures, words)) => {
            let mut out = String::new();
            captures.expand(words, &mut out);
            out
        }
        None => text.to_owned(),
    }
}

/// Returns the name of a variable that was used before it had a value, if that is the error.
pub(super) fn read_too_early(text: &str) -> Option<&str> {
    text.strip_prefix("Local variable `")?
        .strip_suffix("` referenced before assignment")
}

fn operator(from: &str) -> &str {
    let end = from.find(|c: char| !"<>=!".contains(c)).unwrap_or(from.len());
    &from[..end]
}

/// Says that a struct has no such field, with the nearest one that it has.
fn no_field(text: &str) -> Option<String> {
    let mut names = text
        .strip_prefix("Object of type `struct` has no attribute `")?
        .split('`');
    let (name, near) = (names.next()?, names.nth(1));
    let near = near.and_then(|near| nearest(name, [near]));
    let hint = near.map(|near| format!(" (did you mean .{near}?)"));
    Some(format!(
        "struct has no .{name} attribute{}",
        hint.unwrap_or_default()
    ))
}

fn iterated(method: Option<&str>) -> String {
    let verb = match method {
        Some("append") => "append to",
        Some("extend") => "extend",
        Some("insert") => "insert into",
        Some("remove") => "remove from",
        Some("clear" | "pop" | "popitem" | "discard") => {
            return format!(
                "{}: cannot delete from a list, dict or set during iteration",
                method.unwrap_or_default()
            );
        }
        Some(method) => return format!("{method}: cannot insert into hash table during iteration"),
        None => {
            return "cannot insert into hash table, nor assign to element of list, during iteration"
                .to_owned();
        }
    };
    format!(
        "{}: cannot {verb} list during iteration",
        method.unwrap_or_default()
    )
}

fn frozen(method: Option<&str>) -> String {
    match method {
        Some(method @ "append") => format!("{method}: cannot append to frozen list"),
        Some(method @ "extend") => format!("{method}: cannot extend frozen list"),
        Some(method @ "insert") => format!("{method}: cannot insert into frozen list"),
        Some(method @ "remove") => format!("{method}: cannot remove from frozen list"),
        Some(method @ ("update" | "setdefault")) => format!("{method}: cannot insert into frozen hash table"),
        Some(method @ ("clear" | "pop" | "popitem")) => {
            format!("{method}: cannot delete from frozen hash table or list")
        }
        _ => "cannot insert into frozen hash table, nor assign to element of frozen list".to_owned(),
    }
}

/// The version that a file asks for is another one.
pub(super) fn unmet_version(written: &str) -> Fault {
    Fault::new(format!(
        "you are running Tilt version {COMPATIBLE_VERSION}, which doesn't match the version constraint specified in your \
         Tiltfile: '{written}'"
    ))
}

/// As in Tilt only the file's own names are suggested in the message; a built-in may be meant too, which a hint says.
pub(super) fn undefined(name: &str, assigned: &[String], builtins: &[&str]) -> Fault {
    let own = nearest(name, assigned.iter().map(String::as_str));
    let suffix = own.map(|near| format!(" (did you mean {near}?)"));
    let fault = Fault::new(format!("undefined: {name}{}", suffix.unwrap_or_default()));
    if own.is_some() {
        return fault;
    }
    match nearest(name, builtins.iter().copied()) {
        Some(near) => fault.hint(format!("did you mean the built-in {near}?")),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!((RUNTIME.len(), PARSER.len()), (TABLE.len(), SYNTAX.len()));
    }

    #[test]
    fn a_comparison_is_named_by_its_operator() {
        let written = Written {
            from_operator: "<= 2".to_owned(),
            ..Written::default()
        };
        let fault = runtime(
            "Operation `compare` not supported for types `string` and `int`",
            &written,
        );
        assert_eq!(fault.to_string(), "string <= int not implemented");
    }
}
