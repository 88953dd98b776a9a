#!/bin/sh
# A controller in a few lines: of each Robot it makes two pods, which the Robot owns. One speaks, and one waits for a
# Secret that is named after the robot's battery.

line='{.metadata.name}{" "}{.metadata.uid}{" "}{.spec.battery}{" "}{.spec.says}{"\n"}'

kubectl get robots.toys.example.com --watch -o jsonpath="$line" | while read -r name uid battery says; do
  kubectl apply -f - <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $name-voice
  ownerReferences:
  - {apiVersion: toys.example.com/v1, kind: Robot, name: $name, uid: $uid}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: voice
    image: localhost:5000/busybox:1
    command: [sh, -c, 'echo "$says"; exec sleep 1000']
---
apiVersion: v1
kind: Pod
metadata:
  name: $name-legs
  ownerReferences:
  - {apiVersion: toys.example.com/v1, kind: Robot, name: $name, uid: $uid}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: legs
    image: localhost:5000/busybox:1
    command: [sleep, '1000']
    volumeMounts:
    - {name: battery, mountPath: /battery}
  volumes:
  - name: battery
    secret: {secretName: $battery}
YAML
done
