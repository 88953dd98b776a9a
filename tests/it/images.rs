//! `docker_build`, `custom_build` and `default_registry`: what they refuse, and what they make.

use tilt::model::{IgnoreMatcher, ImageBuild, ImageTarget, LocalPath, Manifest};

use crate::support::{deployment, errors, load, load_with, printed, request, resources, warnings};

/// Each with the arguments that a call needs at least.
fn docker(arguments: &str) -> String {
    format!("docker_build('web', '.', dockerfile_contents='FROM scratch', {arguments})")
}

fn custom(arguments: &str) -> String {
    format!("custom_build('web', 'make', ['src'], {arguments})")
}

fn files(tiltfile: &str) -> String {
    format!(
        "--- Tiltfile\n{tiltfile}\nk8s_yaml('app.yaml')\n--- app.yaml\n{}--- src/a\n--- Dockerfile\nFROM scratch\n",
        deployment("web", "web")
    )
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let rows = [
        (
            docker("match_in_env_vars=1"),
            "for parameter \"match_in_env_vars\": got int, want bool",
        ),
        (
            docker("entrypoint=None"),
            "a command must be a string or list of strings. found starlark.NoneType",
        ),
        (
            docker("entrypoint=['a', 1]"),
            "a command must be a string or a list of strings: '1' is a starlark.Int",
        ),
        (docker("container_args='x'"), "got string, want starlark.Sequence"),
        (
            docker("container_args=[1]"),
            "Argument 'container_args': '1' is a starlark.Int, not a string",
        ),
        (
            docker("ssh={}"),
            "value should be a string or List or Tuple of strings, but is of type dict",
        ),
        (
            docker("secret=[1]"),
            "list should contain only strings, but element \"1\" was of type int",
        ),
        (
            docker("network=1"),
            "Value should be convertible to string, but is type int",
        ),
        (
            docker("extra_tag='cherry bomb'"),
            "Argument extra_tag=\"cherry bomb\" not a valid image reference",
        ),
        (
            docker("cache_from=1"),
            "for parameter \"cache_from\": value should be a string or List",
        ),
        (
            docker("pull='yes'"),
            "for parameter \"pull\": got string, want bool",
        ),
        (
            docker("platform=None"),
            "Value should be convertible to string, but is type NoneType",
        ),
        (
            docker("ignore=[127]"),
            "ignore must be a string or a sequence of strings; found a starlark.Int",
        ),
        (
            docker("ignore='a\\nb'"),
            "ignore cannot contain newlines; found ignore: \"a\\nb\"",
        ),
        (
            docker("only='**/common'"),
            "'only' does not support '*' file globs. Must be a real path: **/common",
        ),
        (
            docker("dockerfile='Dockerfile'"),
            "Cannot specify both dockerfile and dockerfile_contents keyword arguments",
        ),
        (
            "docker_build('Web', '.')".to_owned(),
            "Argument 1 (ref): can't parse \"Web\": invalid reference format",
        ),
        (
            "docker_build('web', None)".to_owned(),
            "expected path | string. Actual type: starlark.NoneType",
        ),
        (
            "custom_build('W', 'make', [])".to_owned(),
            "Argument 1 (ref): can't parse \"W\": invalid reference format",
        ),
        (
            "custom_build('web', '', [])".to_owned(),
            "Argument 2 (command) can't be empty",
        ),
        (
            "custom_build('web', [], [])".to_owned(),
            "Argument 2 (command) can't be empty",
        ),
        (
            "custom_build('web', 1, [])".to_owned(),
            "Argument 2 (command): a command must be a string or list of strings",
        ),
        (
            "custom_build('web', 'make', {})".to_owned(),
            "but is of type dict",
        ),
        (
            "custom_build('web', 'make')".to_owned(),
            "missing argument for deps",
        ),
        (custom("tag=None"), "got NoneType, want string"),
        (
            custom("tag='a', outputs_image_ref_to='f'"),
            "Cannot specify both tag= and outputs_image_ref_to=",
        ),
        (
            custom("outputs_image_ref_to=None"),
            "expected path | string. Actual type: starlark.NoneType",
        ),
        (
            custom("image_deps='base'"),
            "value should be a List or Tuple of strings, but is of type string",
        ),
        (
            custom("image_deps=['Base']"),
            "must be a valid image reference: invalid reference format",
        ),
        (
            custom("image_deps=['base']"),
            "image \"web\": image dep \"base\" not found",
        ),
        (
            custom("env={'': 'x'}"),
            "environment has empty key for value \"x\"",
        ),
        (custom("dir=1"), "a command directory must be empty or a string"),
        (
            "default_registry('')".to_owned(),
            "validating defaultRegistry: host: Required value",
        ),
        (
            "default_registry('foo')".to_owned(),
            "validating defaultRegistry: host: Invalid value: \"foo\": repository name must be canonical",
        ),
        (
            "default_registry('a.io', host_from_cluster='foo')".to_owned(),
            "hostFromContainerRuntime: Invalid value: \"foo\"",
        ),
        (
            "default_registry('a.io')\ndefault_registry('b.io')".to_owned(),
            "default registry already defined",
        ),
        (
            "docker_build('a', '.')\ncustom_build('docker.io/library/a', 'x', [])".to_owned(),
            "Image for ref \"a\" has already been defined",
        ),
    ];
    for (tiltfile, message) in rows {
        let text = errors(&files(&tiltfile));
        assert!(text.contains(message), "{tiltfile}: {text}");
        assert!(text.contains("\n  | "), "a place is shown for {tiltfile}: {text}");
    }
}

#[track_caller]
fn manifest(files: &str) -> Manifest {
    let load = load(files);
    assert_eq!(load.error_text(), None);
    load.manifests
        .expect("a load without errors has manifests")
        .remove(0)
}

#[track_caller]
fn image(tiltfile: &str) -> ImageTarget {
    manifest(&files(tiltfile)).images.remove(0)
}

#[test]
fn a_custom_build_is_a_value_that_can_only_be_shown() {
    let tiltfile = "b = custom_build('b', 'make', [])\nprint(b, type(b), bool(b))";
    assert_eq!(
        printed(&files(tiltfile)).lines().next(),
        Some("custom_build(\"docker.io/library/b\") custom_build True")
    );
    let text = errors(&files("custom_build('web', 'make', []).asdf()"));
    assert!(
        text.contains("custom_build has no .asdf field or method"),
        "{text}"
    );
}

#[test]
fn an_obsolete_cache_is_warned_of() {
    let text = warnings(&files(&docker("cache='/x'")));
    assert!(
        text.contains("docker_build(cache=...) is obsolete, and currently a no-op."),
        "{text}"
    );
}

#[test]
fn builds_that_need_each_other_in_a_circle_are_named() {
    let tiltfile =
        "custom_build('web', 'x', [], image_deps=['b'])\ncustom_build('b', 'x', [], image_deps=['web'])";
    let text = errors(&files(tiltfile));
    assert!(
        text.contains("getting image build info for web: Image dependency cycle: docker.io/library/web"),
        "{text}"
    );
}

#[test]
fn a_diamond_of_images_is_built_each_once_after_its_bases() {
    let tiltfile = "docker_build('web', '.', dockerfile_contents='FROM b\\nCOPY --from=c /x /x')\n\
                    custom_build('b', 'x', [], image_deps=['a'])\n\
                    docker_build('c', '.', dockerfile_contents='FROM a')\n\
                    docker_build('a', '.', dockerfile_contents='FROM scratch')";
    assert_eq!(
        resources(&files(tiltfile)),
        "web: Deployment/web; images a b c web; wait"
    );
}

#[test]
fn only_takes_an_exclamation_mark_as_a_part_of_the_name() {
    let image = image(&docker("only=['!x', 'a[1]']"));
    let ImageBuild::Docker(build) = &image.build else {
        panic!("a docker_build");
    };
    let matcher = IgnoreMatcher::new(&build.context_ignores);
    for (path, sent) in [
        ("/src/!x", true),
        ("/src/!x/y", true),
        ("/src/x", false),
        ("/src/b", false),
    ] {
        assert_eq!(!matcher.is_ignored(&LocalPath::new(path)), sent, "{path}");
    }
}

#[test]
fn a_command_that_does_nothing_with_a_live_update_is_never_built() {
    let manifest = manifest(&files(
        "custom_build('web', ':', ['src'], live_update=[sync('src', '/x')])",
    ));
    assert!(manifest.images[0].is_live_update_only());
    assert_eq!(manifest.deploy.k8s().map(|k8s| k8s.images.len()), Some(0));
    assert!(!image("custom_build('web', ':', ['src'])").is_live_update_only());
}

#[test]
fn a_default_registry_holds_for_all_images_but_those_that_the_command_names_and_pushes() {
    let named = |arguments: &str| {
        let image = image(&format!(
            "{}\ndefault_registry('localhost:5005')",
            custom(arguments)
        ));
        image.registry.map(|registry| registry.host)
    };
    let host = Some("localhost:5005".to_owned());
    assert_eq!(named(""), host);
    assert_eq!(named("tag='x'"), host);
    assert_eq!(named("skips_local_docker=True"), host);
    assert_eq!(named("skips_local_docker=True, tag='x'"), None);
    let first = image(&format!("{}\ndefault_registry('localhost:5005')", docker("")));
    assert_eq!(first.registry.map(|registry| registry.host), host);
}

#[test]
fn the_platform_is_that_of_the_environment_unless_the_call_says_another() {
    let platform = |tiltfile: &str| {
        let host = tilt::tiltfile::MemoryHost::new(&files(tiltfile))
            .with_env("DOCKER_DEFAULT_PLATFORM", "linux/arm64");
        let load = load_with(&request(), &host).0;
        match load.manifests.unwrap().remove(0).images.remove(0).build {
            ImageBuild::Docker(build) => build.options.platform,
            ImageBuild::Custom(_) | ImageBuild::Compose(_) => None,
        }
    };
    assert_eq!(platform(&docker("")).as_deref(), Some("linux/arm64"));
    assert_eq!(
        platform(&docker("platform='linux/amd64'")).as_deref(),
        Some("linux/amd64")
    );
}

#[test]
fn a_custom_build_leaves_out_what_the_ignore_files_of_its_directories_say() {
    let text = format!(
        "{}--- src/.dockerignore\nx\n--- src/sub/.dockerignore\ny\n--- .dockerignore\nz\n",
        files("custom_build('web', 'make', ['src', 'src', 'src/a'], ignore='*.md')")
    );
    let manifest = manifest(&text);
    let ignored =
        |path: &str| IgnoreMatcher::new(&manifest.images[0].watch_ignores).is_ignored(&LocalPath::new(path));
    for (path, expected) in [
        ("/src/src/x", true),
        ("/src/src/b.md", true),
        ("/src/Tiltfile", true),
        ("/src/src/y", false),
        ("/src/src/z", false),
        ("/src/src/sub/y", false),
    ] {
        assert_eq!(ignored(path), expected, "{path}");
    }
    assert_eq!(manifest.images[0].watch_ignores.len(), 3, "each directory once");
}

/// A Deployment of two images of one name.
const TWO_TAGS: &str = "
--- Tiltfile
docker_build('tagged', '.', dockerfile_contents='FROM scratch')
docker_build('tagged:init', '.', dockerfile_contents='FROM scratch')
k8s_yaml(blob('{kind: Pod, apiVersion: v1, metadata: {name: p}, spec: {initContainers: [{name: i, image: \"tagged:init\"}], \
containers: [{name: c, image: \"TAG\"}]}}'))
";

#[test]
fn no_tag_stands_for_latest_also_beside_another_tag() {
    for image in ["tagged", "tagged:latest"] {
        let load = load(&TWO_TAGS.replace("TAG", image));
        assert_eq!(load.error_text(), None);
        assert!(load.warnings.is_empty(), "{image}: {:?}", load.warnings);
        let manifests = load.manifests.expect("a good load");
        assert_eq!(manifests[0].images.len(), 2, "{image}");
    }
    let other = warnings(&TWO_TAGS.replace("TAG", "tagged:1"));
    assert!(
        other.contains("Image not used in any Kubernetes config"),
        "{other}"
    );
}

#[test]
fn only_takes_plain_paths_and_a_point_leaves_nothing_out() {
    let ignores = |arguments: &str| {
        let image = image(&format!(
            "docker_build('web', '.', dockerfile_contents='FROM scratch', {arguments})"
        ));
        let ImageBuild::Docker(build) = image.build else {
            panic!("a docker_build");
        };
        IgnoreMatcher::new(&build.context_ignores)
    };
    let at = |path: &str| LocalPath::new("/src").join(path);
    let only = ignores("only=['app/[id]/page.tsx', 'a?b']");
    for path in ["app/[id]/page.tsx", "a?b", "a?b/c"] {
        assert!(!only.is_ignored(&at(path)), "{path}");
    }
    for path in ["app/i/page.tsx", "axb", "app/[id]/other"] {
        assert!(only.is_ignored(&at(path)), "{path}");
    }
    for pattern in [".", "./", "/", "x/.."] {
        assert!(
            !ignores(&format!("ignore=['{pattern}']")).is_ignored(&at("a")),
            "{pattern}"
        );
    }
}
