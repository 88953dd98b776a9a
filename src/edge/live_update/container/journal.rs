//! What is known of the content of one run of a container: what its image was made of, then what was synced.
//!
//! The second part is written into the container itself, as a journal: so it is true of that run of the container, whoever
//! synced there and whenever, and gone when the container is. A path is struck out before it is changed and entered once
//! it was, so the journal never claims what is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use super::quoting::{decode, encode};
use crate::model::{ContainerPath, LocalPath};

/// A file that an image is said to have, by its SHA-256.
pub(super) type Claim = (ContainerPath, [u8; 32]);

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file, by its permissions and the SHA-256 of what it holds.
    File {
        /// Permissions.
        mode: u32,
        /// SHA-256.
        hash: [u8; 32],
    },
    /// A symbolic link, by what it says.
    Link(PathBuf),
    /// A directory, by its permissions.
    Dir {
        /// Permissions.
        mode: u32,
    },
    /// Nothing.
    Absent,
}

/// What is at a place, and which path here it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where it came from.
    pub local: LocalPath,
    /// What it is.
    pub content: Content,
}

/// What an image was made of, as far as it is known.
pub type ImageContent = Arc<BTreeMap<ContainerPath, Known>>;

/// What is known of a container.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    image: ImageContent,
    now: BTreeMap<ContainerPath, Known>,
    /// What the image was made of and the container was seen to hold.
    proven: BTreeSet<ContainerPath>,
}

impl Held {
    /// Returns what is known of a container that nobody has changed yet.
    pub(super) fn of_image(image: ImageContent) -> Self {
        Self {
            now: (*image).clone(),
            image,
            proven: BTreeSet::new(),
        }
    }

    /// Forgets all but the image, for what the container's journals say.
    pub(super) fn begin_anew(&mut self) {
        self.now = (*self.image).clone();
        self.proven.clear();
    }

    /// Returns whether what is known of a place is only what the image was made of.
    pub(super) fn is_claim(&self, path: &ContainerPath) -> bool {
        !self.proven.contains(path)
            && self
                .image
                .get(path)
                .is_some_and(|known| self.now.get(path) == Some(known))
    }

    /// Notes that the container was asked about places, and in which of them is something else.
    pub(super) fn prove(&mut self, asked: Vec<Claim>, is_false: Vec<ContainerPath>) {
        self.proven.extend(asked.into_iter().map(|(path, _)| path));
        for path in is_false {
            self.forget(&path);
        }
    }

    /// Returns what is known to be at a place; `None` where that is not known.
    pub(super) fn get(&self, path: &ContainerPath) -> Option<&Content> {
        self.now.get(path).map(|known| &known.content)
    }

    /// Returns whether a place is known to be below what is no directory, or not there.
    pub(super) fn is_below_none(&self, path: &ContainerPath) -> bool {
        let mut above = path.parent();
        while above.parent() != above {
            if let Some(content) = self.get(&above) {
                return matches!(content, Content::File { .. } | Content::Absent);
            }
            above = above.parent();
        }
        false
    }

    /// Returns what is known of a directory and what is below it, in order.
    pub(super) fn within<'a>(
        &'a self,
        dir: &'a ContainerPath,
    ) -> impl Iterator<Item = (&'a ContainerPath, &'a Known)> {
        let from = self.now.range((Bound::Included(dir.clone()), Bound::Unbounded));
        from.take_while(|(path, _)| path.is_within(dir))
    }

    /// Forgets what is at a place, and below it.
    pub(super) fn forget(&mut self, path: &ContainerPath) {
        let below: Vec<ContainerPath> = self.within(path).map(|(path, _)| path.clone()).collect();
        for path in below {
            self.now.remove(&path);
        }
    }

    /// Notes what is at a place now. Below what is no directory there is nothing, and what is above something is one.
    pub(super) fn note(&mut self, path: ContainerPath, known: Known) {
        if !matches!(known.content, Content::Dir { .. }) {
            self.forget(&path);
        }
        if known.content != Content::Absent {
            let mut above = path.parent();
            while above.parent() != above {
                if self
                    .get(&above)
                    .is_some_and(|content| !matches!(content, Content::Dir { .. }))
                {
                    self.now.remove(&above);
                }
                above = above.parent();
            }
        }
        self.now.insert(path, known);
    }

    /// Takes in a line of a journal; what is no line of one says nothing.
    pub(super) fn replay(&mut self, line: &str) {
        let mut words = line.split(' ');
        let (Some(kind), Some(path)) = (words.next(), words.next().and_then(decode)) else {
            return;
        };
        let path = ContainerPath::new(path);
        match kind {
            STRUCK => self.forget(&path),
            // It becomes a directory, or stays one: what is known below it stays true.
            STRUCK_DIR => drop(self.now.remove(&path)),
            ENTERED => match known(words) {
                Some(known) => self.note(path, known),
                // Cut off in the middle: all that is known is that it was written.
                None => self.forget(&path),
            },
            _ => {}
        }
    }
}

/// Returns what an image was made of as the text of a journal.
pub fn journal_of(content: &ImageContent) -> String {
    let lines = content.iter().map(|(path, known)| entered(path, known) + "\n");
    lines.collect()
}

/// Returns what the text of a journal says.
pub fn content_of(journal: &str) -> ImageContent {
    let mut held = Held::default();
    journal.lines().for_each(|line| held.replay(line));
    Arc::new(held.now)
}

const STRUCK: &str = "?";
const STRUCK_DIR: &str = "/";
const ENTERED: &str = "=";

/// Returns the line of a journal that says that a path is being changed.
pub(super) fn struck(path: &ContainerPath) -> String {
    format!("{STRUCK} {}", encode(path.as_path()))
}

/// Returns the line of a journal that says that a directory is being made, or changed itself.
pub(super) fn struck_dir(path: &ContainerPath) -> String {
    format!("{STRUCK_DIR} {}", encode(path.as_path()))
}

/// Returns the line of a journal that says what is at a path.
pub(super) fn entered(path: &ContainerPath, known: &Known) -> String {
    let content = match &known.content {
        Content::File { mode, hash } => format!("f {mode:o} {}", hex(hash)),
        Content::Link(target) => format!("l {}", encode(target)),
        Content::Dir { mode } => format!("d {mode:o}"),
        Content::Absent => "-".to_owned(),
    };
    let (path, local) = (encode(path.as_path()), encode(known.local.as_path()));
    format!("{ENTERED} {path} {local} {content} .")
}

fn known<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Known> {
    let local = LocalPath::new(decode(words.next()?)?);
    let content = match words.next()? {
        "f" => Content::File {
            mode: u32::from_str_radix(words.next()?, 8).ok()?,
            hash: unhex(words.next()?)?,
        },
        "l" => Content::Link(decode(words.next()?)?),
        "d" => Content::Dir {
            mode: u32::from_str_radix(words.next()?, 8).ok()?,
        },
        "-" => Content::Absent,
        _ => return None,
    };
    (words.next()? == ".").then_some(Known { local, content })
}

pub(super) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(local: &str, byte: u8) -> Known {
        Known {
            local: LocalPath::new(local),
            content: Content::File {
                mode: 0o644,
                hash: [byte; 32],
            },
        }
    }

    #[test]
    fn a_journal_says_what_was_noted() {
        let path = ContainerPath::new("/app/a b\nc");
        for content in [
            file("/src/a", 7).content,
            Content::Link(PathBuf::from("../x y")),
            Content::Dir { mode: 0o755 },
            Content::Absent,
        ] {
            let known = Known {
                local: LocalPath::new("/src/a b"),
                content,
            };
            let mut held = Held::default();
            held.replay(&entered(&path, &known));
            assert_eq!(held.now.get(&path), Some(&known));
            held.replay(&struck(&path));
            assert_eq!(held.get(&path), None);
        }
    }

    #[test]
    fn a_line_that_was_cut_claims_nothing() {
        let path = ContainerPath::new("/app/a");
        let line = entered(&path, &file("/src/a", 7));
        for end in 0..line.len() {
            let mut held = Held::default();
            held.replay(&line[..end]);
            assert!(held.now.is_empty(), "{}", &line[..end]);
        }
    }

    #[test]
    fn a_directory_is_there_again_once_something_is_in_it() {
        let (dir, inner) = (ContainerPath::new("/app/d"), ContainerPath::new("/app/d/e/x"));
        let mut held = Held::default();
        let content = Content::Absent;
        held.note(
            dir.clone(),
            Known {
                local: LocalPath::new("/src/d"),
                content,
            },
        );
        held.note(inner, file("/src/d/e/x", 1));
        assert_eq!(held.get(&dir), None);
    }

    #[test]
    fn nothing_is_known_below_what_is_no_directory() {
        let image = [("/app/d", 1), ("/app/d/x", 2), ("/app/dd", 3)];
        let image = image.map(|(path, byte)| (ContainerPath::new(path), file("/src", byte)));
        let mut held = Held::of_image(Arc::new(image.into_iter().collect()));
        held.note(ContainerPath::new("/app/d"), file("/src/d", 9));
        let paths: Vec<String> = held.now.keys().map(ToString::to_string).collect();
        assert_eq!(paths, ["/app/d", "/app/dd"]);
        held.begin_anew();
        assert_eq!(held.now.len(), 3);
    }
}
