//! Built-ins that read and write JSON and YAML.

use std::io;

use serde_json::Value as Json;
use starlark::values::Value;
use starlark::values::list::ListRef;

use crate::call::{Arg, Builtin, Call};
use crate::data;
use crate::diag::{Place, SourceText};
use crate::fault::{Fault, Outcome, io_message};
use crate::json_words::json_words;
use crate::k8s::yaml;
use crate::kinds::type_name;
use crate::model::octets::{first_stray, text_of};
use crate::values::Blob;

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "decode_json",
        signature: "json",
        doc: "Returns the value that a JSON text holds. Args: `json` (string or blob).",
        run: |call| decode(call, "json", Format::Json),
    },
    Builtin {
        name: "decode_yaml",
        signature: "yaml",
        doc: "Returns the value that a YAML document holds. Args: `yaml` (string or blob).",
        run: |call| decode(call, "yaml", Format::Yaml),
    },
    Builtin {
        name: "decode_yaml_stream",
        signature: "yaml",
        doc: "Returns a list of the values that several YAML documents hold; empty ones are left out. Args: `yaml` \
              (string or blob).",
        run: |call| decode(call, "yaml", Format::YamlStream),
    },
    Builtin {
        name: "encode_json",
        signature: "obj",
        doc: "Returns a value as JSON text (string). Args: `obj`: dicts, lists, strings, numbers, booleans and None.",
        run: encode_json,
    },
    Builtin {
        name: "encode_yaml",
        signature: "obj",
        doc: "Returns a value as YAML (blob). Args: `obj`: dicts, lists, strings, numbers, booleans and None.",
        run: encode_yaml,
    },
    Builtin {
        name: "encode_yaml_stream",
        signature: "objs",
        doc: "Returns values as YAML documents (blob), one after the other. Args: `objs` (list).",
        run: encode_yaml_stream,
    },
    Builtin {
        name: "read_json",
        signature: "paths, default=?",
        doc: "Returns the value in a JSON file, or `default` when the file does not exist. The file is watched. Args: \
              `paths` (path); `default` (anything).",
        run: |call| read(call, Format::Json),
    },
    Builtin {
        name: "read_yaml",
        signature: "paths, default=?",
        doc: "Returns the value in a YAML file, or `default` when the file does not exist. The file is watched. Args: \
              `paths` (path); `default` (anything).",
        run: |call| read(call, Format::Yaml),
    },
    Builtin {
        name: "read_yaml_stream",
        signature: "paths, default=?",
        doc: "Returns a list of the values in a file of YAML documents, or `default` when the file does not exist. The \
              file is watched. Args: `paths` (path); `default` (list).",
        run: |call| read(call, Format::YamlStream),
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Yaml,
    YamlStream,
}

/// A text that is to be decoded, and where it is from.
struct Input {
    text: String,
    /// What stands for the file in messages: ` from <path>`, or nothing.
    from: String,
    /// The name of the text where places in it can be shown.
    name: Option<String>,
    /// What to mark else.
    place: Place,
    /// The function that takes several documents.
    stream_reader: &'static str,
}

fn decode<'v>(call: &mut Call<'v, '_, '_, '_>, name: &'static str, format: Format) -> Outcome<Value<'v>> {
    let arg = call.required(name);
    let input = Input {
        text: arg.text_or_blob()?,
        from: String::new(),
        name: Blob::from_value(arg.value).map(|blob| blob.source.clone()),
        place: arg.place(),
        stream_reader: "decode_yaml_stream",
    };
    Ok(data::alloc(&parse(&input, format)?, call.heap()))
}

fn read<'v>(call: &mut Call<'v, '_, '_, '_>, format: Format) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("paths");
    let path = arg.path(session)?;
    let default = call.get("default");
    if let Some(default) = &default
        && format == Format::YamlStream
        && ListRef::from_value(default.value).is_none()
    {
        return Err(default.unfit(format!("got {}, want list", type_name(default.value))));
    }
    session.reads(&path);
    // As in Tilt: the two readers name their files differently.
    let shown = match (format, arg.value.unpack_str()) {
        (Format::Yaml | Format::YamlStream, Some(written)) => written.to_owned(),
        _ => path.to_string(),
    };
    let bytes = match (session.host.read(&path), default) {
        (Ok(bytes), _) => bytes,
        (Err(error), Some(default)) if error.kind() == io::ErrorKind::NotFound => return Ok(default.value),
        (Err(error), _) => return Err(Fault::new(io_message(&path, &error)).at(arg.place())),
    };
    let input = Input {
        text: text_of(&bytes),
        from: format!(" from {shown}"),
        name: Some(path.to_string()),
        place: arg.place(),
        stream_reader: "read_yaml_stream",
    };
    Ok(data::alloc(&parse(&input, format)?, call.heap()))
}

fn parse(input: &Input, format: Format) -> Outcome<Json> {
    match format {
        Format::Json => parse_json(input),
        Format::YamlStream => parse_yaml(input).map(Json::Array),
        Format::Yaml => {
            let mut documents = parse_yaml(input)?;
            if documents.len() > 1 {
                return Err(Fault::new(format!(
                    "expected a yaml document but found a yaml stream (documents separated by `---`). use {} instead to \
                     decode a yaml stream",
                    input.stream_reader
                ))
                .at(input.place.clone()));
            }
            Ok(documents.pop().unwrap_or_default())
        }
    }
}

fn parse_json(input: &Input) -> Outcome<Json> {
    if let Some((line, column)) = first_stray(&input.text) {
        let fault = Fault::new(format!("error parsing JSON{}: invalid UTF-8 octet", input.from));
        return Err(fault
            .at(input.mark(line, column))
            .hint("JSON is UTF-8: save the file as such"));
    }
    let mut values = serde_json::Deserializer::from_str(&input.text).into_iter::<Json>();
    let refuse = |cause: String, line: usize, column: usize| {
        let fault = Fault::new(format!("error parsing JSON{}: {cause}", input.from));
        Err(fault.at(input.mark(line, column)))
    };
    match values.next() {
        None => refuse("EOF".to_owned(), 0, 0),
        Some(Err(error)) if error.is_eof() => {
            refuse("unexpected EOF".to_owned(), error.line(), error.column())
        }
        Some(Err(error)) => refuse(json_words(&error, &input.text), error.line(), error.column()),
        Some(Ok(value)) => match values.next() {
            None => Ok(value),
            Some(_) => refuse("found multiple JSON values".to_owned(), 0, 0),
        },
    }
}

fn parse_yaml(input: &Input) -> Outcome<Vec<Json>> {
    yaml::decode_stream(&input.text).map_err(|fault| {
        let message = format!(
            "error parsing YAML{}: error converting YAML to JSON: {}",
            input.from, fault.message
        );
        let marked = Fault::new(message).at(input.mark(fault.spot.line, fault.spot.column));
        let marked = fault
            .more
            .iter()
            .fold(marked, |marked, more| marked.hint(more.as_str()));
        if fault.message.starts_with("json: unsupported value") {
            return marked.hint("JSON has no such number: put it in quotes to have it as text");
        }
        marked
    })
}

impl Input {
    /// Returns the place to mark: in the text where it has a name, else the argument.
    fn mark(&self, line: usize, column: usize) -> Place {
        let Some(name) = self.name.as_ref().filter(|_| line > 0) else {
            return self.place.clone();
        };
        let source = SourceText::new(name.as_str(), self.text.as_str());
        Place {
            file: name.clone(),
            line,
            column: column.max(1),
            width: 1,
            source_line: source.line(line).to_owned(),
        }
    }
}

fn encode_json<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let plain = plain(&call.required("obj"))?;
    Ok(call.heap().alloc(data::json_text(&plain)))
}

fn encode_yaml<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let plain = plain(&call.required("obj"))?;
    Ok(blob(call, yaml::encode(&plain)))
}

fn encode_yaml_stream<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let arg = call.required("objs");
    let Some(list) = ListRef::from_value(arg.value) else {
        return Err(arg.unfit(format!("got {}, want list", type_name(arg.value))));
    };
    let mut texts = Vec::with_capacity(list.len());
    for item in list.iter() {
        let item = data::plain(item).map_err(|why| Fault::new(why).at(arg.place()))?;
        texts.push(yaml::encode(&item));
    }
    Ok(blob(call, texts.join("---\n")))
}

fn plain(arg: &Arg<'_>) -> Outcome<Json> {
    data::plain(arg.value).map_err(|why| Fault::new(why).at(arg.place()))
}

fn blob<'v>(call: &Call<'v, '_, '_, '_>, text: String) -> Value<'v> {
    let source = call.builtin.name.to_owned();
    call.heap().alloc(Blob { text, source })
}
