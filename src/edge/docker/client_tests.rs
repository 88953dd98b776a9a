use super::super::fake_engine::{Answer, FakeEngine};
use super::*;

#[test]
fn buildkit_follows_the_engine_unless_told_otherwise() {
    let decide = |minor, setting| uses_buildkit(ApiVersion(1, minor), setting);
    assert_eq!(decide(38, None), Ok(false));
    assert_eq!(decide(39, Some("")), Ok(true));
    assert_eq!(decide(47, Some("0")), Ok(false));
    assert_eq!(decide(38, Some("true")), Ok(true));
    let error = decide(41, Some("maybe")).expect_err("not a boolean");
    assert!(error.to_string().contains("expects boolean value, got \"maybe\""));
}

#[test]
fn a_minikube_up_to_1_8_0_builds_without_buildkit() {
    for (version, is_too_old) in [
        ("minikube version: v1.8.0\ncommit: x\n", true),
        ("minikube version: v0.35.12\n", true),
        ("minikube version: v1.8.1\n", false),
        ("minikube version: v1.10.0-beta.1\n", false),
        ("minikube version: v1.37.0\n", false),
        ("minikube version: v1\n", false),
        ("", false),
    ] {
        assert_eq!(is_too_old_for_buildkit(version), is_too_old, "{version}");
    }
}

#[test]
fn versions_are_compared_by_number() {
    assert!(ApiVersion::parse("1.9") < ApiVersion::parse("1.23"));
    assert_eq!(ApiVersion::parse("x"), None);
}

#[tokio::test]
async fn a_missing_engine_is_named_with_what_to_do() {
    let mut env = Environment::default();
    env.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let error = Docker::connect(env).await.err().expect("nothing listens there");
    assert_eq!(
        error.to_string(),
        format!(
            "Failed to connect to Docker: unix:///nowhere/docker.sock: No such file or directory (os error 2)\nhint: \
             {START_HINT}"
        )
    );
}

fn image() -> ImageRef {
    ImageRef::parse("shop/web:1").expect("a reference")
}

#[tokio::test]
async fn whether_an_image_is_there_is_what_the_engine_says() {
    let engine = FakeEngine::start(|_| Answer::Says(200, "{}".to_owned()));
    assert_eq!(engine.docker().has_image(&image()).await, Ok(true));
    assert_eq!(engine.asked(), ["GET /images/shop/web:1/json"]);
    let engine = FakeEngine::start(|_| Answer::Says(404, "{\"message\": \"No such image\"}".to_owned()));
    assert_eq!(engine.docker().has_image(&image()).await, Ok(false));
    let engine = FakeEngine::start(|_| Answer::Says(500, "{\"message\": \"layer is gone\"}".to_owned()));
    let error = engine
        .docker()
        .has_image(&image())
        .await
        .expect_err("it does not tell");
    assert_eq!(
        error.to_string(),
        "asking Docker for the image shop/web:1: layer is gone"
    );
    assert!(!error.is_unreachable());
}

#[tokio::test]
async fn an_engine_that_is_halted_is_given_up_and_is_told_from_one_without_the_image() {
    let docker = FakeEngine::halted();
    let error = docker
        .docker()
        .has_image(&image())
        .await
        .expect_err("nobody answers");
    let text = error.to_string();
    assert!(
        text.contains("no answer from the Docker engine at unix:///") && text.contains("docker info"),
        "{text}"
    );
    assert!(error.is_unreachable());
    let tagged = docker.docker().tag("sha256:1", &image()).await;
    assert!(matches!(tagged, Err(ApiError::Silent { .. })), "{tagged:?}");
}

#[tokio::test]
async fn an_engine_may_take_its_time_while_it_says_that_it_is_there() {
    // Far longer than it may be silent.
    let engine = FakeEngine::start(|asked| match asked.ends_with("/_ping") {
        true => Answer::Says(200, "OK".to_owned()),
        false => Answer::Late(150, 200, "{}".to_owned()),
    });
    assert_eq!(engine.docker().has_image(&image()).await, Ok(true));
}
