//! JSONPath as kubectl writes it: `{.spec.containers[*].image}`, `[?(@.name=='x')]`, `..`, `{range}` and `{end}`. Text
//! outside braces stands for itself.
//!
//! Rule: https://kubernetes.io/docs/reference/kubectl/jsonpath/ and client-go's `util/jsonpath`.

mod evaluate;
mod node;
mod parse;

pub use node::Found;
use node::Node;
use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    /// What stands outside braces, and in each pair of them.
    parts: Vec<Vec<Node>>,
}

impl JsonPath {
    /// Parses a path.
    ///
    /// # Errors
    /// In client-go's words, such as `unclosed action`.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::path(text).map(|parts| Self { parts })
    }

    /// Returns what the path leads to in `object`, in order.
    ///
    /// # Errors
    /// In client-go's words, such as `image is not found`.
    pub fn find(&self, object: &Value) -> Result<Vec<Found>, String> {
        let groups = evaluate::find(&self.parts, object, false)?;
        Ok(groups.into_iter().flatten().collect())
    }

    /// Returns what kubectl prints for the path: the results of each pair of braces joined by spaces, text as it is. What is
    /// not there prints nothing.
    ///
    /// # Errors
    /// As for [`JsonPath::find`].
    pub fn print(&self, object: &Value) -> Result<String, String> {
        let groups = evaluate::find(&self.parts, object, true)?;
        let shown = |found: &Found| match &found.value {
            Value::String(text) => text.clone(),
            other => {
                let mut sorted = other.clone();
                sorted.sort_all_objects();
                sorted.to_string()
            }
        };
        let groups = groups
            .iter()
            .map(|group| group.iter().map(shown).collect::<Vec<_>>().join(" "));
        Ok(groups.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({"spec": {
            "image": "a:1",
            "stages": [{"name": "one", "image": "b", "n": 1}, {"name": "two", "image": "c", "n": 2}, {"name": "three"}],
            "dotted.key/x": {"image": "d"},
            "n": 7,
        }})
    }

    fn find(path: &str) -> Result<Vec<Value>, String> {
        let found = JsonPath::parse(path)?.find(&object())?;
        for found in &found {
            if let Some(pointer) = &found.pointer {
                assert_eq!(object().pointer(pointer), Some(&found.value), "{path}");
            }
        }
        Ok(found.into_iter().map(|found| found.value).collect())
    }

    #[test]
    fn a_path_is_printed_as_a_template() {
        for (path, expected) in [
            ("{.spec.stages[*].name}", "one two three"),
            (
                "{range .spec.stages[*]}{.name}={.image}{\"\\n\"}{end}",
                "one=b\ntwo=c\nthree=\n",
            ),
            ("n: {.spec.n}, {.spec.nosuch}.", "n: 7, ."),
            ("{.spec.stages[0]}", "{\"image\":\"b\",\"n\":1,\"name\":\"one\"}"),
        ] {
            let printed = JsonPath::parse(path).and_then(|path| path.print(&object()));
            assert_eq!(printed.as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn paths_lead_to_values_in_order() {
        for (path, expected) in [
            ("{.spec.image}", json!(["a:1"])),
            ("{$.spec.image}", json!(["a:1"])),
            ("{.spec.stages[*].image}", json!(["b", "c"])),
            ("{.spec.stages[1].name}", json!(["two"])),
            ("{.spec.stages[-1].name}", json!(["three"])),
            ("{.spec.stages[0:2].name}", json!(["one", "two"])),
            ("{.spec.stages[::2].name}", json!(["one", "three"])),
            ("{.spec.stages[0,2].name}", json!(["one", "three"])),
            ("{.spec['image']}", json!(["a:1"])),
            ("{.spec['image','n']}", json!(["a:1", 7])),
            ("{.spec.dotted\\.key/x.image}", json!(["d"])),
            ("{.spec.stages[?(@.name=='two')].image}", json!(["c"])),
            ("{.spec.stages[?(@.name!=\"two\")].name}", json!(["one", "three"])),
            ("{.spec.stages[?(@.n>1)].image}", json!(["c"])),
            ("{.spec.stages[?(@.image)].name}", json!(["one", "two"])),
            ("{.spec.stages[?(@.name=='none')].image}", json!([])),
            ("{..image}", json!(["a:1", "b", "c", "d"])),
            ("{.spec.stages[0].*}", json!(["one", "b", 1])),
            (".spec.image", json!([".spec.image"])),
            ("{.spec.n}x", json!([7, "x"])),
            ("{'x'}", json!(["x"])),
            ("{range .spec.stages[0:2]}{.name}{end}", json!(["one", "two"])),
        ] {
            assert_eq!(find(path).map(Value::from), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (path, why) in [
            ("{.spec.missing}", "missing is not found"),
            ("{.spec.stages[*].missing}", "missing is not found"),
            (
                "{.spec.stages[5].image}",
                "array index out of bounds: index 5, length 3",
            ),
            ("{foobar()}", "unrecognized identifier foobar()"),
            ("{.spec.image[0]}", "string is not array or slice"),
            ("{end}", "not in range, nothing to end"),
        ] {
            assert_eq!(find(path), Err(why.to_owned()), "{path}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for (path, why) in [
            ("{.spec", "unclosed action"),
            ("{.spec[0", "unterminated array"),
            ("{.spec[x]}", "invalid array index x"),
            ("{.spec[?(@.a=='b']}", "unterminated filter"),
            ("{'x}", "unterminated quoted string"),
            ("{.a....b}", "invalid multiple recursive descent"),
            ("{&}", "unrecognized character in action: U+0026 '&'"),
        ] {
            assert_eq!(JsonPath::parse(path), Err(why.to_owned()), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_path_is_a_panic(text in "[{}\\[\\].*@$?()'=<!:,a-c 0-2+\"\\\\-]{0,40}") {
            if let Ok(path) = JsonPath::parse(&text) {
                let _ = path.find(&object());
            }
        }
    }
}
