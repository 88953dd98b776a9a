use super::*;

#[track_caller]
fn check(contents: &str, build_args: &[&str], expected: &[&str]) {
    let build_args: Vec<String> = build_args.iter().map(|arg| (*arg).to_owned()).collect();
    let found = base_images(contents, &build_args).expect(contents);
    let found: Vec<String> = found.iter().map(ImageRef::familiar).collect();
    assert_eq!(found, expected, "{contents}");
}

fn image(text: &str) -> ImageRef {
    ImageRef::parse(text).expect(text)
}

fn replace(contents: &str, build_args: &[&str], bases: &[(&str, &str)]) -> Result<String, DockerfileError> {
    let bases: Vec<_> = bases
        .iter()
        .map(|(from, to)| (ImageSelector::new(image(from)), image(to)))
        .collect();
    let build_args: Vec<String> = build_args.iter().map(|arg| (*arg).to_owned()).collect();
    replace_base_images(contents, &build_args, &bases)
}

#[test]
fn each_from_and_copy_from_counts_in_file_order() {
    check(
        "FROM --platform=linux/amd64 gcr.io/a AS build\nCOPY --chown=1 --from=b/tools:1 /x /y\nfrom a:2\nCOPY x y\n",
        &[],
        &["gcr.io/a", "b/tools:1", "a:2"],
    );
    check("FROM a\nADD --from=c x y\n", &[], &["a"]);
}

#[test]
fn what_a_run_mounts_from_counts_too() {
    check(
        "FROM a AS one\nRUN --mount=type=bind,from=b:1,source=/x,target=/y --mount=From=c cp /x /z\n\
         RUN --mount=from=one --mount=from=0 --mount=from=$X --mount=type=cache,target=/from=d x --mount=from=e\n",
        &[],
        &["a", "b:1", "c"],
    );
    let file = "FROM a\nRUN --network=none --mount=type=bind,from=base,\\\n  source=/who,target=/m <<EOF\nFROM base\nEOF\n";
    assert_eq!(
        replace(file, &[], &[("base", "localhost:5000/base:tilt-1")]),
        Ok(file.replacen("from=base", "from=localhost:5000/base:tilt-1", 1))
    );
}

#[test]
fn stages_and_scratch_are_no_images() {
    check(
        "FROM a AS Build\nFROM build\nCOPY --from=build x y\nCOPY --from=0 x y\nFROM scratch\n",
        &[],
        &["a"],
    );
    // A stage is only known after its FROM.
    check("FROM web AS web\nFROM web\n", &[], &["web"]);
}

#[test]
fn variables_have_defaults_that_build_args_override() {
    let file = "ARG TAG=1\nARG NAME=app-${TAG}\nFROM $NAME\nFROM x:${TAG:-2}\nFROM y${TAG:+-debug}\nFROM ${NONE:-z}\n";
    check(file, &[], &["app-1", "x:1", "y-debug", "z"]);
    check(file, &["TAG=7"], &["app-7", "x:7", "y-debug", "z"]);
    check(file, &["TAG="], &["x:2", "y", "z"]);
    check(file, &["TAG"], &["app-1", "x:1", "y-debug", "z"]);
    check(
        "FROM ${A:-${B:-c}}\nFROM \"quoted\"\nFROM 'a'b\n",
        &[],
        &["c", "quoted", "ab"],
    );
}

#[test]
fn what_is_no_reference_is_skipped() {
    check(
        "FROM ${X}\nFROM A/B\nFROM ${X\nFROM ${X#y}\nFROM\nFROM a:\n",
        &[],
        &[],
    );
}

#[test]
fn comments_continuations_and_heredocs_are_understood() {
    check(
        "# FROM no\nFROM \\\n  # comment\n\n  al\\\npine \\\n AS x\nRUN <<EOF cat\nFROM no\nEOF\nCOPY <<-\"A\" <<B /x\nFROM \
         no\n\tA\nFROM no\nB\nFROM yes\n",
        &[],
        &["alpine", "yes"],
    );
    check(
        "# escape=`\nFROM a `\n AS x\nRUN c:\\\nFROM b\r\nFROM d",
        &[],
        &["a", "b", "d"],
    );
    check("\u{feff}FROM a\n", &[], &["a"]);
}

#[test]
fn what_the_engine_would_refuse_is_left_to_it() {
    check("FORM a\nFROM b\nWAT\n", &[], &["b"]);
    check("RUN x\n", &[], &[]);
    check("", &[], &[]);
    assert_eq!(
        base_images("# nothing\n\n", &[])
            .expect_err("no instruction")
            .to_string(),
        "dockerfile.ParseAST: file with no instructions"
    );
}

#[test]
fn replacing_changes_only_the_names() {
    let file = "# syntax=docker/dockerfile:1\nARG B=base\n\nFROM   --platform=$P ${B}  as x # y\nRUN <<E\nFROM \
                base\nE\nCOPY --link --from=\"base:1\" [\"a\", \"b\"]\r\nFROM other\nFROM ba\\\nse";
    let replaced = replace(file, &[], &[("base", "localhost:5000/base:tilt-1")]).expect("found");
    assert_eq!(
        replaced,
        "# syntax=docker/dockerfile:1\nARG B=base\n\nFROM   --platform=$P localhost:5000/base:tilt-1  as x # y\nRUN \
         <<E\nFROM base\nE\nCOPY --link --from=localhost:5000/base:tilt-1 [\"a\", \"b\"]\r\nFROM other\nFROM \
         localhost:5000/base:tilt-1"
    );
    assert_eq!(
        replace("FROM a:1\nFROM a\n", &[], &[("a:1", "x:2")]).as_deref(),
        Ok("FROM x:2\nFROM a\n")
    );
    assert_eq!(
        replace("ARG V=a\nFROM $V\n", &["V=b"], &[("b", "c:1")]).as_deref(),
        Ok("ARG V=a\nFROM c:1\n")
    );
}

#[test]
fn a_base_that_is_not_there_is_an_error() {
    assert_eq!(
        replace("FROM a\n", &[], &[("a", "x:1"), ("gcr.io/b", "y:1")]),
        Err(DockerfileError::NotFound("gcr.io/b".to_owned()))
    );
}

/// Dockerfiles that another reader accepts: both must find the same places.
#[test]
fn an_independent_reader_finds_the_same_places() {
    for file in [
        "FROM a\n",
        "# escape=`\nARG X\nFROM `\n  a:1 AS x\nCOPY --from=x --chmod=1 a b\nFROM b",
        "FROM a AS x\nRUN <<EOF\nFROM no\nEOF\nCOPY --from=img/tool:2 /a /b\nRUN a && \\\n # c\n b\nFROM c@sha256:x\n",
    ] {
        let theirs = parse_dockerfile::parse(file).expect(file);
        let theirs: Vec<_> = theirs
            .stages()
            .map(|stage| stage.from.image.span.clone())
            .collect();
        let ours: Vec<_> = Dockerfile::read(file)
            .instructions
            .iter()
            .filter(|instruction| instruction.keyword == "FROM")
            .map(|instruction| instruction.words[0].source_from(0))
            .collect();
        assert_eq!(ours, theirs, "{file}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s)(FROM |COPY --from=|ARG |RUN |<<E|\\$\\{|[`\\\\\n\r #='\"a-c:}+-]|.){0,40}") {
        let args = ["a=b".to_owned()];
        if let Ok(images) = base_images(&text, &args) {
            let bases: Vec<_> = images.iter().map(|found| (ImageSelector::new(found.clone()), image("new:1"))).collect();
            proptest::prop_assert!(replace_base_images(&text, &args, &bases).is_ok());
        }
    }
}
