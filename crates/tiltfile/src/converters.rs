//! More argument kinds: numbers, optional values, lists of text, durations, commands.
//!
//! Rule: `docs/rules/tiltfile.md`, "Arguments". Those that resources and files need are in `kinds`.

use std::time::Duration;

use starlark::values::{UnpackValue, Value};

use super::call::{Arg, Call};
use super::fault::{Fault, Outcome};
use super::kinds::{elements, go_type, list_or_tuple, stringable, type_name};
use super::session::Session;
use super::show;
use crate::diag::nearest;
use crate::model::{Command, DiscoveryStrategy, ImageRef, LocalPath, PodReadiness, parse_go_duration};

impl<'v> Arg<'v> {
    /// Returns `None` for `None`, else the argument.
    pub(super) fn unless_none(self) -> Option<Self> {
        (!self.value.is_none()).then_some(self)
    }

    /// `int`: a whole number, nothing else.
    pub(super) fn integer(&self) -> Outcome<i64> {
        if type_name(self.value) != "int" {
            return Err(self.unfit(format!("got {}, want int", type_name(self.value))));
        }
        match i64::unpack_value(self.value) {
            Ok(Some(value)) => Ok(value),
            _ => Err(self.unfit(format!("{} out of range", self.value.to_str()))),
        }
    }

    /// Stringable: a string or a blob.
    pub(super) fn text_or_blob(&self) -> Outcome<String> {
        stringable(self.value).ok_or_else(|| {
            let got = type_name(self.value);
            self.unfit(format!(
                "Value should be convertible to string, but is type {got}"
            ))
        })
    }

    /// StrOrList: a string or blob, or a list or tuple of them; nothing for `None`.
    pub(super) fn text_or_list(&self) -> Outcome<Vec<String>> {
        match stringable(self.value) {
            Some(text) => Ok(vec![text]),
            None => self.texts("a string or List or Tuple of strings", "list"),
        }
    }

    /// StrList: a list or tuple of strings and blobs; nothing for `None`.
    pub(super) fn text_list(&self) -> Outcome<Vec<String>> {
        self.texts("a List or Tuple of strings", "value")
    }

    /// `wanted` and `whole` are what messages call it.
    fn texts(&self, wanted: &str, whole: &str) -> Outcome<Vec<String>> {
        let Some(items) = list_or_tuple(self.value) else {
            if self.value.is_none() {
                return Ok(Vec::new());
            }
            let got = type_name(self.value);
            return Err(self.unfit(format!("value should be {wanted}, but is of type {got}")));
        };
        let text = |item: Value<'v>| {
            stringable(item).ok_or_else(|| {
                self.unfit(format!(
                    "{whole} should contain only strings, but element \"{}\" was of type {}",
                    show::text(item, self.heap),
                    type_name(item)
                ))
            })
        };
        items.into_iter().map(text).collect()
    }

    /// LPList: a path, or a list or tuple of them; nothing for `None`.
    pub(super) fn paths(&self, session: &Session<'_>) -> Outcome<Vec<LocalPath>> {
        if self.value.is_none() {
            return Ok(Vec::new());
        }
        if self.is_path() {
            return Ok(vec![self.path(session)?]);
        }
        let Some(items) = list_or_tuple(self.value) else {
            if stringable(self.value).is_some() {
                return Err(self.no_path(self.value));
            }
            let got = type_name(self.value);
            return Err(self.unfit(format!(
                "value should be a string or List or Tuple of strings, but is of type {got}"
            )));
        };
        let path = |(index, item): (usize, Value<'v>)| {
            session.path(item).ok_or_else(|| {
                self.unfit(format!(
                    "unpacking list item at index {index}: expected path | string. Actual type: {}",
                    go_type(item)
                ))
            })
        };
        items.into_iter().enumerate().map(path).collect()
    }

    fn is_path(&self) -> bool {
        self.value.unpack_str().is_some() || self.value.get_type() == "git.Repo"
    }

    /// Duration: a string in Go's syntax.
    pub(super) fn duration(&self) -> Outcome<Duration> {
        match self.value.unpack_str() {
            None => Err(self.unfit(format!("Expected string. Got: {}", type_name(self.value)))),
            Some(text) => parse_go_duration(text).map_err(|why| {
                self.unfit(why)
                    .hint("a duration has units, as in \"1h30m\" or \"10s\"")
            }),
        }
    }

    /// Readiness of pods: one of three words; `None` where nothing is said.
    pub(super) fn pod_readiness(&self) -> Outcome<Option<PodReadiness>> {
        match self.choice()? {
            "" => Ok(None),
            "ignore" => Ok(Some(PodReadiness::Ignore)),
            "wait" => Ok(Some(PodReadiness::Wait)),
            "succeeded" => Ok(Some(PodReadiness::Succeeded)),
            other => Err(self
                .unfit(format!("Invalid value. Allowed: {{ignore, wait}}. Got: {other}"))
                .hint("\"succeeded\" is allowed too")),
        }
    }

    /// How pods are found: one of two words; `None` where nothing is said.
    pub(super) fn discovery_strategy(&self) -> Outcome<Option<DiscoveryStrategy>> {
        match self.choice()? {
            "" => Ok(None),
            "default" => Ok(Some(DiscoveryStrategy::Default)),
            "selectors-only" => Ok(Some(DiscoveryStrategy::SelectorsOnly)),
            other => {
                let fault = self.unfit("Invalid. Must be one of: \"default\", \"selectors-only\"");
                Err(match nearest(other, ["default", "selectors-only"]) {
                    Some(near) => fault.hint(format!("did you mean \"{near}\"?")),
                    None => fault,
                })
            }
        }
    }

    /// The text of what takes one of some words.
    fn choice(&self) -> Outcome<&'v str> {
        let text = self.value.unpack_str();
        text.ok_or_else(|| self.unfit(format!("Must be a string. Got: {}", type_name(self.value))))
    }

    /// Cmd, without directory and environment: a string for a shell, or a sequence of strings.
    pub(super) fn argv(&self) -> Outcome<Vec<String>> {
        if let Some(text) = self.value.unpack_str() {
            return Ok(Command::shell_argv(text));
        }
        let Some(items) = elements(self.value, self.heap) else {
            let got = go_type(self.value);
            return Err(self.unplaced(format!(
                "a command must be a string or list of strings. found {got}"
            )));
        };
        let text = |item: Value<'v>| {
            item.unpack_str().map(str::to_owned).ok_or_else(|| {
                self.unplaced(format!(
                    "a command must be a string or a list of strings: '{}' is a {}, not a string",
                    show::text(item, self.heap),
                    go_type(item)
                ))
            })
        };
        items.into_iter().map(text).collect()
    }

    /// StrMap, as `KEY=value`, sorted.
    pub(super) fn variables(&self) -> Outcome<Vec<String>> {
        let pair = |(key, value): (String, String)| {
            if key.is_empty() {
                return Err(self.unplaced(format!("environment has empty key for value \"{value}\"")));
            }
            Ok(format!("{key}={value}"))
        };
        self.text_map()?.into_iter().map(pair).collect()
    }

    /// ImageList: a list or tuple of references of images; nothing for `None`.
    pub(super) fn images(&self) -> Outcome<Vec<ImageRef>> {
        let image = |text: String| {
            let image = ImageRef::parse(&text);
            image.map_err(|why| self.unfit(format!("must be a valid image reference: {why}")))
        };
        self.text_list()?.into_iter().map(image).collect()
    }

    fn command_directory(&self, session: &Session<'_>) -> Outcome<LocalPath> {
        if !self.is_path() {
            let got = go_type(self.value);
            return Err(self.unplaced(format!(
                "a command directory must be empty or a string: expected path | string. Actual type: {got}"
            )));
        }
        self.path(session)
    }

    fn unplaced(&self, message: String) -> Fault {
        Fault::new(message).at(self.place())
    }
}

impl Call<'_, '_, '_, '_> {
    /// Cmd with its companions: the command of parameter `main`, without a directory when absent, which runs in `dir` with `env` added.
    ///
    /// What stands for it on Windows is not looked at, as in Tilt.
    pub(super) fn command(
        &self,
        main: &'static str,
        dir: &'static str,
        env: Option<&'static str>,
    ) -> Outcome<Command> {
        let argv = self.get(main).map(|arg| arg.argv()).transpose()?;
        let env = env.and_then(|name| self.get(name));
        let env = env.map_or(Ok(Vec::new()), |arg| arg.variables())?;
        let dir = match self.get(dir).and_then(Arg::unless_none) {
            Some(arg) => arg.command_directory(self.session())?,
            None => self.session().directory(),
        };
        Ok(argv.map_or_else(Command::default, |argv| Command {
            argv,
            dir: Some(dir),
            env,
        }))
    }
}
