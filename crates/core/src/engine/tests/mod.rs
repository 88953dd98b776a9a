//! Scripts: events at given times, and the effects they have, one line each.

mod ci;
mod ci_rules;
mod cluster;
mod compose;
mod connection;
mod deleted_by_others;
mod deploy;
mod edits;
mod forwards;
mod health;
mod live_update;
mod objects;
mod prune;
mod reload;
mod reload_rules;
mod requests;
mod runtime;
mod script;
mod stuck;
mod updates;
mod why_no_pod;
mod wording;
