//! The report as JUnit XML: a suite for each resource, a case for each stage of its last update. A run that failed by no
//! resource's fault has a suite of its own, so that nobody counts it as passed.

use super::{Case, CiReport, ResourceReport, Verdict, cases, plain};

/// Returns the report as JUnit XML.
pub fn junit(report: &CiReport) -> String {
    let suites: Vec<(&ResourceReport, Vec<Case>)> = report
        .resources
        .iter()
        .map(|resource| (resource, cases(resource)))
        .collect();
    let all = || suites.iter().flat_map(|(_, cases)| cases);
    let failure = report.blameless_failure();
    let own = usize::from(failure.is_some());
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites name=\"tilt ci\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">\n",
        all().count() + own,
        all().filter(|case| is_failed(case)).count(),
        own + all().filter(|case| is_unfinished(case)).count(),
        report.seconds
    ));
    // A time without fractions and zone is what all readers know.
    let timestamp = report.started.get(..19).unwrap_or_default();
    for (resource, cases) in &suites {
        let time: f64 = cases.iter().map(|case| case.seconds).sum();
        let count = |test: fn(&Case) -> bool| cases.iter().filter(|case| test(case)).count();
        out.push_str(&format!(
            "  <testsuite name={} tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{time:.3}\" timestamp=\"{timestamp}\" hostname=\"localhost\">\n",
            quoted(&resource.name),
            cases.len(),
            count(is_failed),
            count(is_unfinished),
            count(|case| matches!(case.verdict, Verdict::Skipped(_))),
        ));
        cases.iter().for_each(|case| write_case(case, &mut out));
        out.push_str("  </testsuite>\n");
    }
    if let Some(message) = failure {
        out.push_str(&suite_of_the_run(message, report.seconds, timestamp));
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite_of_the_run(message: &str, seconds: f64, timestamp: &str) -> String {
    let first = plain(message.lines().next().unwrap_or_default());
    let all: Vec<String> = message.lines().map(plain).collect();
    format!(
        r#"  <testsuite name="tilt ci" tests="1" failures="0" errors="1" skipped="0" time="{seconds:.3}" timestamp="{timestamp}" hostname="localhost">
    <testcase name="run" classname="tilt ci" time="{seconds:.3}">
      <error message={} type="failed">{}</error>
    </testcase>
  </testsuite>
"#,
        quoted(&first),
        escaped(&all.join("\n"))
    )
}

fn is_failed(case: &Case) -> bool {
    matches!(case.verdict, Verdict::Failed(_))
}

fn is_unfinished(case: &Case) -> bool {
    matches!(case.verdict, Verdict::Unfinished(_))
}

fn write_case(case: &Case, out: &mut String) {
    out.push_str(&format!(
        "    <testcase name={} classname={} time=\"{:.3}\"",
        quoted(&case.name),
        quoted(&case.resource.name),
        case.seconds
    ));
    let lines = || case.resource.last_lines.iter().map(|line| plain(line));
    let said = lines().collect::<Vec<_>>().join("\n");
    let (tag, kind, reason) = match case.verdict {
        Verdict::Passed => return out.push_str("/>\n"),
        Verdict::Skipped(why) => {
            out.push_str(&format!(
                ">\n      <skipped message={}/>\n    </testcase>\n",
                quoted(why)
            ));
            return;
        }
        Verdict::Failed(reason) => ("failure", "failed", reason),
        Verdict::Unfinished(reason) => ("error", "not finished", reason),
    };
    let reason = if reason.is_empty() { kind } else { reason };
    // Kubernetes' reason comes first, in a word.
    let word = reason.split(':').next().filter(|word| !word.contains(' '));
    out.push_str(&format!(
        ">\n      <{tag} message={} type={}>{}</{tag}>\n",
        quoted(&plain(reason)),
        quoted(word.unwrap_or(kind)),
        escaped(&said)
    ));
    if !said.is_empty() {
        out.push_str(&format!("      <system-out>{}</system-out>\n", escaped(&said)));
    }
    out.push_str("    </testcase>\n");
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('\n', "&#10;"))
}

/// Returns a text as XML has it; what XML cannot have is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
