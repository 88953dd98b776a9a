//! The result of a load as `tilt alpha tiltfile-result` prints it.

use insta::assert_snapshot;

use crate::support::{deployment, load};

#[test]
fn fields_stand_in_the_order_of_the_original() {
    let files = format!(
        "--- Tiltfile\ndocker_build('shop/web:v1', 'web', build_args={{'A': '<1>', 'B': ''}}, ignore='*.md', only='src', \
         target='run')\nk8s_yaml('app.yaml')\nk8s_resource('web', labels='front')\n--- web/Dockerfile\nFROM scratch\n\
         --- web/.dockerignore\n# none\nnode_modules/\n--- .tiltignore\n*.swp\n--- app.yaml\n{}",
        deployment("web", "shop/web:v1")
    );
    let load = load(&files);
    assert_eq!(load.error_text(), None);
    assert_snapshot!(load.result_json(), @"");
}
