//! What to say when files cannot be watched.

use std::collections::BTreeSet;

use notify::ErrorKind;

use crate::logs::LogWriter;

/// The error number for "too many open files" of a process, which is also that for too many inotify instances.
const EMFILE: i32 = 24;
/// The error number for too many open files of all processes together.
const ENFILE: i32 = 23;

/// The error number for links that lead in a circle.
const ELOOP: i32 = 40;

/// Tells the log what cannot be watched, each thing once; `told` has what it was told before.
pub(super) fn tell(log: &LogWriter, faults: &[notify::Error], told: &mut BTreeSet<String>) {
    let messages: BTreeSet<_> = faults.iter().map(|fault| message(fault, read_limit)).collect();
    for message in messages {
        if told.insert(message.clone()) {
            log.error(&message);
        }
    }
}

/// Returns whether a limit of the system is reached, so that files can be read but not watched.
pub(super) fn is_limit(fault: &notify::Error) -> bool {
    match &fault.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(io) => matches!(io.raw_os_error(), Some(EMFILE | ENFILE)),
        _ => false,
    }
}

/// Returns whether there is nothing to watch.
pub(super) fn is_missing(fault: &notify::Error) -> bool {
    match &fault.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(io) => {
            use std::io::ErrorKind::{NotADirectory, NotFound};
            matches!(io.kind(), NotFound | NotADirectory) || io.raw_os_error() == Some(ELOOP)
        }
        _ => false,
    }
}

/// Returns what to say; `limit` returns the present value of a setting of inotify.
fn message(fault: &notify::Error, limit: impl Fn(&str) -> String) -> String {
    match &fault.kind {
        ErrorKind::MaxFilesWatch => too_few("directories", "max_user_watches", 524_288, limit),
        ErrorKind::Io(io) if io.raw_os_error() == Some(EMFILE) => {
            too_few("programs that watch files", "max_user_instances", 1024, limit)
        }
        _ => {
            let paths: Vec<_> = fault
                .paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            let why = match &fault.kind {
                ErrorKind::Io(io) => io.to_string(),
                kind => format!("{kind:?}"),
            };
            format!("cannot watch \"{}\" for changes: {why}", paths.join(", "))
        }
    }
}

fn too_few(what: &str, setting: &str, better: u32, limit: impl Fn(&str) -> String) -> String {
    let now = limit(setting);
    format!(
        "cannot watch all files for changes: the system allows only {now} {what} \
         (fs.inotify.{setting}={now}); the others are looked at every few seconds\n\
         hint: sudo sysctl fs.inotify.{setting}={better}"
    )
}

/// A container may have a lower limit of its own.
fn read_limit(setting: &str) -> String {
    let own = setting.replace("max_user", "max_inotify");
    let files = [
        format!("/proc/sys/fs/inotify/{setting}"),
        format!("/proc/sys/user/{own}"),
    ];
    let read = |file: &String| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let lowest = files.iter().filter_map(read).min();
    lowest.map_or_else(|| "?".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_with_its_value_and_the_way_out() {
        let message = message(&notify::Error::new(ErrorKind::MaxFilesWatch), |_| {
            "8192".to_owned()
        });
        assert_eq!(
            message,
            "cannot watch all files for changes: the system allows only 8192 directories \
             (fs.inotify.max_user_watches=8192); the others are looked at every few seconds\n\
             hint: sudo sysctl fs.inotify.max_user_watches=524288"
        );
    }

    #[test]
    fn what_is_gone_or_became_a_file_or_a_circle_of_links_is_missing() {
        let fault = |number| notify::Error::io(std::io::Error::from_raw_os_error(number));
        let (enoent, enotdir, eacces) = (2, 20, 13);
        assert!(
            [enoent, enotdir, ELOOP]
                .into_iter()
                .all(|number| is_missing(&fault(number)))
        );
        assert!(!is_missing(&fault(eacces)));
    }

    #[test]
    fn too_many_instances_are_told_from_other_faults() {
        let fault = |number| notify::Error::io(std::io::Error::from_raw_os_error(number));
        let text = |number| message(&fault(number).add_path("/src".into()), |_| "128".to_owned());
        assert!(text(EMFILE).contains("fs.inotify.max_user_instances=128"));
        assert_eq!(
            text(13),
            "cannot watch \"/src\" for changes: Permission denied (os error 13)"
        );
    }
}
