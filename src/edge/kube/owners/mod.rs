//! Who owns an object: chains of owners by UID, found beside the watches.
//!
//! `chains` answers, `cache` remembers, `metadata_requests` asks the API server for one object or for all of a kind.

mod cache;
mod chains;
mod metadata_requests;

pub(in crate::edge::kube) use chains::Owners;
