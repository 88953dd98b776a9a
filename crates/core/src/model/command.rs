//! Commands as a Tiltfile gives them.

use super::{LocalPath, write_quoted};

/// A program with its arguments, where it runs, and what is added to its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; empty for no command.
    pub argv: Vec<String>,
    /// The working directory; `None` only where no command was given.
    pub dir: Option<LocalPath>,
    /// `KEY=value`, sorted.
    pub env: Vec<String>,
}

impl Command {
    /// Returns the program and arguments that run a text in a shell; nothing for an empty text.
    pub fn shell_argv(text: &str) -> Vec<String> {
        if text.is_empty() {
            return Vec::new();
        }
        vec!["sh".to_owned(), "-c".to_owned(), text.trim().to_owned()]
    }

    /// Returns whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.argv.is_empty()
    }

    /// Returns the command as it is shown: one line for a shell without that shell, else all arguments, those with blanks
    /// quoted.
    pub fn display(&self) -> String {
        if let [sh, c, text] = &self.argv[..]
            && (sh.as_str(), c.as_str()) == ("sh", "-c")
            && !text.contains('\n')
        {
            return text.clone();
        }
        let shown = self.argv.iter().map(|arg| {
            let mut shown = String::new();
            if arg.contains(' ') {
                write_quoted(arg, &mut shown);
            } else {
                shown.push_str(arg);
            }
            shown
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_a_shell_is_shown_alone() {
        let shown = |argv: &[&str]| {
            let argv = argv.iter().map(|arg| (*arg).to_owned()).collect();
            Command {
                argv,
                ..Command::default()
            }
            .display()
        };
        assert_eq!(shown(&["sh", "-c", "echo a b"]), "echo a b");
        assert_eq!(shown(&["sh", "-c", "a\nb c"]), "sh -c \"a\\nb c\"");
        assert_eq!(shown(&["printf", "\u{1b}[1m a"]), "printf \"\\x1b[1m a\"");
        assert_eq!(shown(&["echo", "a b", "c"]), "echo \"a b\" c");
        assert_eq!(Command::shell_argv(" \n "), ["sh", "-c", ""], "as in Tilt");
        assert_eq!(Command::shell_argv(""), Vec::<String>::new());
    }
}
