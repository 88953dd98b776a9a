//! What is printed of the classic builder's output and of pushes, from the messages that the engine streams.
//!
//! Pure: messages and the time go in, lines come out.
//!
//! Rule: `docs/rules/images.md`, "Docker builds".

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::{BuildInfo, ProgressDetail};

use super::output_line::{Line, human_size};

/// The least time between two lines about one layer.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// The layers of one build or push, as far as they are printed.
#[derive(Default)]
pub(super) struct StreamOutput {
    printed_at: HashMap<String, Instant>,
    /// How much of each layer was sent.
    pushed: HashMap<String, i64>,
    partial_line: String,
}

impl StreamOutput {
    /// Returns what a further message adds.
    pub(super) fn update(&mut self, now: Instant, message: &BuildInfo) -> Vec<Line> {
        if let Some(text) = &message.stream {
            return self.stream(text);
        }
        match (&message.id, &message.status) {
            (Some(id), Some(status)) => self
                .layer(now, id, status, message.progress_detail.as_ref())
                .into_iter()
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns how many bytes were sent to a registry.
    pub(super) fn pushed_bytes(&self) -> u64 {
        self.pushed
            .values()
            .filter_map(|sent| u64::try_from(*sent).ok())
            .sum()
    }

    /// Returns the last line, if it had no end.
    pub(super) fn finish(&mut self) -> Vec<Line> {
        let rest = std::mem::take(&mut self.partial_line);
        if rest.is_empty() {
            Vec::new()
        } else {
            vec![plain(&rest)]
        }
    }

    fn stream(&mut self, text: &str) -> Vec<Line> {
        self.partial_line.push_str(text);
        let Some(end) = self.partial_line.rfind('\n') else {
            return Vec::new();
        };
        let rest = self.partial_line.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial_line, rest);
        whole.lines().map(plain).collect()
    }

    fn layer(
        &mut self,
        now: Instant,
        id: &str,
        status: &str,
        detail: Option<&ProgressDetail>,
    ) -> Option<Line> {
        let (current, total) = detail.map_or((0, 0), |d| (d.current.unwrap_or(0), d.total.unwrap_or(0)));
        if current == 0 && matches!(status, "Waiting" | "Preparing") {
            return None;
        }
        if status == "Pushing" {
            let sent = self.pushed.entry(id.to_owned()).or_default();
            *sent = current.max(*sent);
        }
        let complete = current == total;
        let due = match self.printed_at.get(id) {
            None => true,
            Some(last) => complete || now.saturating_duration_since(*last) > PROGRESS_INTERVAL,
        };
        if !due {
            return None;
        }
        self.printed_at.insert(id.to_owned(), now);
        Some(Line {
            text: format!("{id}: {status} {}", bar(current, total))
                .trim_end()
                .to_owned(),
            progress_id: Some(id.to_owned()),
            must_print: complete,
        })
    }
}

fn plain(text: &str) -> Line {
    Line {
        text: text.to_owned(),
        progress_id: None,
        must_print: false,
    }
}

/// `[=====>      ]  1.5MB/3MB`, as the docker command draws it.
fn bar(current: i64, total: i64) -> String {
    const WIDTH: usize = 50;
    if current <= 0 && total <= 0 {
        return String::new();
    }
    if total <= 0 {
        return format!("{:>8}", human_size(current));
    }
    let part = (current as f64 / total as f64 * WIDTH as f64) as usize;
    let filled = part.min(WIDTH);
    let numbers = if current > total {
        format!("{:>8}", human_size(current))
    } else {
        format!("{:>8}/{}", human_size(current), human_size(total))
    };
    format!(
        "[{}>{}] {numbers}",
        "=".repeat(filled),
        " ".repeat(WIDTH - filled)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(id: &str, status: &str, current: Option<i64>, total: Option<i64>) -> BuildInfo {
        BuildInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: Some(ProgressDetail { current, total }),
            ..BuildInfo::default()
        }
    }

    /// A push to a registry, as Docker 20.10 reports it.
    #[test]
    fn a_push_prints_each_layer_when_it_starts_and_when_it_ends() {
        let mut output = StreamOutput::default();
        let now = crate::clock::now();
        let mut at = |secs, message: &BuildInfo| {
            let lines = output.update(now + Duration::from_secs(secs), message);
            lines
                .into_iter()
                .map(|line| (line.text, line.must_print))
                .collect::<Vec<_>>()
        };
        let repository = BuildInfo {
            status: Some("The push refers to repository [localhost:5000/x]".to_owned()),
            ..BuildInfo::default()
        };
        assert_eq!(at(0, &repository), []);
        assert_eq!(at(0, &layer("a1", "Preparing", None, None)), []);
        let bar = format!("a1: Pushing [>{}]  98.82kB/8.389MB", " ".repeat(50));
        assert_eq!(
            at(0, &layer("a1", "Pushing", Some(98_816), Some(8_388_608))),
            [(bar, false)]
        );
        assert_eq!(
            at(1, &layer("a1", "Pushing", Some(4_030_976), Some(8_388_608))),
            []
        );
        assert_eq!(
            at(3, &layer("a1", "Pushing", Some(4_194_304), Some(8_388_608))).len(),
            1
        );
        assert_eq!(
            at(3, &layer("a1", "Pushed", None, None)),
            [("a1: Pushed".to_owned(), true)]
        );
        let full = format!("b2: Pushing [{}>]     512B", "=".repeat(50));
        assert_eq!(
            at(3, &layer("b2", "Pushing", Some(512), Some(157))),
            [(full, false)]
        );
        assert_eq!(
            at(3, &layer("c3", "Layer already exists", None, None)),
            [("c3: Layer already exists".to_owned(), true)]
        );
    }

    #[test]
    fn output_of_the_classic_builder_comes_as_lines() {
        let mut output = StreamOutput::default();
        let now = crate::clock::now();
        let mut say = |text: &str| {
            let message = BuildInfo {
                stream: Some(text.to_owned()),
                ..BuildInfo::default()
            };
            let lines = output.update(now, &message);
            lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
        };
        assert_eq!(say("Step 1/2 : FROM x"), [""; 0]);
        assert_eq!(say("\n ---> 12\nrest"), ["Step 1/2 : FROM x", " ---> 12"]);
        assert_eq!(output.finish().len(), 1);
    }

    #[test]
    fn sizes_have_four_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (76, "76B"),
            (512, "512B"),
            (1_000, "1kB"),
            (98_816, "98.82kB"),
            (8_388_608, "8.389MB"),
            (100_000_000, "100MB"),
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
