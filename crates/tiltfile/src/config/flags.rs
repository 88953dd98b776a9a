//! Reads settings from the command line, as GNU programs read theirs.

use serde_json::Value;

use super::settings::{Kind, Setting, Values};
use crate::diag::nearest;
use crate::fault::{Fault, Outcome};
use crate::json_words::json_words;

/// Reads the arguments after the command.
pub(super) fn parse(args: &[String], defined: &[Setting]) -> Outcome<Values> {
    let mut values = Values::new();
    let mut positional: Vec<&str> = Vec::new();
    let mut rest = args.iter().map(String::as_str);
    while let Some(arg) = rest.next() {
        match arg.strip_prefix('-') {
            Some("-") => {
                positional.extend(rest);
                break;
            }
            Some(flag) if !flag.is_empty() => {
                let read = read_flag(flag, &mut rest, defined, &mut values);
                read.map_err(|(cause, hint)| refused(&cause, hint, defined))?;
            }
            _ => positional.push(arg),
        }
    }
    take_positional(&positional, defined, &mut values)?;
    Ok(values)
}

type Refusal = (String, Option<String>);

/// Reads a flag, written here without its first dash, and its value.
fn read_flag<'a>(
    flag: &str,
    rest: &mut impl Iterator<Item = &'a str>,
    defined: &[Setting],
    values: &mut Values,
) -> Result<(), Refusal> {
    let plain = |cause: String| (cause, None);
    let Some(flag) = flag.strip_prefix('-') else {
        let first = flag.chars().next().unwrap_or_default();
        if first == 'h' {
            return Err(plain("pflag: help requested".to_owned()));
        }
        return Err((
            format!("unknown shorthand flag: '{first}' in -{flag}"),
            Some("settings are written with two dashes".to_owned()),
        ));
    };
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    if name.is_empty() || name.starts_with('-') {
        return Err(plain(format!("bad flag syntax: --{flag}")));
    }
    let by_flag = || defined.iter().filter(|setting| !setting.is_positional);
    let Some(setting) = by_flag().find(|setting| setting.name == name) else {
        if name == "help" {
            return Err(plain("pflag: help requested".to_owned()));
        }
        if defined
            .iter()
            .any(|setting| setting.is_positional && setting.name == name)
        {
            return Err((
                format!("unknown flag: --{name}"),
                Some(format!(
                    "\"{name}\" takes the arguments without a flag: leave out --{name}"
                )),
            ));
        }
        let near = nearest(name, by_flag().map(|setting| setting.name.as_str()));
        return Err((
            format!("unknown flag: --{name}"),
            near.map(|near| format!("did you mean --{near}?")),
        ));
    };
    let value = match (value, setting.kind) {
        (Some(value), _) => value,
        (None, Kind::Boolean) => "true",
        (None, _) => rest
            .next()
            .ok_or_else(|| plain(format!("flag needs an argument: --{name}")))?,
    };
    set(setting, value, values).map_err(|cause| {
        plain(format!(
            "invalid argument {value:?} for \"--{name}\" flag: {cause}"
        ))
    })
}

fn take_positional(args: &[&str], defined: &[Setting], values: &mut Values) -> Outcome<()> {
    let Some(setting) = defined.iter().find(|setting| setting.is_positional) else {
        if args.is_empty() {
            return Ok(());
        }
        return Err(Fault::new(format!(
            "invalid Tiltfile config args: positional CLI args (\"{}\") were specified, but none were expected.\n\
             See https://docs.tilt.dev/tiltfile_config.html#positional-arguments for examples.",
            args.join(" ")
        )));
    };
    for arg in args {
        set(setting, arg, values).map_err(|cause| {
            let name = &setting.name;
            Fault::new(format!(
                "invalid Tiltfile config args: invalid positional args ({name}): {cause}"
            ))
        })?;
    }
    Ok(())
}

/// Sets a setting, or adds to one that takes several values.
fn set(setting: &Setting, text: &str, values: &mut Values) -> Result<(), String> {
    let known = values.get_mut(&setting.name);
    let kind = type_name(setting.kind);
    let value = match (setting.kind, known) {
        (Kind::TextList, Some(Value::Array(items))) => {
            items.push(text.into());
            return Ok(());
        }
        (Kind::TextList, _) => Value::Array(vec![text.into()]),
        (_, Some(_)) => {
            return Err(format!(
                "{kind} settings can only be specified once. multiple values found (last value: {text})"
            ));
        }
        (Kind::Text, None) => text.into(),
        (Kind::Boolean, None) => match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true.into(),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false.into(),
            _ => return Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
        },
        (Kind::Object, None) => {
            let decoded = serde_json::from_str(text);
            decoded.map_err(|error| format!("decoding JSON, got {text:?}: {}", json_words(&error, text)))?
        }
    };
    values.insert(setting.name.clone(), value);
    Ok(())
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::TextList => "list[string]",
        Kind::Boolean => "bool",
        Kind::Object => "object",
    }
}

fn refused(cause: &str, hint: Option<String>, defined: &[Setting]) -> Fault {
    let fault = Fault::new(format!(
        "invalid Tiltfile config args: {cause}\nUsage:\n{}",
        usage(defined)
    ));
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// Returns the table of flags, sorted by name.
fn usage(defined: &[Setting]) -> String {
    let mut rows: Vec<(String, &str)> = defined
        .iter()
        .filter(|setting| !setting.is_positional)
        .map(|setting| {
            // A flag that needs no value is shown without its type.
            let kind = match setting.kind {
                Kind::Boolean => String::new(),
                kind => format!(" {}", type_name(kind)),
            };
            (format!("      --{}{kind}", setting.name), setting.usage.as_str())
        })
        .collect();
    rows.sort();
    let width = rows
        .iter()
        .map(|(flag, _)| flag.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|(flag, usage)| format!("{flag:width$}   {usage}").trim_end().to_owned())
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn defined() -> Vec<Setting> {
        [
            (Kind::Text, "town"),
            (Kind::TextList, "guest"),
            (Kind::Boolean, "rain"),
            (Kind::Object, "menu"),
        ]
        .into_iter()
        .map(|(kind, name)| Setting {
            name: name.to_owned(),
            kind,
            is_positional: false,
            usage: format!("the {name}"),
        })
        .collect()
    }

    fn args(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flags_are_read_in_both_spellings() {
        let text = "--town Bree --guest=a --guest b --rain --menu={\"a\":[1]}";
        let values = parse(&args(text), &defined()).unwrap();
        let shown: Vec<String> = values
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        assert_eq!(
            shown,
            [
                "guest [\"a\",\"b\"]",
                "menu {\"a\":[1]}",
                "rain true",
                "town \"Bree\""
            ]
        );
        let values = parse(&args("--rain=false"), &defined()).unwrap();
        assert_eq!(values.get("rain"), Some(&Value::Bool(false)));
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_told_with_its_flags() {
        for (text, expected) in [
            (
                "--twon Bree",
                "invalid Tiltfile config args: unknown flag: --twon\nUsage:\n",
            ),
            ("--town", "flag needs an argument: --town"),
            (
                "--town a --town b",
                "string settings can only be specified once. multiple values found (last value: b)",
            ),
            (
                "--rain=maybe",
                "invalid argument \"maybe\" for \"--rain\" flag: strconv.ParseBool",
            ),
            ("--menu {", "decoding JSON, got \"{\": "),
            ("-t", "unknown shorthand flag: 't' in -t"),
            ("--help", "pflag: help requested"),
            ("--=x", "bad flag syntax: --=x"),
            (
                "a b",
                "invalid Tiltfile config args: positional CLI args (\"a b\") were specified, but none were expected.",
            ),
            (
                "-- --town",
                "invalid Tiltfile config args: positional CLI args (\"--town\") were specified",
            ),
        ] {
            let fault = parse(&args(text), &defined()).unwrap_err().to_string();
            assert!(fault.contains(expected), "{fault}");
        }
        assert_eq!(
            usage(&defined()),
            "      --guest list[string]   the guest\n      --menu object          the menu\n      --rain                 \
             the rain\n      --town string          the town"
        );
    }

    #[test]
    fn the_positional_setting_takes_what_is_left_and_is_no_flag() {
        let mut defined = defined();
        defined[1].is_positional = true;
        let values = parse(&args("a --rain b -- --c"), &defined).unwrap();
        assert_eq!(values["guest"].to_string(), "[\"a\",\"b\",\"--c\"]");
        let fault = parse(&args("--guest a"), &defined).unwrap_err().to_string();
        assert!(fault.contains("unknown flag: --guest"), "{fault}");
        defined[1].kind = Kind::Text;
        let fault = parse(&args("a b"), &defined).unwrap_err().to_string();
        assert!(
            fault.contains("invalid positional args (guest): string settings can only be specified once"),
            "{fault}"
        );
    }

    proptest! {
        #[test]
        fn any_arguments_are_read_or_refused(
            args in proptest::collection::vec("-{0,3}(town|guest|rain|menu|x)?=?[a-z{}\"é]{0,3}", 0..6)
        ) {
            let _ = parse(&args, &defined());
        }
    }
}
