//! Builds and pushes on a real Docker engine with a registry at localhost:5000 and the base image
//! localhost:5000/busybox:1. Where there is none these tests fail: `dev/cluster` sets all of it up.

mod build;
mod custom;
mod deliver;
mod minikube;
mod options;
mod prune;
mod world;
