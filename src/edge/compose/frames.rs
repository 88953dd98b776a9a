//! Takes the output of a container apart: frames of standard output and standard error, or the bytes of a terminal, become
//! lines, each with its time.
//!
//! Rule: <https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerAttach>, "Stream
//! format". A line of more than 16 KiB comes in several messages, each with a time of its own.

/// A frame begins with the number of its stream and its length.
const HEADER: usize = 8;
/// The engine cuts lines after so many bytes.
const MESSAGE: usize = 16 * 1024;
/// A line longer than this is told in pieces.
const MAX_LINE: usize = 1 << 20;

/// Reads the output of one container over one connection.
pub(super) struct Frames {
    has_tty: bool,
    /// What is not taken apart yet.
    buffer: Vec<u8>,
    /// The beginnings of lines, of standard output and of standard error.
    open: [Vec<u8>; 2],
}

impl Frames {
    pub(super) fn new(has_tty: bool) -> Self {
        Self {
            has_tty,
            buffer: Vec::new(),
            open: Default::default(),
        }
    }

    /// Takes in bytes; returns the lines that are whole by then.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.buffer.extend_from_slice(bytes);
        let mut lines = Vec::new();
        if self.has_tty {
            self.take_lines(&mut lines);
        } else {
            self.take_frames(&mut lines);
        }
        lines
    }

    /// Returns what is left of lines that have no end, at the end of the log.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        let rest = if self.has_tty {
            std::mem::take(&mut self.buffer)
        } else {
            Vec::new()
        };
        for mut open in self.open.iter_mut().map(std::mem::take).chain([rest]) {
            if !open.is_empty() {
                open.push(b'\n');
                lines.append(&mut open);
            }
        }
        lines
    }

    fn take_lines(&mut self, lines: &mut Vec<u8>) {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
            line.pop();
            line.pop_if(|byte| *byte == b'\r');
            join_messages(&mut line);
            lines.append(&mut line);
            lines.push(b'\n');
        }
    }

    fn take_frames(&mut self, lines: &mut Vec<u8>) {
        let mut at = 0;
        while let Some(header) = self.buffer.get(at..at + HEADER) {
            let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
            let stream = usize::from(header[0] == 2);
            let Some(message) = self.buffer.get(at + HEADER..at + HEADER + length) else {
                break;
            };
            take_message(&mut self.open[stream], message, lines);
            at += HEADER + length;
        }
        self.buffer.drain(..at);
    }
}

/// Takes in a message: a line, or a piece of one.
fn take_message(open: &mut Vec<u8>, message: &[u8], lines: &mut Vec<u8>) {
    if open.is_empty() {
        open.extend_from_slice(message);
    } else {
        open.extend_from_slice(&message[time_length(message)..]);
    }
    if open.ends_with(b"\n") {
        lines.append(open);
    } else if open.len() > MAX_LINE {
        let time = open[..time_length(open)].to_vec();
        lines.append(open);
        lines.push(b'\n');
        *open = time;
    }
}

/// Takes the times out of a line that the engine has cut.
fn join_messages(line: &mut Vec<u8>) {
    let mut cut = time_length(line) + MESSAGE;
    while cut < line.len() {
        let time = time_length(&line[cut..]);
        if time == 0 {
            return;
        }
        line.drain(cut..cut + time);
        cut += MESSAGE;
    }
}

/// Returns how long the time at the beginning is, with the blank behind it; 0 if there is none.
fn time_length(text: &[u8]) -> usize {
    let Some(end) = text.iter().take(64).position(|byte| *byte == b' ') else {
        return 0;
    };
    let time = &text[..end];
    let is_time =
        time.first().is_some_and(u8::is_ascii_digit) && time.contains(&b'T') && time.ends_with(b"Z");
    if is_time { end + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-01-01T00:00:00.000000001Z";

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0][..], &length, text.as_bytes()].concat()
    }

    fn read(has_tty: bool, bytes: &[u8], chunk: usize) -> String {
        let mut frames = Frames::new(has_tty);
        let mut lines: Vec<u8> = bytes.chunks(chunk).flat_map(|part| frames.feed(part)).collect();
        lines.extend(frames.finish());
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn both_streams_are_read_wherever_the_bytes_are_cut() {
        let bytes = [frame(1, "t one\n"), frame(2, "t two\n"), frame(1, "t open")].concat();
        for chunk in 1..bytes.len() {
            assert_eq!(read(false, &bytes, chunk), "t one\nt two\nt open\n", "{chunk}");
        }
    }

    #[test]
    fn a_line_that_the_engine_cut_is_one_line_and_the_other_stream_does_not_get_into_it() {
        let long = "x".repeat(MESSAGE);
        let bytes = [
            frame(1, &format!("{TIME} {long}")),
            frame(2, &format!("{TIME} other\n")),
            frame(1, &format!("{TIME} end\n")),
        ]
        .concat();
        let expected = format!("{TIME} other\n{TIME} {long}end\n");
        assert_eq!(read(false, &bytes, 1000), expected);
    }

    #[test]
    fn a_terminal_has_lines_without_frames() {
        let long = "x".repeat(MESSAGE);
        let bytes = format!("{TIME} high\r\n{TIME} {long}{TIME} end\r\n");
        assert_eq!(
            read(true, bytes.as_bytes(), 1000),
            format!("{TIME} high\n{TIME} {long}end\n")
        );
    }

    #[test]
    fn a_line_without_an_end_is_told_in_pieces_each_with_the_time() {
        let part = "x".repeat(MESSAGE);
        let mut bytes = Vec::new();
        for _ in 0..=MAX_LINE / MESSAGE {
            bytes.extend(frame(1, &format!("{TIME} {part}")));
        }
        bytes.extend(frame(1, &format!("{TIME} end\n")));
        let text = read(false, &bytes, 70_000);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.starts_with(TIME)));
        assert!(lines[1].ends_with("end"));
    }
}
