//! Replaces secrets in text that comes in chunks, so that a value split over two chunks is found too.
//!
//! Only the end of an incomplete line is ever held back, and only as much of it as could be the start of a secret.

use aho_corasick::{AhoCorasick, MatchKind};

/// Shorter lines of a value with several lines are not looked for on their own: they would match everywhere.
const MIN_LINE_BYTES: usize = 8;

/// A set of secrets, compiled once.
#[derive(Default)]
pub(super) struct Scrubber {
    /// What to look for, with what stands in for it; sorted by the former.
    secrets: Vec<(String, String)>,
    matcher: Option<AhoCorasick>,
    longest: usize,
}

impl Scrubber {
    /// Compiles pairs of a secret and what stands in for it; of equal secrets the last one wins.
    ///
    /// A secret of several lines is found as a whole where it comes in one chunk, and line by line elsewhere; one that
    /// looks otherwise in JSON or in quotes is found there too.
    pub(super) fn new(pairs: &[(String, String)]) -> Self {
        let mut known = std::collections::BTreeMap::new();
        for (secret, stand_in) in pairs {
            for line in secret.lines().filter(|line| line.len() >= MIN_LINE_BYTES) {
                known.entry(line.to_owned()).or_insert_with(|| stand_in.clone());
            }
        }
        for (secret, stand_in) in pairs.iter().filter(|(secret, _)| !secret.is_empty()) {
            for escaped in escaped(secret) {
                known.entry(escaped).or_insert_with(|| stand_in.clone());
            }
            known.insert(secret.clone(), stand_in.clone());
        }
        let secrets: Vec<_> = known.into_iter().collect();
        let matcher = (!secrets.is_empty()).then(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(secrets.iter().map(|(secret, _)| secret))
                .expect("there are far fewer than 2^31 secrets")
        });
        Self {
            longest: secrets.iter().map(|(secret, _)| secret.len()).max().unwrap_or(0),
            secrets,
            matcher,
        }
    }

    /// Moves `text` to `out` with secrets replaced, but for an end that could be the start of a secret: that end stays.
    pub(super) fn scrub(&self, text: &mut String, out: &mut String) {
        let Some(matcher) = &self.matcher else {
            out.push_str(text);
            text.clear();
            return;
        };
        let mut done = 0;
        while done < text.len() {
            let hold = self.hold_from(text, done);
            let found = matcher.find(aho_corasick::Input::new(text.as_str()).range(done..));
            match found.filter(|found| found.start() < hold) {
                Some(found) => {
                    out.push_str(&text[done..found.start()]);
                    out.push_str(&self.secrets[found.pattern().as_usize()].1);
                    done = found.end();
                }
                None => {
                    out.push_str(&text[done..hold]);
                    done = hold;
                    break;
                }
            }
        }
        text.drain(..done);
    }

    /// Moves all of `text` to `out` with secrets replaced: nothing more will come.
    pub(super) fn scrub_end(&self, text: &mut String, out: &mut String) {
        let rest = std::mem::take(text);
        match &self.matcher {
            Some(matcher) => matcher.replace_all_with(&rest, out, |found, _, out| {
                out.push_str(&self.secrets[found.pattern().as_usize()].1);
                true
            }),
            None => out.push_str(&rest),
        }
    }

    /// Returns a text with secrets replaced; `None` if it holds none.
    pub(super) fn scrubbed(&self, text: &str) -> Option<String> {
        self.matcher.as_ref()?.find(text)?;
        let mut out = String::with_capacity(text.len());
        self.scrub_end(&mut text.to_owned(), &mut out);
        Some(out)
    }

    /// Returns where the first secret may begin that the end of `text` leaves open; the length of `text` if none can.
    fn hold_from(&self, text: &str, done: usize) -> usize {
        let line = text.rfind('\n').map_or(0, |newline| newline + 1);
        let earliest = text.len().saturating_sub(self.longest.saturating_sub(1));
        (earliest.max(line).max(done)..text.len())
            .find(|&start| text.is_char_boundary(start) && self.is_open(&text[start..]))
            .unwrap_or(text.len())
    }

    /// Returns whether `end` is the start of a longer secret.
    fn is_open(&self, end: &str) -> bool {
        let next = self.secrets.partition_point(|(secret, _)| secret.as_str() <= end);
        self.secrets
            .get(next)
            .is_some_and(|(secret, _)| secret.starts_with(end))
    }
}

/// Returns how a secret is written within quotes: in JSON, in traces, and in JSON that is within quotes again.
fn escaped(secret: &str) -> [String; 3] {
    let json = unquoted(&serde_json::Value::from(secret).to_string());
    let again = unquoted(&format!("{json:?}"));
    [json, unquoted(&format!("{secret:?}")), again]
}

fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(secrets: &[&str]) -> Scrubber {
        let pairs: Vec<_> = secrets
            .iter()
            .map(|s| ((*s).to_owned(), format!("[{}]", s.len())))
            .collect();
        Scrubber::new(&pairs)
    }

    fn in_chunks(scrubber: &Scrubber, chunks: &[&str]) -> (String, String) {
        let (mut held, mut out) = (String::new(), String::new());
        for chunk in chunks {
            held.push_str(chunk);
            scrubber.scrub(&mut held, &mut out);
        }
        (out, held)
    }

    #[test]
    fn a_secret_over_two_chunks_is_replaced() {
        let scrubber = scrubber(&["hunter2"]);
        assert_eq!(in_chunks(&scrubber, &["pw: hun", "ter2.\n"]).0, "pw: [7].\n");
    }

    #[test]
    fn only_what_could_begin_a_secret_is_held_back() {
        let scrubber = scrubber(&["hunter2"]);
        let expect = ("pw: ".to_owned(), "hunt".to_owned());
        assert_eq!(in_chunks(&scrubber, &["pw: hunt"]), expect);
        assert_eq!(in_chunks(&scrubber, &["pw: hunt\n"]).1, "");
    }

    #[test]
    fn the_longer_of_two_secrets_wins_even_when_its_end_comes_later() {
        let scrubber = scrubber(&["secret", "secret-long"]);
        assert_eq!(in_chunks(&scrubber, &["secret", "-long\n"]).0, "[11]\n");
        assert_eq!(in_chunks(&scrubber, &["secret", "-lo\n"]).0, "[6]-lo\n");
    }

    #[test]
    fn a_value_of_several_lines_is_replaced_whole_and_by_line() {
        let scrubber = scrubber(&["-----BEGIN-----\nabcdefgh\n}\n"]);
        assert_eq!(
            in_chunks(&scrubber, &["x -----BEGIN-----\nabcdefgh\n}\ny\n"]).0,
            "x [27]y\n"
        );
        assert_eq!(
            in_chunks(&scrubber, &["-----BEGIN-----\n", "abcdefgh\n", "}\n"]).0,
            "[27]\n[27]\n}\n"
        );
    }

    #[test]
    fn a_value_is_found_also_where_it_stands_within_quotes() {
        let secret = "say \"friend\"\tand enter";
        let scrubber = scrubber(&[secret]);
        let json = serde_json::json!({ "word": secret });
        let of_json = |text: &str| serde_json::to_string(text).expect("text");
        for text in [
            json.to_string(),
            format!("{json:?}"),
            format!("{secret:?}"),
            of_json(&json.to_string()),
            format!("{:?}", json.to_string()),
        ] {
            let shown = in_chunks(&scrubber, &[text.as_str(), "\n"]).0;
            assert!(
                shown.contains("[22]") && !shown.contains("friend"),
                "{text} is {shown}"
            );
        }
    }

    #[test]
    fn the_end_of_the_text_gives_up_what_was_held() {
        let scrubber = scrubber(&["hunter2"]);
        let (mut out, mut held) = in_chunks(&scrubber, &["hunt"]);
        scrubber.scrub_end(&mut held, &mut out);
        assert_eq!(out, "hunt");
    }

    proptest::proptest! {
        #[test]
        fn chunks_do_not_matter(
            text in "[abc\n]{0,40}",
            secrets in proptest::collection::vec("[abc]{2,5}", 0..4),
            cuts in proptest::collection::vec(0usize..40, 0..6),
        ) {
            let scrubber = scrubber(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let finish = |(mut out, mut held): (String, String)| {
                scrubber.scrub_end(&mut held, &mut out);
                out
            };
            let whole = finish(in_chunks(&scrubber, &[&text]));
            proptest::prop_assert_eq!(finish(in_chunks(&scrubber, &chunks)), whole);
        }
    }
}
