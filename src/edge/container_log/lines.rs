//! Turns the bytes of a log stream into text for the log: takes the times off, puts the prefix on, leaves out what was
//! written already.

use k8s_openapi::jiff::Timestamp;

use super::position::{Position, Written};
use crate::logs::odd_bytes;

/// A line longer than this is handed on in pieces.
const MAX_LINE: usize = 1 << 20;
/// What is written where the next lines are not those that follow. The node keeps a log only as far as one file of it
/// goes back for whoever connects anew.
const GAP: &str = "[lines may be missing here: the node began a new log file while this one was being read]";
/// What the kubelet writes into a log that it cannot follow.
const NO_WATCHES: &[u8] = b"failed to create fsnotify watcher: too many open files";

/// What the kubelet writes in place of the log of a run that is there no more.
const RUN_IS_GONE: &[u8] = b"unable to retrieve container logs for ";

/// Reads the log of one container, over several connections.
#[derive(Default)]
pub(in crate::edge) struct LogLines {
    position: Position,
    written: Written,
    /// The beginning of a line whose end has not come yet.
    buffer: Vec<u8>,
    /// A line of which a piece was handed on.
    piece: Option<Piece>,
    /// Bytes of text handed out so far.
    n_handed_out: usize,
    /// The last line without a time. The kubelet says such things again on each connection.
    untimed: Vec<u8>,
    /// Whether what the kubelet says itself is of no interest on this connection.
    only_timed: bool,
    /// Whether the next line should be one that was written already: if it is not, the log goes on elsewhere.
    expects_known: bool,
    /// Whether the kubelet said that it cannot follow the log, and whether that was told.
    out_of_watches: bool,
    told_out_of_watches: bool,
}

struct Piece {
    time: Option<i64>,
    length: usize,
    /// Whether the buffer goes on after the piece; a new connection begins the line anew.
    goes_on: bool,
}

impl LogLines {
    /// Returns the second to read from, in seconds since 1970; `None` if nothing was written yet.
    pub(in crate::edge) fn second(&self) -> Option<i64> {
        self.position.second()
    }

    /// Prepares for a new connection, which begins at `second`. With `only_timed`, lines without a time, which are
    /// not the container's, are left out. With `was_cut`, there may have been more to read on the one before.
    pub(in crate::edge) fn reconnect(&mut self, only_timed: bool, was_cut: bool) {
        self.only_timed = only_timed;
        self.buffer.clear();
        self.written = self.position.written();
        self.expects_known = was_cut && self.position.second().is_some();
        if let Some(piece) = &mut self.piece {
            piece.goes_on = false;
        }
    }

    /// Returns how much was read: what two readings that end at the same place have in common.
    pub(in crate::edge) fn extent(&self) -> (usize, usize) {
        (self.n_handed_out, self.buffer.len())
    }

    /// Takes in that the connection ended: the kubelet's last words lack a newline.
    pub(in crate::edge) fn connection_ended(&mut self) {
        if self.buffer == NO_WATCHES {
            self.buffer.clear();
            self.out_of_watches = true;
        }
    }

    /// Returns whether the kubelet said for the first time that it has no file watches left.
    pub(in crate::edge) fn take_out_of_watches(&mut self) -> bool {
        let is_news = std::mem::take(&mut self.out_of_watches) && !self.told_out_of_watches;
        self.told_out_of_watches |= is_news;
        is_news
    }

    /// Returns the text to write for the next bytes.
    pub(in crate::edge) fn feed(&mut self, mut bytes: &[u8], prefix: &str) -> String {
        let mut out = Vec::with_capacity(bytes.len());
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            if self.buffer.is_empty() {
                self.line(&bytes[..end], prefix, &mut out);
            } else {
                let mut line = std::mem::take(&mut self.buffer);
                line.extend_from_slice(&bytes[..end]);
                self.line(&line, prefix, &mut out);
                line.clear();
                self.buffer = line;
            }
            bytes = &bytes[end + 1..];
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > MAX_LINE {
            self.hand_on_piece(prefix, &mut out);
        }
        self.n_handed_out += out.len();
        into_text(out)
    }

    /// Returns the text to write at the very end of the log: a last line without a newline gets one.
    pub(in crate::edge) fn finish(&mut self, prefix: &str) -> String {
        let mut out = Vec::new();
        let open_piece = self.piece.as_ref().is_some_and(|piece| piece.goes_on);
        if !self.buffer.is_empty() || open_piece {
            let line = std::mem::take(&mut self.buffer);
            self.line(&line, prefix, &mut out);
        }
        into_text(out)
    }

    fn line(&mut self, line: &[u8], prefix: &str, out: &mut Vec<u8>) {
        if let Some(piece) = self.piece.take_if(|piece| piece.goes_on) {
            self.write(piece.time, line, "", out);
            return;
        }
        let (time, text) = split_time(line);
        let is_gap = time.is_some_and(|time| self.is_gap(time));
        if self.is_known(time, text) {
            return;
        }
        if is_gap {
            out.extend_from_slice(format!("{prefix}{GAP}\n").as_bytes());
        }
        match self.piece.take() {
            Some(piece) if piece.time == time => {
                let rest = text.get(piece.length..).unwrap_or_default();
                self.write(time, rest, "", out);
            }
            _ => self.write(time, text, prefix, out),
        }
    }

    fn write(&mut self, time: Option<i64>, text: &[u8], prefix: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(text);
        out.push(b'\n');
        if let Some(time) = time {
            self.position.wrote(time);
        }
    }

    /// Returns whether lines may be missing before the first one of a connection: the log no longer goes back to what was
    /// written last.
    fn is_gap(&mut self, time: i64) -> bool {
        std::mem::take(&mut self.expects_known) && self.position.is_before(time)
    }

    fn is_known(&mut self, time: Option<i64>, text: &[u8]) -> bool {
        if let Some(time) = time {
            return self.written.take(time);
        }
        if text == NO_WATCHES {
            self.out_of_watches = true;
            return true;
        }
        // All of a run that has gone was read, unless the connection to it was cut.
        let is_over =
            text.starts_with(RUN_IS_GONE) && self.position.second().is_some() && !self.expects_known;
        let again = self.only_timed || is_over || self.untimed == text;
        if !again {
            self.untimed = text.to_vec();
        }
        again
    }

    /// Hands on what there is of a very long line. What a connection cuts off is read again from the line's beginning.
    fn hand_on_piece(&mut self, prefix: &str, out: &mut Vec<u8>) {
        let going_on = self.piece.as_ref().is_some_and(|piece| piece.goes_on);
        let (time, text) = if going_on {
            (self.piece.as_ref().and_then(|piece| piece.time), &self.buffer[..])
        } else {
            split_time(&self.buffer)
        };
        if !going_on && time.is_some_and(|time| self.written.contains(time)) {
            return;
        }
        let resumed = self
            .piece
            .as_ref()
            .filter(|piece| !piece.goes_on && piece.time == time);
        let skipped = resumed.map_or(0, |piece| piece.length);
        let before = if going_on {
            self.piece.as_ref().map_or(0, |piece| piece.length)
        } else {
            0
        };
        let whole = text.len() - incomplete_tail(text);
        if whole <= skipped {
            return;
        }
        if !going_on && skipped == 0 {
            out.extend_from_slice(prefix.as_bytes());
        }
        out.extend_from_slice(&text[skipped..whole]);
        let rest = text[whole..].to_vec();
        self.piece = Some(Piece {
            time,
            length: before + whole,
            goes_on: true,
        });
        self.buffer = rest;
    }
}

/// Splits the time off that the kubelet puts before each line: nanoseconds since 1970, `None` if there is none.
fn split_time(line: &[u8]) -> (Option<i64>, &[u8]) {
    let Some(end) = line.iter().take(64).position(|byte| *byte == b' ') else {
        // An empty line may come without the blank.
        return match parse_time(line) {
            Some(time) => (Some(time), b""),
            None => (None, line),
        };
    };
    match parse_time(&line[..end]) {
        Some(time) => (Some(time), &line[end + 1..]),
        None => (None, line),
    }
}

fn parse_time(text: &[u8]) -> Option<i64> {
    let time: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

/// Returns how many bytes at the end are the beginning of a character whose other bytes are still to come.
fn incomplete_tail(text: &[u8]) -> usize {
    let lead = text.iter().rev().take(3).position(|byte| byte & 0xc0 == 0xc0);
    let Some(after) = lead else {
        return 0;
    };
    let needed = match text[text.len() - 1 - after] {
        0xf0.. => 4,
        0xe0.. => 3,
        _ => 2,
    };
    if after + 1 < needed { after + 1 } else { 0 }
}

fn into_text(bytes: Vec<u8>) -> String {
    odd_bytes::decode(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32, nanos: u32, text: &str) -> String {
        format!("2024-01-01T00:00:{second:02}.{nanos:09}Z {text}\n")
    }

    #[test]
    fn times_go_and_prefixes_come() {
        let mut lines = LogLines::default();
        let input = at(1, 1, "one") + &at(1, 2, "") + &at(1, 3, "  three ");
        assert_eq!(
            lines.feed(input.as_bytes(), "[c] "),
            "[c] one\n[c] \n[c]   three \n"
        );
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut() {
        let input = at(1, 1, "grün 🐟") + &at(1, 2, "two") + "no time\n";
        let whole = LogLines::default().feed(input.as_bytes(), "");
        for cut in 0..input.len() {
            let mut lines = LogLines::default();
            let parts = [&input.as_bytes()[..cut], &input.as_bytes()[cut..]];
            let text: String = parts.iter().map(|part| lines.feed(part, "")).collect();
            assert_eq!(text, whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_new_connection_at_any_byte_loses_and_repeats_nothing() {
        let all: Vec<String> = (0..30).map(|n| at(n / 7, n / 3, &format!("line {n}"))).collect();
        let expected: String = (0..30).map(|n| format!("line {n}\n")).collect();
        let input = all.concat();
        for cut in 0..input.len() {
            let mut lines = LogLines::default();
            let mut text = lines.feed(&input.as_bytes()[..cut], "");
            lines.reconnect(false, true);
            let second = lines.second().map_or(0, |second| second.rem_euclid(60));
            let again: String = (0..30u32)
                .filter(|n| i64::from(n / 7) >= second)
                .map(|n| all[n as usize].as_str())
                .collect();
            text += &lines.feed(again.as_bytes(), "");
            assert_eq!(text, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_very_long_line_comes_in_pieces_and_whole() {
        let long = "ü".repeat(3 * MAX_LINE / 4);
        let input = at(1, 1, &long) + &at(1, 2, "next");
        for chunk in [1000, 70_001, input.len()] {
            let mut lines = LogLines::default();
            let parts = input.as_bytes().chunks(chunk);
            let text: String = parts.map(|part| lines.feed(part, "[c] ")).collect();
            assert_eq!(
                text.len(),
                long.len() + "[c] \n[c] next\n".len(),
                "chunks of {chunk}"
            );
            assert!(text.ends_with("ü\n[c] next\n") && !text.contains('\u{fffd}'));
        }
    }

    #[test]
    fn a_very_long_line_is_continued_after_a_new_connection() {
        let long = "x".repeat(2 * MAX_LINE);
        let input = at(1, 1, &long) + &at(1, 2, "next");
        let mut lines = LogLines::default();
        let mut text = String::new();
        for part in input.as_bytes()[..3 * MAX_LINE / 2].chunks(9000) {
            text += &lines.feed(part, "[c] ");
        }
        assert!(text.len() > MAX_LINE);
        lines.reconnect(false, true);
        for part in input.as_bytes().chunks(9000) {
            text += &lines.feed(part, "[c] ");
        }
        assert_eq!(text, format!("[c] {long}\n[c] next\n"));
    }

    #[test]
    fn a_last_line_without_a_newline_gets_one() {
        let mut lines = LogLines::default();
        assert_eq!(lines.feed(at(1, 1, "end").trim_end().as_bytes(), ""), "");
        assert_eq!(lines.finish(""), "end\n");
        assert_eq!(lines.finish(""), "");
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_the_rest() {
        let mut lines = LogLines::default();
        let input = [
            at(1, 1, "caf").trim_end().as_bytes(),
            b"\xe9\n",
            at(1, 2, "ok").as_bytes(),
        ]
        .concat();
        assert_eq!(lines.feed(&input, ""), "caf\u{10ffe9}\nok\n");
    }

    #[test]
    fn what_the_kubelet_says_itself_is_said_once() {
        let mut lines = LogLines::default();
        assert_eq!(
            lines.feed(b"unable to retrieve container logs\n", ""),
            "unable to retrieve container logs\n"
        );
        lines.reconnect(false, true);
        assert_eq!(lines.feed(b"unable to retrieve container logs\n", ""), "");
        assert_eq!(
            lines.feed(b"failed to create fsnotify watcher: too many open files\n", ""),
            ""
        );
        assert!(lines.take_out_of_watches());
        lines.feed(b"failed to create fsnotify watcher: too many open files", "");
        lines.connection_ended();
        assert!(!lines.take_out_of_watches(), "it is told once");
        lines.reconnect(true, true);
        assert_eq!(lines.feed(b"unable to retrieve another\n", ""), "");
    }

    #[test]
    fn that_a_run_has_gone_is_told_only_if_there_was_more_to_read() {
        let gone = b"unable to retrieve container logs for containerd://1\n";
        let read = |was_cut: bool| {
            let mut lines = LogLines::default();
            lines.feed(at(1, 1, "last").as_bytes(), "");
            lines.reconnect(false, was_cut);
            lines.feed(gone, "")
        };
        assert_eq!(read(false), "");
        assert_eq!(read(true), String::from_utf8_lossy(gone));
    }

    #[test]
    fn a_log_that_goes_on_in_another_file_is_told_where_lines_may_be_missing() {
        let read = |was_cut: bool, first: &str| {
            let mut lines = LogLines::default();
            lines.feed(at(1, 5, "before").as_bytes(), "[c] ");
            lines.reconnect(false, was_cut);
            lines.feed((first.to_owned() + &at(9, 2, "later")).as_bytes(), "[c] ")
        };
        let gap = format!("[c] {GAP}\n[c] after\n[c] later\n");
        assert_eq!(read(true, &at(9, 1, "after")), gap);
        assert_eq!(
            read(false, &at(9, 1, "after")),
            "[c] after\n[c] later\n",
            "all was read"
        );
        let same_file = at(1, 5, "before") + &at(9, 1, "after");
        assert_eq!(read(true, &same_file), "[c] after\n[c] later\n");
    }
}
