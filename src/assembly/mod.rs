//! (Empty so far.)

pub mod dockerfile;
