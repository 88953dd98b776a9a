// Command schema prints what Go's types say about the kinds that Kubernetes
// itself defines: their fields, types, and which fields are written even when
// they are empty. src/k8s/schema/types.txt is its output; see the file beside
// it for how it is read.
//
//	cd dev/cluster && go run ./schema > ../../src/k8s/schema/types.txt
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"reflect"
	"sort"
	"strings"

	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	extensionsbeta "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// Kinds that are no objects.
var skipped = map[string]bool{
	"WatchEvent": true, "ListOptions": true, "GetOptions": true, "DeleteOptions": true, "CreateOptions": true,
	"UpdateOptions": true, "PatchOptions": true, "Status": true, "APIVersions": true, "APIGroup": true,
	"APIGroupList": true, "APIResourceList": true, "List": true, "PodAttachOptions": true, "PodExecOptions": true,
	"PodLogOptions": true, "PodPortForwardOptions": true, "PodProxyOptions": true, "NodeProxyOptions": true,
	"ServiceProxyOptions": true,
}

// Versions that newer releases do not know any more.
var removed = map[string]bool{"autoscaling/v2beta1": true, "autoscaling/v2beta2": true}

var types = map[string]string{}

func main() {
	extensions.AddToScheme(scheme.Scheme)
	extensionsbeta.AddToScheme(scheme.Scheme)
	var kinds []string
	for gvk, t := range scheme.Scheme.AllKnownTypes() {
		if skipped[gvk.Kind] || gvk.Version == runtime.APIVersionInternal || removed[gvk.GroupVersion().String()] {
			continue
		}
		kinds = append(kinds, fmt.Sprintf("kind %s %s %s", gvk.GroupVersion(), gvk.Kind, name(t)))
		add(t)
	}
	sort.Strings(kinds)
	var names []string
	for name := range types {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Println("# Made by dev/cluster/schema from the Go types of Kubernetes 1.34. Do not edit.")
	for _, kind := range kinds {
		fmt.Println(kind)
	}
	for _, name := range names {
		fmt.Println("type " + name + types[name])
	}
}

// name returns a type's package, version and name, as in core/v1.Pod.
func name(t reflect.Type) string {
	version := path.Base(t.PkgPath())
	return path.Base(path.Dir(t.PkgPath())) + "/" + version + "." + t.Name()
}

func add(t reflect.Type) {
	if _, known := types[name(t)]; known {
		return
	}
	types[name(t)] = "" // ends recursion
	types[name(t)] = fields(t)
}

// fields returns " name:type" for each field, those of embedded structs included; "?" after the name says that an
// empty value is left out.
func fields(t reflect.Type) string {
	var out strings.Builder
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == "-" || !field.IsExported() {
			continue
		}
		if field.Anonymous && tag == "" {
			out.WriteString(fields(field.Type))
			continue
		}
		if tag == "" {
			fmt.Fprintf(os.Stderr, "%s.%s has no name in JSON\n", t, field.Name)
			continue
		}
		omit := ""
		if strings.Contains(options, "omitempty") {
			omit = "?"
		}
		fmt.Fprintf(&out, " %s%s:%s", tag, omit, shape(field.Type))
	}
	return out.String()
}

var unmarshaler = reflect.TypeOf((*json.Unmarshaler)(nil)).Elem()

// shape returns a type: a scalar (with its name in brackets where it has one), "*T", "[]T", "{}T", "bytes", the bare
// name of a type that reads itself, or the full name of a struct.
func shape(t reflect.Type) string {
	if t != reflect.TypeOf(metav1.TypeMeta{}) && reflect.PointerTo(t).Implements(unmarshaler) {
		return "!" + t.Name()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + shape(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + shape(t.Elem())
	case reflect.Map:
		return "{}" + shape(t.Elem())
	case reflect.Struct:
		add(t)
		return name(t)
	case reflect.Interface:
		return "!RawExtension"
	}
	if t.PkgPath() == "" {
		return t.Kind().String()
	}
	return t.Kind().String() + "(" + t.String() + ")"
}
