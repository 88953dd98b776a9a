//! Templates in the language of Go's `text/template`, as far as objects of an API are shown with it.
//!
//! `parse` reads a template into what `syntax` says, `evaluate` fills it in, `functions` has what it can call. Numbers are those of JSON.

mod evaluate;
mod functions;
mod parse;
mod syntax;

use serde_json::Value;

pub use syntax::GoTemplate;

impl GoTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = parse::parse(text).map_err(|why| format!("template: output:{why}"))?;
        Ok(Self {
            text: text.to_owned(),
            main: parsed.main,
            named: parsed.named,
        })
    }

    /// Fills the template in. With `strict`, a field that an object does not have is a fault; else it is `<no value>`.
    ///
    /// # Errors
    /// What cannot be done, and where that stands.
    pub fn print(&self, object: &Value, strict: bool) -> Result<String, String> {
        evaluate::print(self, object, strict)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(template: &str, expected: &str) {
        let object = json!({
            "items": [{"name": "a", "n": 1, "on": true}, {"name": "b", "n": 2.5, "on": false}],
            "metadata": {"name": "web", "labels": {"x.y/z": "1", "b": "2"}}, "empty": [], "none": null,
        });
        let printed = GoTemplate::parse(template).and_then(|template| template.print(&object, false));
        assert_eq!(printed.as_deref(), Ok(expected), "{template}");
    }

    #[test]
    fn fields_loops_and_conditions_are_filled_in() {
        for (template, expected) in [
            ("{{.metadata.name}}!", "web!"),
            ("{{.nosuch}} {{.none}}", "<no value> <no value>"),
            ("{{range .items}}{{.name}}={{.n}} {{end}}", "a=1 b=2.5 "),
            ("{{range $i, $item := .items}}{{$i}}{{$item.name}}{{end}}", "0a1b"),
            (
                "{{range $k, $v := .metadata.labels}}{{$k}}:{{$v}};{{end}}",
                "b:2;x.y/z:1;",
            ),
            ("{{range .empty}}x{{else}}none{{end}}", "none"),
            ("{{if .nosuch}}a{{else if .items}}b{{else}}c{{end}}", "b"),
            ("{{with .metadata}}{{.name}}{{$.items | len}}{{end}}", "web2"),
            ("{{- /* nothing */ -}}  a {{- 1 }} {{ \"b\" -}}  c", "a1 bc"),
            ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
            (
                "{{range .items}}{{if eq .name \"b\"}}{{break}}{{end}}{{.name}}{{end}}",
                "a",
            ),
            (
                "{{define \"row\"}}<{{.}}>{{end}}{{range .items}}{{template \"row\" .name}}{{end}}",
                "<a><b>",
            ),
            ("{{.metadata.labels}} {{.items | len}}", "map[b:2 x.y/z:1] 2"),
            ("{{(index .items 1).name}}", "b"),
        ] {
            check(template, expected);
        }
    }

    #[test]
    fn functions_are_those_of_go_and_kubectl() {
        for (template, expected) in [
            ("{{index .metadata.labels \"x.y/z\"}}", "1"),
            (
                "{{printf \"%s-%d %v %q %5.1f|%-4s|\" .metadata.name 3 true \"q\" 2.55 \"l\"}}",
                "web-3 true \"q\"   2.5|l   |",
            ),
            ("{{print 1 2 \"x\" 3}}", "1 2x3"),
            (
                "{{and .items .empty}} {{or .nosuch \"x\"}} {{not .empty}}",
                "[] x true",
            ),
            (
                "{{if and (eq 1 1) (lt 1 2) (ge 2 2) (ne \"a\" \"b\")}}y{{end}}",
                "y",
            ),
            ("{{eq .metadata.name \"a\" \"web\"}}", "true"),
            (
                "{{\"aGk=\" | base64decode}} {{exists . \"metadata\" \"name\"}} {{exists . \"metadata\" \"no\"}}",
                "hi true false",
            ),
            (
                "{{slice .metadata.name 1 2}} {{html \"<a>\"}} {{urlquery \"a b\"}}",
                "e &lt;a&gt; a+b",
            ),
        ] {
            check(template, expected);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (template, expected) in [
            ("{{.x", "template: output:1: unclosed action"),
            ("{{if .x}}", "template: output:1: unexpected EOF"),
            (
                "\n{{nosuch .x}}",
                "template: output:2: function \"nosuch\" not defined",
            ),
            ("{{end}}", "template: output:1: unexpected {{end}}"),
            ("{{$x}}", "template: output:1: undefined variable \"$x\""),
        ] {
            assert_eq!(GoTemplate::parse(template).expect_err(template), expected);
        }
        let template = GoTemplate::parse("{{.nosuch}}").expect("it is a template");
        assert_eq!(
            template.print(&json!({}), true),
            Err("template: output:1:2: executing \"output\" at <.nosuch>: map has no entry for key \"nosuch\"".to_owned())
        );
        let template = GoTemplate::parse("{{.a.b}}").expect("it is a template");
        assert_eq!(
            template.print(&json!({"a": "text"}), false),
            Err("template: output:1:4: executing \"output\" at <.a.b>: can't evaluate field b in type interface {}".to_owned())
        );
    }
}
