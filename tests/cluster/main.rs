//! Tests with the real Docker engine, registry and cluster: `make cluster` starts them. A namespace each; a test that
//! cannot run here fails.

mod stories;
mod support;
