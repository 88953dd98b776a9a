//! JSON as Go prints it for people: indented, and with `<`, `>` and `&` escaped.

use std::io;

use serde_json::ser::{Formatter, PrettyFormatter};

use crate::model::octets::shown;

/// Indents by two blanks and escapes what browsers might take for markup.
#[derive(Default)]
pub(super) struct GoFormatter(PrettyFormatter<'static>);

macro_rules! as_pretty {
    ($($method:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $method<W: ?Sized + io::Write>(&mut self, writer: &mut W, $($arg: $type),*) -> io::Result<()> {
            self.0.$method(writer, $($arg),*)
        })*
    };
}

impl Formatter for GoFormatter {
    as_pretty! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let is_special = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        let fragment = shown(fragment);
        let mut rest = &*fragment;
        while let Some(at) = rest.find(is_special) {
            let (before, special) = rest.split_at(at);
            let c = special.chars().next().unwrap_or_default();
            write!(writer, "{before}\\u{:04x}", u32::from(c))?;
            rest = &special[c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn markup_is_escaped_and_all_else_as_usual() {
        let mut out = Vec::new();
        let value = json!({"a<b": ["x>y & z\u{2028}\n", 1, [], {}]});
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, GoFormatter::default());
        value.serialize(&mut serializer).expect("memory");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "{\n  \"a\\u003cb\": [\n    \"x\\u003ey \\u0026 z\\u2028\\n\",\n    1,\n    [],\n    {}\n  ]\n}"
        );
    }
}
