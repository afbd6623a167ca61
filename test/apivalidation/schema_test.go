package apivalidation

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// maxCRDBytes keeps a CRD well under the 262144 bytes that a client-side apply can put in its annotation.
const maxCRDBytes = 200 << 10

const crdDirectory = "../../config/crd/bases"

func readCRDs(t *testing.T) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(crdDirectory, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	crds := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > maxCRDBytes {
			t.Errorf("%s has %d bytes; a client-side apply needs it under %d", file, len(text), maxCRDBytes)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		crds[crd.Spec.Names.Kind] = crd
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(manifests)), slices.Sorted(maps.Keys(crds))); diff != "" {
		t.Fatalf("kinds (-want +got):\n%s", diff)
	}
	return crds
}

// walk visits the schema and what is below it; a list's items are at path[].
func walk(path string, schema *apiextensionsv1.JSONSchemaProps, visit func(path string, schema *apiextensionsv1.JSONSchemaProps)) {
	visit(path, schema)
	for name, property := range schema.Properties {
		walk(strings.TrimPrefix(path+"."+name, "."), &property, visit)
	}
	if schema.Items != nil {
		walk(path+"[]", schema.Items.Schema, visit)
	}
}

func walkKinds(t *testing.T, visit func(kind, path string, schema *apiextensionsv1.JSONSchemaProps)) {
	t.Helper()
	for kind, crd := range readCRDs(t) {
		walk("", crd.Spec.Versions[0].Schema.OpenAPIV3Schema, func(path string, schema *apiextensionsv1.JSONSchemaProps) {
			visit(kind, path, schema)
		})
	}
}

// TestEveryRuleHasACase holds the table of rules to the CRDs: what is declared is tested, and the other way.
func TestEveryRuleHasACase(t *testing.T) {
	declared, tested := map[string]bool{}, map[string]bool{}
	walkKinds(t, func(kind, path string, schema *apiextensionsv1.JSONSchemaProps) {
		for _, v := range schema.XValidations {
			declared[kind+" "+strings.TrimPrefix(path+v.FieldPath, ".")+": "+v.Message] = true
		}
	})
	index := regexp.MustCompile(`\[\d+\]`)
	for name, r := range rules {
		kind, _, _ := strings.Cut(name, ":")
		tested[kind+" "+index.ReplaceAllString(r.path, "[]")+": "+r.message] = true
		if len(r.accepted) == 0 || len(r.refused) == 0 {
			t.Errorf("%s: both sides of the rule need a manifest", name)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(declared)), slices.Sorted(maps.Keys(tested))); diff != "" {
		t.Errorf("rules (-declared +tested):\n%s", diff)
	}
}

// foreign says whether a field's type is Kubernetes's own, whose bounds are not ours to set.
func foreign(path string) bool {
	return path == "apiVersion" || path == "kind" || path == "metadata" ||
		strings.HasPrefix(path, "spec.allowedNamespaces.selector.")
}

func TestEverythingIsBounded(t *testing.T) {
	walkKinds(t, func(kind, path string, schema *apiextensionsv1.JSONSchemaProps) {
		if foreign(path) {
			return
		}
		switch {
		case schema.Type == "string" && schema.MaxLength == nil && len(schema.Enum) == 0 && schema.Format == "":
			t.Errorf("%s %s: a string without a length, an enum or a format", kind, path)
		case schema.Type == "array" && schema.MaxItems == nil:
			t.Errorf("%s %s: a list without a length", kind, path)
		case schema.XIntOrString && strings.HasPrefix(path, "spec.") && schema.MaxLength == nil:
			t.Errorf("%s %s: a quantity without a length", kind, path)
		}
	})
}

func TestListsOfObjectsAreMaps(t *testing.T) {
	walkKinds(t, func(kind, path string, schema *apiextensionsv1.JSONSchemaProps) {
		if foreign(path) || schema.Type != "array" || schema.Items.Schema.Type != "object" {
			return
		}
		if schema.XListType == nil || *schema.XListType != "map" || len(schema.XListMapKeys) == 0 {
			t.Errorf("%s %s: a list of objects without a key", kind, path)
		}
	})
}

// TestFieldsSayWhetherTheyMayChange also covers keys: a name that is a list's key is the entry, and nothing to change.
func TestFieldsSayWhetherTheyMayChange(t *testing.T) {
	says := regexp.MustCompile(`Changes:\s(fixed|online|needs the VM off|as )`)
	walkKinds(t, func(kind, path string, schema *apiextensionsv1.JSONSchemaProps) {
		if foreign(path) || strings.HasSuffix(path, "[]") || path == "" {
			return
		}
		if schema.Description == "" {
			t.Errorf("%s %s: no description", kind, path)
		}
		isKey, isReference := strings.HasSuffix(path, "[].name"), strings.HasSuffix(path, "Ref.name")
		inSpec := strings.HasPrefix(path, "spec.") && !strings.HasSuffix(path, ".spec")
		if inSpec && !isKey && !isReference && !says.MatchString(schema.Description) {
			t.Errorf("%s %s: the description does not say whether the field may change", kind, path)
		}
	})
}
