//! Which lines a reader asks for.

use super::*;

#[test]
fn one_resource_needs_no_prefix() {
    let filter = LogFilter {
        resources: [ManifestName::from("web")].into(),
        ..LogFilter::default()
    };
    check_filtered(filter, "building\nserving\n\nInitial Build\n");
}

#[test]
fn a_level_means_exactly_that_level_but_updates_pass() {
    let filter = LogFilter {
        level: Some(Level::Warn),
        ..LogFilter::default()
    };
    check_filtered(
        filter,
        "           db │ WARNING: slow\n          web │ \n          web │ Initial Build\n",
    );
}

#[test]
fn build_means_the_spans_of_builds() {
    let filter = LogFilter {
        source: LogSource::Build,
        resources: ["web", "db"].map(ManifestName::from).into(),
        ..LogFilter::default()
    };
    check_filtered(
        filter,
        "          web │ building\n           db │ ERROR: broken\n          web │ \n          web │ Initial Build\n",
    );
}

#[test]
fn runtime_means_all_else() {
    let filter = LogFilter {
        source: LogSource::Runtime,
        level: Some(Level::Info),
        ..LogFilter::default()
    };
    check_filtered(
        filter,
        "          web │ serving\n           db │ WARNING: slow\n          web │ \n          web │ Initial Build\nall\n",
    );
}

#[test]
fn earlier_lines_than_asked_for_are_left_out() {
    let filter = LogFilter {
        since: Some(Timestamp(i64::MAX)),
        ..LogFilter::default()
    };
    check_filtered(filter, "");
}
