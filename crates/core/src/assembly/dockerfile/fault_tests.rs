use insta::assert_snapshot;

use super::*;
use crate::model::{DockerBuildSite, DockerOptions, Ignore};

const CONTEXT: &str = "/src/web";

fn build(dockerfile: &str) -> DockerBuild {
    let context = LocalPath::new(CONTEXT);
    DockerBuild {
        dockerfile: context.join("Dockerfile"),
        context,
        dockerfile_contents: dockerfile.to_owned(),
        build_args: Vec::new(),
        stage: None,
        context_ignores: Vec::new(),
        options: DockerOptions::default(),
        site: None,
    }
}

fn place(line: usize, source_line: &str, marked: &str) -> Place {
    Place {
        file: "/src/Tiltfile".to_owned(),
        line,
        column: source_line.find(marked).expect("it is in the line") + 1,
        width: marked.len(),
        source_line: source_line.to_owned(),
    }
}

fn site(text: DockerfileText) -> Option<Box<DockerBuildSite>> {
    Some(Box::new(DockerBuildSite {
        text,
        target: place(3, "docker_build('web', '.', target='relase')", "target='relase'"),
        dockerignore: None,
    }))
}

/// Explains a fault of a Dockerfile that the engine got as written; the context holds `main.go` and `secret.txt`.
fn explained(build: &DockerBuild, step: &str, message: &str) -> String {
    let fault = EngineFault {
        message,
        step: Some(step).filter(|step| !step.is_empty()),
        command_failed: [": exit code: ", "non-zero code: "]
            .iter()
            .any(|end| message.contains(end)),
        dockerfile: &build.dockerfile_contents,
    };
    let listing = |dir: &LocalPath| {
        let names: &[&str] = if *dir == build.context {
            &["main.go", "secret.txt"]
        } else {
            &[]
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    explain(fault, build, &listing).render()
}

fn of_file(dockerfile: &str, step: &str, message: &str) -> String {
    explained(&build(dockerfile), step, message)
}

#[test]
fn a_failing_command_is_shown_with_its_first_line() {
    assert_snapshot!(of_file(
        "FROM a AS build\n# compile\nRUN make \\\n    all\nFROM scratch\nCOPY --from=build /x /x\n",
        "[build 2/2] RUN make     all",
        "ImageBuild: executor failed running [/bin/sh -c make     all]: exit code: 2",
    ), @r#"
    ImageBuild: executor failed running [/bin/sh -c make     all]: exit code: 2
     --> /src/web/Dockerfile:3:1
      |
    3 | RUN make \
      | ^^^^^^^^
    hint: what it printed stands above, in the log of the build
    "#);
    assert_snapshot!(of_file(
        "FROM a\nRUN <<EOF\nmake\nEOF\n",
        "[2/2] RUN <<EOF (make)",
        "ImageBuild: process \"/bin/sh -c make\" did not complete successfully: exit code: 127",
    ), @r#"
    ImageBuild: process "/bin/sh -c make" did not complete successfully: exit code: 127
     --> /src/web/Dockerfile:2:1
      |
    2 | RUN <<EOF
      | ^^^^^^^^^
    hint: a program that it starts is not in the image
    "#);
    assert_snapshot!(of_file(
        "FROM a\nENV b=1\nRUN exit 3\n",
        "Step 3/4 : RUN exit 3",
        "ImageBuild: The command '/bin/sh -c exit 3' returned a non-zero code: 3",
    ), @r#"
    ImageBuild: The command '/bin/sh -c exit 3' returned a non-zero code: 3
     --> /src/web/Dockerfile:3:1
      |
    3 | RUN exit 3
      | ^^^^^^^^^^
    hint: what it printed stands above, in the log of the build
    "#);
}

#[test]
fn a_base_image_that_was_put_in_changes_no_place() {
    let build = build("FROM \\\n  base\nRUN false\n");
    let fault = EngineFault {
        message: "ImageBuild: executor failed running [/bin/sh -c false]: exit code: 1",
        step: Some("[2/2] RUN false"),
        command_failed: true,
        dockerfile: "FROM localhost:5000/base:tilt-1\nRUN false\n",
    };
    assert_snapshot!(explain(fault, &build, &|_| Vec::new()).render(), @r#"
    ImageBuild: executor failed running [/bin/sh -c false]: exit code: 1
     --> /src/web/Dockerfile:3:1
      |
    3 | RUN false
      | ^^^^^^^^^
    hint: what it printed stands above, in the log of the build
    "#);
    let fault = EngineFault {
        message: "ImageBuild: dockerfile parse error line 2: unknown instruction: RNU",
        step: None,
        command_failed: false,
        dockerfile: "FROM localhost:5000/base:tilt-1\nRNU false\n",
    };
    let build = self::build("FROM \\\n  base\nRNU false\n");
    assert_snapshot!(explain(fault, &build, &|_| Vec::new()).render(), @r"
    ImageBuild: dockerfile parse error line 2: unknown instruction: RNU
     --> /src/web/Dockerfile:3:1
      |
    3 | RNU false
      | ^^^
    hint: did you mean RUN?
    ");
}

#[test]
fn a_line_that_cannot_be_read_is_marked_where_it_is_wrong() {
    let check = |file: &str, fault: &str| {
        let message = format!("ImageBuild: failed to create LLB definition: {fault}");
        of_file(file, "", &message)
    };
    assert_snapshot!(check("FROM a\n\n  FORM x\n", "dockerfile parse error line 3: unknown instruction: FORM"), @r"
    ImageBuild: failed to create LLB definition: dockerfile parse error line 3: unknown instruction: FORM
     --> /src/web/Dockerfile:3:3
      |
    3 |   FORM x
      |   ^^^^
    hint: did you mean FROM?
    ");
    assert_snapshot!(check("FROM a\nCOPY --frm=x a b\n", "dockerfile parse error on line 2: unknown flag: frm"), @r"
    ImageBuild: failed to create LLB definition: dockerfile parse error on line 2: unknown flag: frm
     --> /src/web/Dockerfile:2:6
      |
    2 | COPY --frm=x a b
      |      ^^^^^^^
    ");
    assert_snapshot!(check("FROM a\nWORKDIR\n", "dockerfile parse error line 2: WORKDIR requires exactly one argument"), @r"
    ImageBuild: failed to create LLB definition: dockerfile parse error line 2: WORKDIR requires exactly one argument
     --> /src/web/Dockerfile:2:1
      |
    2 | WORKDIR
      | ^^^^^^^
    ");
    assert_snapshot!(check("FROM a\nRUN <<E\n  echo a\nE\n", "dockerfile parse error line 3: unknown instruction: ECHO"), @r"
    ImageBuild: failed to create LLB definition: dockerfile parse error line 3: unknown instruction: ECHO
     --> /src/web/Dockerfile:3:3
      |
    3 |   echo a
      |   ^^^^^^
    hint: this Docker engine does not read heredocs by itself: `# syntax=docker/dockerfile:1` as the first line of the Dockerfile fetches a builder that does
    ");
    assert_snapshot!(check("FORM a\n", "dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)"), @r"
    ImageBuild: failed to create LLB definition: dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)
     --> /src/web/Dockerfile:1:1
      |
    1 | FORM a
      | ^^^^
    ");
    assert_snapshot!(check("COPY a b\nFROM c\n", "no build stage in current context"), @r"
    ImageBuild: failed to create LLB definition: no build stage in current context
     --> /src/web/Dockerfile:1:1
      |
    1 | COPY a b
      | ^^^^^^^^
    hint: a Dockerfile begins with `FROM image`; only `ARG` may stand before it
    ");
}

#[test]
fn a_file_that_is_not_in_the_context_is_looked_for() {
    assert_snapshot!(of_file(
        "FROM a\nCOPY go.mod ./main.og /x/\n",
        "[2/2] COPY go.mod ./main.og /x/",
        "ImageBuild: \"/main.og\" not found",
    ), @r#"
    ImageBuild: "/main.og" not found
     --> /src/web/Dockerfile:2:13
      |
    2 | COPY go.mod ./main.og /x/
      |             ^^^^^^^^^
    hint: there is no "main.og" in the build context /src/web; did you mean "main.go"?
    "#);
    assert_snapshot!(of_file(
        "FROM a\nCOPY [\"nope\", \"/\"]\n",
        "[2/2] COPY [nope, /]",
        "ImageBuild: \"/nope\": not found",
    ), @r#"
    ImageBuild: "/nope": not found
     --> /src/web/Dockerfile:2:6
      |
    2 | COPY ["nope", "/"]
      |      ^^^^^^^^
    hint: there is no "nope" in the build context /src/web
    "#);
    assert_snapshot!(of_file(
        "FROM a\nCOPY --from=build /app /app\n",
        "[2/2] COPY --from=build /app /app",
        "ImageBuild: \"/app\" not found",
    ), @r#"
    ImageBuild: "/app" not found
     --> /src/web/Dockerfile:2:19
      |
    2 | COPY --from=build /app /app
      |                   ^^^^
    hint: it is looked for in "build", not in the build context
    "#);
    assert_snapshot!(of_file(
        "FROM a\nADD gone /\n",
        "Step 2/3 : ADD gone /",
        "ImageBuild: ADD failed: file not found in build context or excluded by .dockerignore: stat gone: file does not exist",
    ), @r#"
    ImageBuild: ADD failed: file not found in build context or excluded by .dockerignore: stat gone: file does not exist
     --> /src/web/Dockerfile:2:5
      |
    2 | ADD gone /
      |     ^^^^
    hint: there is no "gone" in the build context /src/web
    "#);
}

#[test]
fn a_file_that_is_left_out_of_the_context_is_named_with_what_leaves_it_out() {
    let left_out_by = |patterns: &[&str], base: &str, dockerignore: Option<&str>| {
        let mut build = build("FROM a\nCOPY secret.txt /\n");
        build.context_ignores = vec![Ignore {
            base: LocalPath::new(base),
            patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        }];
        build.site = site(DockerfileText::File);
        if let Some(site) = &mut build.site {
            site.dockerignore = dockerignore.map(LocalPath::new);
        }
        let text = explained(
            &build,
            "[2/2] COPY secret.txt /",
            "ImageBuild: \"/secret.txt\" not found",
        );
        let hint = text.lines().last().unwrap_or_default();
        hint.split_once("build context by ").map(|(_, by)| by.to_owned())
    };
    let by = |text: &str| Some(text.to_owned());
    assert_eq!(
        left_out_by(&["*.txt"], CONTEXT, Some("/src/web/.dockerignore")),
        by("/src/web/.dockerignore")
    );
    assert_eq!(
        left_out_by(&["*.txt"], CONTEXT, None),
        by("ignore= of docker_build()")
    );
    assert_eq!(
        left_out_by(&["**", "!main.go"], CONTEXT, None),
        by("only= of docker_build()")
    );
    assert_eq!(
        left_out_by(&[], "/src/web/secret.txt", None),
        by("a rule for all images: the Tiltfile is never sent")
    );
    assert_eq!(left_out_by(&["other"], CONTEXT, None), None);
}

#[test]
fn an_image_that_cannot_be_pulled_is_shown_where_it_is_named() {
    let unreachable = "failed to do request: dial tcp: lookup registry-1.docker.io: no such host";
    assert_snapshot!(of_file(
        "ARG TAG=1\nFROM localhost:5000/nope:$TAG\n",
        "[internal] load metadata for localhost:5000/nope:1",
        "ImageBuild: failed to create LLB definition: localhost:5000/nope:1: not found",
    ), @r"
    ImageBuild: failed to create LLB definition: localhost:5000/nope:1: not found
     --> /src/web/Dockerfile:2:6
      |
    2 | FROM localhost:5000/nope:$TAG
      |      ^^^^^^^^^^^^^^^^^^^^^^^^
    hint: the registry localhost:5000 has no such image: check its name and its tag
    ");
    assert_snapshot!(of_file(
        "FROM --platform=linux/amd64 shop-base AS x\n",
        "[internal] load metadata for docker.io/library/shop-base:latest",
        &format!("ImageBuild: failed to create LLB definition: {unreachable}"),
    ), @r#"
    ImageBuild: failed to create LLB definition: failed to do request: dial tcp: lookup registry-1.docker.io: no such host
     --> /src/web/Dockerfile:1:29
      |
    1 | FROM --platform=linux/amd64 shop-base AS x
      |                             ^^^^^^^^^
    hint: the Docker engine has no image "shop-base", and cannot reach the registry docker.io to pull it; an image of this project is built first if a docker_build() or custom_build() has its name
    "#);
    assert_snapshot!(of_file(
        "FROM a AS builder\nFROM a\nCOPY --from=build /x /x\n",
        "FROM docker.io/library/build:latest",
        &format!("ImageBuild: failed to load cache key: {unreachable}"),
    ), @r#"
    ImageBuild: failed to load cache key: failed to do request: dial tcp: lookup registry-1.docker.io: no such host
     --> /src/web/Dockerfile:3:13
      |
    3 | COPY --from=build /x /x
      |             ^^^^^
    hint: no stage is called "build", so it is taken for an image; did you mean "builder"?
    "#);
    assert_snapshot!(of_file(
        "FROM a\nRUN --mount=type=bind,from=gcr.io/x:3,target=/x true\n",
        "FROM gcr.io/x:3",
        "ImageBuild: failed to load cache key: pull access denied",
    ), @r#"
    ImageBuild: failed to load cache key: pull access denied
     --> /src/web/Dockerfile:2:28
      |
    2 | RUN --mount=type=bind,from=gcr.io/x:3,target=/x true
      |                            ^^^^^^^^^^^^^^^^^^^^
    hint: log in to the registry with "docker login", or check the name
    "#);
}

#[test]
fn an_unknown_stage_is_shown_in_the_call() {
    let mut build = build("FROM a AS build\nFROM a AS release\n");
    build.stage = Some("relase".to_owned());
    build.site = site(DockerfileText::File);
    let message = "ImageBuild: failed to create LLB definition: target stage relase could not be found";
    assert_snapshot!(explained(&build, "", message), @r#"
    ImageBuild: failed to create LLB definition: target stage relase could not be found
     --> /src/Tiltfile:3:26
      |
    3 | docker_build('web', '.', target='relase')
      |                          ^^^^^^^^^^^^^^^
    hint: did you mean "release"?
    "#);
    build.dockerfile_contents = "FROM a\n".to_owned();
    assert_snapshot!(explained(&build, "", "ImageBuild: failed to reach build target relase in Dockerfile"), @r"
    ImageBuild: failed to reach build target relase in Dockerfile
     --> /src/Tiltfile:3:26
      |
    3 | docker_build('web', '.', target='relase')
      |                          ^^^^^^^^^^^^^^^
    hint: the stages of the Dockerfile have no names: `FROM image AS name` gives one
    ");
}

#[test]
fn a_dockerfile_in_a_tiltfile_is_shown_there() {
    let mut build = build("FROM a\nRUN false\n");
    let message = "ImageBuild: executor failed running [/bin/sh -c false]: exit code: 1";
    let call = "docker_build('web', '.', dockerfile_contents='''FROM a";
    build.site = site(DockerfileText::Literal(place(7, call, "FROM a")));
    assert_snapshot!(explained(&build, "[2/2] RUN false", message), @r#"
    ImageBuild: executor failed running [/bin/sh -c false]: exit code: 1
     --> /src/Tiltfile:8:1
      |
    8 | RUN false
      | ^^^^^^^^^
    hint: what it printed stands above, in the log of the build
    "#);
    let metadata = "[internal] load metadata for docker.io/library/a";
    assert_snapshot!(explained(&build, metadata, "ImageBuild: not found"), @r"
    ImageBuild: not found
     --> /src/Tiltfile:7:54
      |
    7 | docker_build('web', '.', dockerfile_contents='''FROM a
      |                                                      ^
    hint: the registry docker.io has no such image: check its name and its tag
    ");
    let call = "docker_build('web', '.', dockerfile_contents='FROM a\\nRUN false')";
    build.site = site(DockerfileText::Computed(place(7, call, "'FROM a\\nRUN false'")));
    assert_snapshot!(explained(&build, "[2/2] RUN false", message), @r#"
    ImageBuild: executor failed running [/bin/sh -c false]: exit code: 1
     --> /src/Tiltfile:7:46
      |
    7 | docker_build('web', '.', dockerfile_contents='FROM a\nRUN false')
      |                                              ^^^^^^^^^^^^^^^^^^^
    hint: it is line 2 of the Dockerfile: RUN false
    hint: what it printed stands above, in the log of the build
    "#);
}

#[test]
fn what_cannot_be_found_has_no_place() {
    for (step, message) in [
        ("", "ImageBuild: disk full"),
        ("[9/3] RUN x", "ImageBuild: y"),
        ("[elsewhere 1/1] RUN x", "ImageBuild: y"),
        ("exporting to image", "ImageBuild: y"),
    ] {
        assert_eq!(of_file("FROM a\nCOPY b c\n", step, message), message, "{step}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(
        file in "(?s)(FROM |COPY --from=|ARG |RUN |<<E|\\$\\{|[`\\\\\n\r #='\"a-cé:}+-]|.){0,40}",
        step in "(\\[([a-z]+ )?[0-4]/[0-4]\\] (FROM|RUN|COPY) a|Step [0-9]/3 : x|FROM a|\\[internal\\] load metadata for a|a)",
        message in "(dockerfile parse error line [0-9]: (unknown instruction: X|Unknown flag: from)|\"/a\" not found|exit code: 1|no build stage in current context)",
    ) {
        let _ = of_file(&file, &step, &message);
    }
}

#[test]
fn what_a_command_printed_or_what_an_image_is_called_is_no_reason() {
    let run = "RUN echo dockerfile parse error line 1: unknown instruction: FORM, target stage x";
    let mut build = build(&format!("FROM a\n{run}\n"));
    build.stage = Some("x".to_owned());
    let message = format!("ImageBuild: executor failed running [/bin/sh -c {run}]: exit code: 1");
    let told = explained(&build, &format!("[2/2] {run}"), &message);
    assert!(
        told.contains("Dockerfile:2:1") && !told.contains("did you mean"),
        "{told}"
    );
    let hint = |image: &str, message: &str| {
        let step = format!("[internal] load metadata for docker.io/{image}:latest");
        let told = of_file(&format!("FROM {image}\n"), &step, message);
        told.rsplit_once("hint: ").expect("a hint").1.to_owned()
    };
    let name = "shop/authorization";
    for (message, expected) in [
        (
            "failed to create LLB definition: docker.io/shop/authorization:latest: not found",
            "the registry docker.io has no such image",
        ),
        (
            "failed to create LLB definition: pull access denied, repository does not exist or may require authorization: \
             server message: insufficient_scope: authorization failed",
            "log in to the registry",
        ),
        (
            "failed to create LLB definition: failed to copy: httpReadSeeker: failed open: unexpected status code \
             https://registry-1.docker.io/v2/shop/authorization/manifests/latest: 429 Too Many Requests - Server message: \
             toomanyrequests: You have reached your unauthenticated pull rate limit. \
             https://www.docker.com/increase-rate-limit",
            "wait, or log in with \"docker login docker.io\"",
        ),
        (
            "failed to create LLB definition: unexpected status from HEAD request to \
             https://registry-1.docker.io/v2/shop/authorization/manifests/latest: 503 Service Unavailable",
            "the registry docker.io has a problem of its own",
        ),
    ] {
        let told = hint(name, message);
        assert!(told.starts_with(expected), "{message}: {told}");
    }
}
