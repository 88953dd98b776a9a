//! What compose complains about, and where that is written.
//!
//! Compose seldom says a line. Its messages name keys (`services.web.ports`), services, files or values; these are looked
//! for in the files of the project, and the first that is found is marked.

use std::sync::LazyLock;

use regex::Regex;

use super::files::ProjectFiles;
use crate::diag::{Diagnostic, Place, SourceText, nearest};
use crate::fault::Fault;
use crate::host::Ran;
use crate::k8s::field_place;
use crate::model::{Command, compose_was_killed, write_quoted};

/// What a service can have, for finding the one that was meant.
const SERVICE_KEYS: &[&str] = &[
    "annotations",
    "attach",
    "blkio_config",
    "build",
    "cap_add",
    "cap_drop",
    "cgroup",
    "command",
    "configs",
    "container_name",
    "cpus",
    "credential_spec",
    "depends_on",
    "deploy",
    "develop",
    "devices",
    "dns",
    "dns_search",
    "domainname",
    "entrypoint",
    "env_file",
    "environment",
    "expose",
    "extends",
    "external_links",
    "extra_hosts",
    "group_add",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "ipc",
    "isolation",
    "label_file",
    "labels",
    "links",
    "logging",
    "mac_address",
    "mem_limit",
    "mem_reservation",
    "network_mode",
    "networks",
    "pid",
    "platform",
    "ports",
    "post_start",
    "pre_stop",
    "privileged",
    "profiles",
    "pull_policy",
    "read_only",
    "restart",
    "runtime",
    "scale",
    "secrets",
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "user",
    "userns_mode",
    "volumes",
    "volumes_from",
    "working_dir",
];

/// Returns the fault of a project that compose could not read. `command` is what a user can try.
pub(super) fn of(files: &ProjectFiles, command: &Command, ran: &Ran) -> Fault {
    let stderr = String::from_utf8_lossy(&ran.stderr);
    let message = complaint(&stderr);
    let fault = Fault::new(format!(
        "command {} failed.\nerror: {}\nstdout: \"\"\nstderr: '{}'",
        quoted(&command.argv),
        ran.failure.as_deref().unwrap_or_default(),
        message
    ));
    let fault = match place(files, &message) {
        Some(place) => fault.at(place),
        None => fault,
    };
    let program = command.argv.first().map_or("", String::as_str);
    match hint(files, &message) {
        Some(hint) => fault.hint(hint),
        None if compose_was_killed(program, ran.code) => {
            fault.hint("somebody else ended it: was there too little memory?")
        }
        None => fault,
    }
}

/// Returns what compose warns of.
pub(super) fn warnings(files: &ProjectFiles, ran: &Ran) -> Vec<Diagnostic> {
    let stderr = String::from_utf8_lossy(&ran.stderr);
    let mut warnings: Vec<Diagnostic> = Vec::new();
    for text in stderr.lines().filter_map(warning) {
        if text.contains("is obsolete") || warnings.iter().any(|known| known.message == text) {
            continue;
        }
        let variable = text
            .strip_prefix("The \"")
            .and_then(|rest| rest.split('"').next());
        let place = variable.and_then(|name| {
            let spellings = [format!("${{{name}"), format!("${name}")];
            spellings.iter().find_map(|text| literal(files, text))
        });
        let warning = Diagnostic::warning(text);
        warnings.push(match place {
            Some(place) => warning
                .at(place)
                .hint("write ${NAME:-default} where it may be missing"),
            None => warning,
        });
    }
    warnings
}

/// As Go prints a list of texts.
fn quoted(argv: &[String]) -> String {
    let words = argv.iter().map(|word| {
        let mut shown = String::new();
        write_quoted(word, &mut shown);
        shown
    });
    format!("[{}]", words.collect::<Vec<_>>().join(" "))
}

/// Returns the text of a line of compose's log that warns.
fn warning(line: &str) -> Option<String> {
    let (_, text) = line.split_once(" level=warning msg=")?;
    serde_json::from_str(text).ok()
}

/// Returns what was printed, without warnings.
fn complaint(stderr: &str) -> String {
    let lines = stderr.lines().filter(|line| warning(line).is_none());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn place(files: &ProjectFiles, message: &str) -> Option<Place> {
    line_of_file(files, message)
        .or_else(|| key_of_file(files, message))
        .or_else(|| key(files, message))
        .or_else(|| service(files, message))
        .or_else(|| named(files, message))
}

/// `/src/compose.yml: yaml: line 3: ...`
fn line_of_file(files: &ProjectFiles, message: &str) -> Option<Place> {
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(/[^:\n]+): (?:yaml: )?(?:construct errors:\s*)?line (\d+)").expect("it is valid")
    });
    let found = LINE.captures(message)?;
    let line = found[2].parse().ok()?;
    let text = files.text(&found[1])?;
    let source = SourceText::new(&found[1], text);
    let source_line = source.line(line).to_owned();
    let start = source_line
        .chars()
        .take_while(|letter| letter.is_whitespace())
        .count();
    Some(Place {
        file: found[1].to_owned(),
        line,
        column: start + 1,
        width: source_line.trim().chars().count(),
        source_line,
    })
}

/// `validating /src/compose.yml: services.web additional properties 'imag' not allowed`
fn key_of_file(files: &ProjectFiles, message: &str) -> Option<Place> {
    let (file, rest) = message.split("validating ").nth(1)?.split_once(": ")?;
    let text = files.text(file)?;
    let mut path = rest.split_whitespace().next()?.to_owned();
    if let Some(unknown) = unknown_key(rest) {
        path = format!("{path}[{unknown}]");
    }
    field(file, text, &path)
}

fn unknown_key(message: &str) -> Option<&str> {
    message
        .split("additional properties '")
        .nth(1)?
        .split('\'')
        .next()
}

/// `error while interpolating services.web.image: ...`, `'services[web].mem_limit' invalid size`
fn key(files: &ProjectFiles, message: &str) -> Option<Place> {
    static PATH: LazyLock<Regex> = LazyLock::new(|| {
        let path = r"\b((?:services|networks|volumes|configs|secrets|include)(?:\.[\w-]+|\[[^\]\s]+\])+)";
        Regex::new(path).expect("it is valid")
    });
    let path = &PATH.captures(message)?[1];
    let last = path.rsplit(['.', '[']).next()?.trim_end_matches(']');
    let mut places = files
        .texts()
        .iter()
        .rev()
        .filter_map(|(file, text)| field(&file.to_string(), text, path));
    let first = places.next()?;
    let is_whole = |place: &Place| place.source_line.contains(last);
    if is_whole(&first) {
        return Some(first);
    }
    Some(places.find(is_whole).unwrap_or(first))
}

/// `service "web" depends on undefined service "db"`, `service "web" refers to undefined network n`, `cycle: a -> b -> a`
fn service(files: &ProjectFiles, message: &str) -> Option<Place> {
    static SERVICE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"service "([^"]+)"|cycle detected: (\S+) ->"#).expect("it is valid"));
    static MISSING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"undefined (\w+) "?([\w.-]+)|service "[^"]+" .*(service) "([^"]+)""#)
            .expect("it is valid")
    });
    let found = SERVICE.captures(message)?;
    let name = found.get(1).or_else(|| found.get(2))?.as_str();
    let (file, text, place) = files.texts().iter().rev().find_map(|(file, text)| {
        let place = field(&file.to_string(), text, &format!("services[{name}]"))?;
        place.source_line.contains(name).then_some((file, text, place))
    })?;
    let within = |key: &str| field(&file.to_string(), text, &format!("services[{name}].{key}"));
    if let Some(missing) = MISSING.captures(message) {
        let part = |one: usize, other: usize| {
            missing
                .get(one)
                .or_else(|| missing.get(other))
                .map(|part| part.as_str())
        };
        let key = match part(1, 3)? {
            "service" if message.contains("extend") => "extends".to_owned(),
            "service" => "depends_on".to_owned(),
            kind => format!("{kind}s"),
        };
        let from = within(&key).map_or(place.line, |place| place.line);
        let literal = literal_from(&file.to_string(), text, from, part(2, 4)?);
        return Some(literal.unwrap_or(place));
    }
    Some(found.get(2).and_then(|_| within("depends_on")).unwrap_or(place))
}

/// A file that is not there, an anchor, a value.
fn named(files: &ProjectFiles, message: &str) -> Option<Place> {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:open|env file|stat) (/[^:\n]+?)(?::| not found)|unknown anchor '([^']+)'|: (\S{2,})$")
            .expect("it is valid")
    });
    let found = NAMED.captures(message)?;
    if let Some(path) = found.get(1) {
        let path = path.as_str();
        return literal(files, path.rsplit('/').next()?);
    }
    match found.get(2) {
        Some(anchor) => literal(files, &format!("*{}", anchor.as_str())),
        None => literal(files, found.get(3)?.as_str().trim_matches(['"', '\''])),
    }
}

fn hint(files: &ProjectFiles, message: &str) -> Option<String> {
    static REQUIRED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"required variable (\w+) is missing").expect("it is valid"));
    static UNDEFINED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"undefined service "?([\w.-]+)"#).expect("it is valid"));
    if let Some(found) = REQUIRED.captures(message) {
        let name = &found[1];
        return Some(format!(
            "set {name} in the environment, in `.env` in the project's directory, or in the file of docker_compose(env_file=...)"
        ));
    }
    if let Some(found) = UNDEFINED.captures(message) {
        let near = nearest(&found[1], files.services().iter().map(|(name, _)| name.as_str()))?;
        return Some(format!("did you mean \"{near}\"?"));
    }
    if message.contains("env file") && message.contains("not found") {
        return Some("write `{path: FILE, required: false}` where a file may be missing".to_owned());
    }
    let unknown = unknown_key(message)?;
    let near = nearest(unknown, SERVICE_KEYS.iter().copied())?;
    Some(format!("did you mean \"{near}\"?"))
}

fn field(file: &str, text: &str, path: &str) -> Option<Place> {
    let (line, column, width) = field_place::locate(text, 1, path)?;
    let source_line = text.lines().nth(line.saturating_sub(1))?.to_owned();
    Some(Place {
        file: file.to_owned(),
        line,
        column,
        width,
        source_line,
    })
}

/// Returns the first place of a text, in the last file that has it.
fn literal(files: &ProjectFiles, wanted: &str) -> Option<Place> {
    let mut texts = files.texts().iter().rev();
    texts.find_map(|(file, text)| literal_from(&file.to_string(), text, 1, wanted))
}

/// Returns the first place of a text from a line on, where it is no part of a longer word.
fn literal_from(file: &str, text: &str, first: usize, wanted: &str) -> Option<Place> {
    let is_word =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let lines = text.lines().enumerate().skip(first.saturating_sub(1));
    for (at, line) in lines {
        let found = line.match_indices(wanted).find(|(start, _)| {
            let before = line[..*start].chars().next_back();
            let after = line[start + wanted.len()..].chars().next();
            let begins = !is_word(before) || !is_word(wanted.chars().next());
            begins && !is_word(after) && !line.trim_start().starts_with('#')
        });
        if let Some((start, _)) = found {
            return Some(Place {
                file: file.to_owned(),
                line: at + 1,
                column: line[..start].chars().count() + 1,
                width: wanted.chars().count(),
                source_line: line.to_owned(),
            });
        }
    }
    None
}
