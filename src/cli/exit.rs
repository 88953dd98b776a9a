//! Exit statuses. All of them stand here.

/// All went well. Also: `tilt up` was stopped by a signal.
pub const SUCCESS: u8 = 0;

/// The command failed, was used wrongly, or `tilt ci` was stopped by a signal.
pub const FAILURE: u8 = 1;

/// `tilt plan --detailed-exitcode`: there is something to do.
pub(super) const CHANGES: u8 = 2;

/// `tilt alpha tiltfile-result`: the Tiltfile could not be loaded.
pub const TILTFILE_FAILED: u8 = 5;
