//! A build that failed, with all that is known about it, and what can be said of it.

use std::ops::Range;

use super::reader::Dockerfile;
use super::stages::{Stage, stages};
use crate::diag::{Place, SourceText};
use crate::model::{DockerBuild, LocalPath};

/// What an engine said of a build that failed.
#[derive(Clone, Copy, Debug)]
pub struct EngineFault<'a> {
    /// The message as it is shown.
    pub message: &'a str,
    /// The step that failed, as it is printed, if one did.
    pub step: Option<&'a str>,
    /// Whether it is one in which a command of the user's failed.
    pub command_failed: bool,
    /// The Dockerfile as the engine got it: with other base images, but the same instructions.
    pub dockerfile: &'a str,
}

/// Gives the names in a directory.
pub(super) type Listing<'a> = &'a dyn Fn(&LocalPath) -> Vec<String>;

/// A fault with all that is known about its build.
pub(super) struct Case<'a> {
    pub(super) message: &'a str,
    pub(super) step: Option<&'a str>,
    pub(super) build: &'a DockerBuild,
    pub(super) listing: Listing<'a>,
    /// As the user wrote it.
    pub(super) written: Dockerfile,
    pub(super) stages: Vec<Stage>,
    pub(super) sent: Dockerfile,
    pub(super) sent_text: SourceText,
    pub(super) text: SourceText,
}

/// Where a fault was found, and what to do about it.
pub(super) struct Explained {
    pub(super) place: Found,
    pub(super) hints: Vec<String>,
}

/// Where a fault was found.
pub(super) enum Found {
    /// Bytes of the Dockerfile as written.
    Dockerfile(Range<usize>),
    /// The call, or its argument.
    Target(Place),
    Nowhere,
}

impl<'a> Case<'a> {
    pub(super) fn new(fault: EngineFault<'a>, build: &'a DockerBuild, listing: Listing<'a>) -> Self {
        let written = Dockerfile::read(&build.dockerfile_contents);
        Self {
            message: fault.message,
            step: fault.step,
            build,
            listing,
            stages: stages(&written),
            written,
            sent: Dockerfile::read(fault.dockerfile),
            sent_text: SourceText::new("", fault.dockerfile),
            text: SourceText::new(build.dockerfile.to_string(), build.dockerfile_contents.clone()),
        }
    }
}

impl Explained {
    pub(super) fn at(range: Range<usize>, hints: Vec<String>) -> Self {
        Self {
            place: Found::Dockerfile(range),
            hints,
        }
    }
}
