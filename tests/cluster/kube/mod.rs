//! Against a real cluster: what is applied, watched and read there. Each test has its own namespace, deleted at the end.
//!
//! Needs a cluster that may be played with (`KUBECONFIG`, else the one of `dev/cluster`) and the image
//! `localhost:5000/busybox:1`. Without it, the tests fail: nothing else shows that these parts work.

mod apply;
mod force;
mod logs;
mod strangers;
mod support;
mod watch;
