use super::super::fake_engine::{Answer, FakeEngine};
use super::*;

fn request(dockerfile: &str, platform: Option<&str>) -> BuildRequest {
    let mut request = request_for_test(dockerfile);
    request.build.options.platform = platform.map(str::to_owned);
    request
}

#[test]
fn the_dockerfile_is_shown_indented_before_the_build() {
    assert_eq!(
        header(&request("FROM a\nRUN b\n", Some("linux/amd64"))),
        "Building Dockerfile for platform linux/amd64:\n  FROM a\n  RUN b\n\n\n"
    );
    assert_eq!(
        header(&request("FROM a", None)),
        "Building Dockerfile:\n  FROM a\n\n"
    );
}

#[test]
fn what_may_be_given_several_times_is_a_parameter_each_time_or_a_list() {
    let two = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
    let options = DockerOptions {
        extra_hosts: two(["a:1.1.1.1", "b:2.2.2.2"]),
        extra_tags: two(["x:1", "x:2"]),
        cache_from: two(["c:1", "c:2"]),
        ..DockerOptions::default()
    };
    let parameters = passed_on(&options);
    let parameters: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let expected = [
        ("t", "x:1"),
        ("t", "x:2"),
        ("cachefrom", "[\"c:1\",\"c:2\"]"),
        ("extrahosts", "a:1.1.1.1"),
        ("extrahosts", "b:2.2.2.2"),
    ];
    assert_eq!(parameters, expected);
}

#[test]
fn a_context_that_may_not_be_read_says_how_to_leave_it_out() {
    let error = unreadable(
        io::ErrorKind::PermissionDenied,
        "/src/pgdata: Permission denied (os error 13)",
    );
    insta::assert_snapshot!(error, @r"
    reading build context: /src/pgdata: Permission denied (os error 13)
    hint: let this user read it, or leave it out of the image: name it in .dockerignore, or in ignore= of docker_build()
    ");
}

#[test]
fn a_tag_stands_for_the_content() {
    let id = ImageId("sha256:5e8cbbe5a941d50fe4fa4acfab362f480263bc4a2fce5707dd127baef9865c19".to_owned());
    assert_eq!(id.content_tag(), "tilt-5e8cbbe5a941d50f");
}

#[test]
fn old_engines_name_the_image_in_their_output() {
    assert_eq!(
        announced_image("Successfully built 12ab\n").as_deref(),
        Some("12ab")
    );
    assert_eq!(announced_image("sha256:12ab\n").as_deref(), Some("sha256:12ab"));
    assert_eq!(announced_image("Step 1/2"), None);
}

/// Builds with an engine that answers like this.
async fn built(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Result<ImageId, BuildError> {
    let engine = FakeEngine::start(move |asked| match asked.starts_with("POST /build") {
        true => answer(),
        false => Answer::Never,
    });
    let mut request = request("FROM a\nRUN x\n", None);
    request.build.context = crate::model::LocalPath::new("/nowhere/-");
    let log = LogWriter::global(crate::logs::LogStore::in_memory());
    engine
        .docker()
        .build(&request, &log, &CancellationToken::new())
        .await
}

#[tokio::test]
async fn a_build_ends_when_its_engine_is_halted() {
    let step = "{\"stream\": \"Step 1/2 : FROM a\"}\n";
    for answer in [|| Answer::Never, || Answer::Begins(String::new())] {
        let error = built(answer).await.expect_err("it is halted");
        assert!(error.is_unreachable(), "{error}");
    }
    let error = built(move || Answer::Begins(step.to_owned()))
        .await
        .expect_err("it is halted");
    assert!(
        error.to_string().contains("no answer from the Docker engine at"),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_that_speaks_of_connections_has_failed_all_the_same() {
    let failed = |message: &str| {
        let line = serde_json::json!({"errorDetail": {"message": message}}).to_string();
        move || Answer::Says(200, format!("{line}\n"))
    };
    let said = "The command '/bin/sh -c echo \"connection refused\"; exit 1' returned a non-zero code: 1";
    let error = built(failed(said)).await.expect_err("it failed");
    assert!(error.is_explained_by_log() && !error.is_unreachable(), "{error}");
    let said = "Get \"https://gcr.io/v2/\": dial tcp 1.2.3.4:443: connect: connection refused";
    let error = built(failed(said)).await.expect_err("it failed");
    assert!(error.is_unreachable(), "{error}");
}
