//! Live updates into a shell on this machine that stands for a container: the same script, the same programs, with
//! streams that can be cut.

mod container;
mod faults;
mod files;
mod programs;
