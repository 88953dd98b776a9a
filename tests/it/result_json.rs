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
    assert_snapshot!(load.result_json(), @r#"
    {
      "Manifests": [
        {
          "Name": "web",
          "ImageTargets": [
            {
              "selector": "shop/web:v1",
              "matchExact": true,
              "LiveUpdateName": "",
              "LiveUpdateSpec": {
                "basePath": "",
                "selector": {}
              },
              "LiveUpdateReconciler": false,
              "DockerImageName": "web:shop_web:v1",
              "CmdImageName": "",
              "BuildDetails": {
                "ref": "",
                "dockerfileContents": "FROM scratch\n",
                "context": "/src/web",
                "contextIgnores": [
                  {
                    "basePath": "/src/Tiltfile"
                  },
                  {
                    "basePath": "/src/web",
                    "patterns": [
                      "*.md"
                    ]
                  },
                  {
                    "basePath": "/src/web",
                    "patterns": [
                      "**",
                      "!src"
                    ]
                  },
                  {
                    "basePath": "/src/web",
                    "patterns": [
                      "node_modules"
                    ]
                  }
                ],
                "args": [
                  "A=\u003c1\u003e",
                  "B"
                ],
                "target": "run"
              },
              "IsLiveUpdateOnly": false,
              "FileWatchIgnores": [
                {
                  "basePath": "/src/Tiltfile"
                },
                {
                  "basePath": "/src/web",
                  "patterns": [
                    "*.md"
                  ]
                },
                {
                  "basePath": "/src/web",
                  "patterns": [
                    "**",
                    "!src"
                  ]
                },
                {
                  "basePath": "/src/web",
                  "patterns": [
                    "node_modules"
                  ]
                },
                {
                  "basePath": "/src/web/Dockerfile"
                }
              ]
            }
          ],
          "DeployTarget": {
            "yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector: null\n  strategy: {}\n  template:\n    metadata:\n      labels:\n        app: web\n    spec:\n      containers:\n      - image: shop/web:v1\n        name: c\n        resources: {}\n",
            "imageMaps": [
              "shop_web:v1"
            ],
            "timeout": "30s",
            "podLogStreamTemplateSpec": {
              "sinceTime": null,
              "ignoreContainers": [
                "istio-init",
                "istio-proxy",
                "linkerd-proxy",
                "linkerd-init"
              ]
            },
            "cluster": "default",
            "Name": "web",
            "PodReadinessMode": "wait",
            "Links": null,
            "FileWatchIgnores": null
          },
          "TriggerMode": 0,
          "ResourceDependencies": null,
          "SourceTiltfile": "",
          "Labels": {
            "front": "front"
          }
        }
      ],
      "EnabledManifests": [
        "web"
      ],
      "Tiltignore": {
        "LocalPath": "/src",
        "Source": "/src/.tiltignore",
        "Patterns": [
          "*.swp"
        ]
      },
      "ConfigFiles": [
        "/src/.tiltignore",
        "/src/Tiltfile",
        "/src/app.yaml",
        "/src/web/.dockerignore",
        "/src/web/Dockerfile"
      ],
      "FeatureFlags": {
        "bulk_disable_resources": false,
        "cluster_refresh": false,
        "disable_resources": true,
        "events": true,
        "facets": true,
        "labels": true,
        "live_update_v2": true,
        "multiple_containers_per_pod": true,
        "offline_snapshot_creation": true,
        "snapshots": true,
        "update_history": false
      },
      "TeamID": "",
      "TelemetrySettings": {
        "Cmd": {
          "Argv": null,
          "Dir": "",
          "Env": null,
          "EchoOff": false
        },
        "Workdir": "",
        "Period": 60000000000
      },
      "Secrets": {},
      "Error": null,
      "DockerPruneSettings": {
        "Enabled": true,
        "MaxAge": 21600000000000,
        "NumBuilds": 0,
        "Interval": 3600000000000,
        "KeepRecent": 2
      },
      "AnalyticsOpt": 0,
      "VersionSettings": {
        "CheckUpdates": true
      },
      "UpdateSettings": {
        "SuppressUnusedImageWarnings": null
      },
      "WatchSettings": {
        "Ignores": null
      },
      "DefaultRegistry": null,
      "ObjectSet": {},
      "Hashes": {
        "TiltfileSHA256": "1f842fe88206e08c09875861d0bcc06d9abe094fb7536450820b2b901a4cbb13",
        "AllFilesSHA256": "1f842fe88206e08c09875861d0bcc06d9abe094fb7536450820b2b901a4cbb13"
      },
      "CISettings": {
        "timeout": "30m0s",
        "readinessTimeout": "5m0s"
      }
    }
    "#);
}
