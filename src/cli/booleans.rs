//! Flags that are on or off: like `--stream`, `--stream=true` and `--stream=false` may be written, and the last one counts.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::ArgAction;

/// Returns the arguments with each such flag written plainly where it is on, and left out where it is off. What follows `--`
/// is no flag.
///
/// # Errors
/// When such a flag has a value that is neither.
pub(super) fn plain(args: Vec<OsString>, known: &clap::Command) -> Result<Vec<OsString>, String> {
    let mut command = known;
    let mut flags = flags_of(command);
    let mut plain: Vec<OsString> = Vec::with_capacity(args.len());
    let mut rest = args.into_iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            plain.push(arg);
            plain.extend(rest);
            break;
        }
        if let Some(below) = arg.to_str().and_then(|word| command.find_subcommand(word)) {
            command = below;
            let of_all = known.get_arguments().filter(|arg| arg.is_global_set());
            flags = flags_of(command);
            flags.extend(of_all.filter(|arg| is_boolean(arg)).flat_map(names));
        }
        let given = arg.to_str().and_then(|text| text.split_once('='));
        let Some((flag, value)) = given.filter(|(flag, _)| flags.contains(*flag)) else {
            plain.push(arg);
            continue;
        };
        let is_on = boolean(value).ok_or_else(|| {
            format!("invalid argument {value:?} for \"{flag}\" flag: strconv.ParseBool: parsing {value:?}: invalid syntax")
        })?;
        if is_on {
            plain.push(flag.into());
        } else {
            plain.retain(|earlier| earlier != flag);
        }
    }
    Ok(plain)
}

/// Returns what such flags of a command are called: `--debug`, `-d`.
fn flags_of(command: &clap::Command) -> BTreeSet<String> {
    let flags = command.get_arguments().filter(|arg| is_boolean(arg));
    flags.flat_map(names).collect()
}

fn is_boolean(arg: &clap::Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

fn names(arg: &clap::Arg) -> impl Iterator<Item = String> + use<> {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    long.into_iter().chain(short)
}

/// Reads what Go's `strconv.ParseBool` reads.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &str) -> Result<String, String> {
        let args = args.split(' ').map(OsString::from).collect();
        let plain = plain(args, &crate::cli::command())?;
        Ok(plain
            .iter()
            .map(|arg| arg.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" "))
    }

    #[test]
    fn each_flag_takes_true_and_false_and_the_last_one_counts() {
        for (written, expected) in [
            ("tilt up --stream=true", "tilt up --stream"),
            ("tilt up --legacy=false a", "tilt up a"),
            ("tilt -d=1 ci --fail-fast=F", "tilt -d ci"),
            ("tilt up --stream --stream=false", "tilt up"),
            ("tilt up --stream=false --stream", "tilt up --stream"),
            ("tilt down --delete-namespaces=T", "tilt down --delete-namespaces"),
            ("tilt apply -f=x.yaml", "tilt apply -f=x.yaml"),
            (
                "tilt up --file=x -- --stream=false",
                "tilt up --file=x -- --stream=false",
            ),
        ] {
            assert_eq!(read(written).as_deref(), Ok(expected), "{written}");
        }
        assert_eq!(
            read("tilt up --stream=no"),
            Err(
                "invalid argument \"no\" for \"--stream\" flag: strconv.ParseBool: parsing \"no\": invalid syntax"
                    .to_owned()
            )
        );
    }
}
