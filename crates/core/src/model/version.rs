//! Versions, and constraints on them as Tiltfiles write them.
//!
//! Rule: the ranges of Go's `blang/semver`: `>=0.22.1 <1.0.0`, `||` between alternatives, `0.22.x`.

use std::cmp::Ordering;

/// The version of Tilt that this program is compatible with: what Tiltfiles and extensions ask for.
pub const COMPATIBLE_VERSION: &str = "0.37.6";

/// A constraint on versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionConstraint(Vec<Vec<Comparison>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Major, minor and patch; a version before its release is less than the release.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    before: String,
}

impl Version {
    fn parse(text: &str) -> Result<Self, String> {
        let (text, _) = text.split_once('+').unwrap_or((text, ""));
        let (core, before) = text.split_once('-').unwrap_or((text, ""));
        let parts: Vec<&str> = core.split('.').collect();
        let [major, minor, patch] = &parts[..] else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let number = |part: &str| {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format!("Invalid character(s) found in number {part:?}"));
            }
            if part.len() > 1 && part.starts_with('0') {
                return Err(format!("Number must not contain leading zeroes {part:?}"));
            }
            part.parse().map_err(|_| format!("Number is too large {part:?}"))
        };
        Ok(Self {
            numbers: [number(major)?, number(minor)?, number(patch)?],
            before: before.to_owned(),
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_release = || match (self.before.is_empty(), other.before.is_empty()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => self.before.cmp(&other.before),
        };
        self.numbers.cmp(&other.numbers).then_with(by_release)
    }
}

impl VersionConstraint {
    /// Parses a constraint.
    ///
    /// # Errors
    /// A sentence, for a text that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let alternatives: Result<Vec<_>, String> = text.split("||").map(parse_all).collect();
        alternatives.map(Self)
    }

    /// Returns whether a version meets the constraint; one that is no version does not.
    pub fn matches(&self, version: &str) -> bool {
        let Ok(version) = Version::parse(version) else {
            return false;
        };
        let meets = |comparison: &Comparison| comparison.matches(&version);
        self.0.iter().any(|all| all.iter().all(meets))
    }
}

impl Comparison {
    fn matches(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
        }
    }
}

/// Parses comparisons that must all hold.
fn parse_all(text: &str) -> Result<Vec<Comparison>, String> {
    let mut all = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let split = word
            .find(|c: char| c.is_ascii_alphanumeric())
            .unwrap_or(word.len());
        let (operator, mut version) = word.split_at(split);
        if version.is_empty() {
            // Blanks may stand between an operator and its version.
            version = words.next().unwrap_or_default();
        }
        all.extend(parse_one(operator, version)?);
    }
    if all.is_empty() {
        return Err("empty range".to_owned());
    }
    Ok(all)
}

fn parse_one(operator: &str, version: &str) -> Result<Vec<Comparison>, String> {
    let range = format!("{operator}{version}");
    let refused = |why: &str| format!("Could not parse Range {range:?}: {why}");
    let comparison = |operator, version| Comparison { operator, version };
    let operator = match operator {
        "" | "=" | "==" => Operator::Equal,
        "!" | "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        other => {
            let why = format!("Could not parse comparator {other:?} in {range:?}");
            return Err(refused(&why));
        }
    };
    let could_not_parse = |why| {
        refused(&format!(
            "Could not parse version {version:?} in {range:?}: {why}"
        ))
    };
    let Some((first, next)) = wildcard(version).map_err(could_not_parse)? else {
        let version = Version::parse(version).map_err(could_not_parse)?;
        return Ok(vec![comparison(operator, version)]);
    };
    // `0.22.x` stands for all from `0.22.0` to before `0.23.0`.
    match operator {
        Operator::Equal => Ok(vec![
            comparison(Operator::GreaterOrEqual, first),
            comparison(Operator::Less, next),
        ]),
        Operator::Greater => Ok(vec![comparison(Operator::GreaterOrEqual, next)]),
        Operator::GreaterOrEqual => Ok(vec![comparison(Operator::GreaterOrEqual, first)]),
        Operator::Less => Ok(vec![comparison(Operator::Less, first)]),
        Operator::LessOrEqual => Ok(vec![comparison(Operator::Less, next)]),
        Operator::NotEqual => Err(format!("{version:?} cannot be excluded as a whole")),
    }
}

/// Returns the first version that a wildcard stands for, and the first one after those; `None` without a wildcard.
fn wildcard(text: &str) -> Result<Option<(Version, Version)>, String> {
    let parts: Vec<&str> = text.split('.').collect();
    let fixed: Vec<&str> = parts.iter().copied().take_while(|part| *part != "x").collect();
    if fixed.len() == parts.len() || fixed.is_empty() || parts.len() > 3 {
        return Ok(None);
    }
    let padded = [fixed.as_slice(), &["0", "0"]].concat();
    let first = Version::parse(&padded[..3].join("."))?;
    let mut next = first.clone();
    match fixed.len() {
        1 => next.numbers = [first.numbers[0].saturating_add(1), 0, 0],
        _ => next.numbers = [first.numbers[0], first.numbers[1].saturating_add(1), 0],
    }
    Ok(Some((first, next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_meet_constraints_or_not() {
        for (constraint, version, expected) in [
            (">=0.22.1 <1.0.0", "0.37.6", true),
            (">=0.22.1 <0.30.0", "0.37.6", false),
            (">= 0.22.1", "0.37.6", true),
            ("<0.1.0 || >0.37.0", "0.37.6", true),
            ("0.37.6", "0.37.6", true),
            ("=0.37.5", "0.37.6", false),
            ("!=0.37.5", "0.37.6", true),
            ("0.37.x", "0.37.6", true),
            ("0.36.x", "0.37.6", false),
            ("0.x", "0.37.6", true),
            (">0.37.x", "0.37.6", false),
            ("<=0.37.x", "0.37.6", true),
            (">0.37.6-rc1", "0.37.6", true),
            (">0.37.6", "0.37.6-rc1", false),
        ] {
            let parsed = VersionConstraint::parse(constraint).unwrap();
            assert_eq!(parsed.matches(version), expected, "{constraint} {version}");
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in [
            "", "<0.1", "a.b.c", ">>1.0.0", "1.0.0 ||", "01.0.0", "=>1.0.0", "x",
        ] {
            assert!(VersionConstraint::parse(text).is_err(), "{text}");
        }
        let refused = |text: &str| VersionConstraint::parse(text).unwrap_err();
        assert_eq!(
            refused(">=99"),
            "Could not parse Range \">=99\": Could not parse version \"99\" in \">=99\": No Major.Minor.Patch elements found"
        );
        assert_eq!(
            refused("^1.2.3"),
            "Could not parse Range \"^1.2.3\": Could not parse comparator \"^\" in \"^1.2.3\""
        );
    }
}
