//! Tests with the real Docker engine, registry and cluster: `make cluster` starts them. A namespace each; a test that
//! cannot run here fails.
#![allow(clippy::disallowed_methods, reason = "tests run programs and wait for them")]

mod compose;
mod compose_load;
mod compose_shop;
mod compose_stories;
mod context;
mod docker;
mod events;
mod failures;
mod health;
mod images;
mod kube;
mod live_services;
mod live_stories;
mod live_update;
mod microservices;
mod objects;
mod ownership;
mod plans;
mod port_forwards;
mod secrets;
mod session_cluster;
mod stories;
mod support;
mod unchanged;
mod verdicts;
