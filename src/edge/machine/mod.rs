//! This machine and the terminal: signals that ask to stop, keys, who holds a port, and the log as it is printed.

pub mod keys;
pub mod port_holder;
mod print_log;
pub mod signals;

pub use print_log::{output_gone, print_stream};
