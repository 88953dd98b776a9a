//! Times in records are written as text: `2026-01-31T12:00:00.000000Z`.

use serde::{Deserialize, Deserializer, Serializer};

use crate::model::Timestamp;

pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.to_micro_text())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    Timestamp::from_text(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time")))
}

/// The same for a time that may not have come.
pub(super) mod maybe {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Timestamp;

    pub(in super::super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_some(&time.to_micro_text()),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        Ok(text.and_then(|text| Timestamp::from_text(&text)))
    }
}
