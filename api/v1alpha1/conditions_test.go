package v1alpha1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// constants are the values of the constants of a type in conditions.go, with their comments.
func constants(t *testing.T, typeName string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "conditions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if ident, ok := spec.Type.(*ast.Ident); !ok || ident.Name != typeName {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found[value] = spec.Names[0].Name + ": " + spec.Doc.Text()
		return true
	})
	return found
}

func TestReasonsAreAClosedSet(t *testing.T) {
	var listed []string
	for _, actor := range []Actor{ActorOperator, ActorUser, ActorPlatformTeam, ActorNobody} {
		for _, reason := range Reasons(actor) {
			listed = append(listed, string(reason))
			if reason.Actor() != actor {
				t.Errorf("%s: Actor() = %q, listed under %q", reason, reason.Actor(), actor)
			}
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(constants(t, "Reason"))), listed); diff != "" {
		t.Errorf("reasons (-declared +listed by actor):\n%s", diff)
	}
	if actor := Reason("Nonsense").Actor(); actor != "" {
		t.Errorf("Actor() of a text outside the set = %q", actor)
	}
}

func TestReasonsAndConditionsAreNamedByTheirValue(t *testing.T) {
	// The pattern is that of metav1.Condition's reason.
	valid := regexp.MustCompile(`^[A-Za-z]+$`)
	for typeName, prefix := range map[string]string{"Reason": "Reason", "ConditionType": "Condition"} {
		for value, doc := range constants(t, typeName) {
			if !valid.MatchString(value) || !strings.HasPrefix(doc, prefix+value+": "+prefix+value+" ") {
				t.Errorf("%q is declared and documented as %q", value, doc)
			}
		}
	}
}

func TestEveryConditionTypeBelongsToAKind(t *testing.T) {
	used := map[string]bool{}
	for _, types := range [][]ConditionType{HostClusterConditions, GuestClusterConditions, FailoverClusterConditions, SharedDiskConditions, AntiAffinityGroupConditions} {
		for _, common := range []ConditionType{ConditionReady, ConditionReconciling, ConditionStalled} {
			if !slices.Contains(types, common) {
				t.Errorf("%v: %s is missing", types, common)
			}
		}
		for _, conditionType := range types {
			used[string(conditionType)] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(constants(t, "ConditionType"))), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("condition types (-declared +used):\n%s", diff)
	}
}

func TestConditionTypesFollowTheClusterInside(t *testing.T) {
	tests := map[string]struct {
		clustering *GuestClusterClustering
		want       []ConditionType
	}{
		"left out": {nil, GuestClusterConditions},
		"none":     {&GuestClusterClustering{Type: ClusteringNone}, GuestClusterConditions},
		"failover": {&GuestClusterClustering{Type: ClusteringFailover, Failover: &FailoverClustering{}}, FailoverClusterConditions},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			gc := &GuestCluster{Spec: GuestClusterSpec{Clustering: test.clustering}}
			if diff := cmp.Diff(test.want, gc.ConditionTypes()); diff != "" {
				t.Errorf("ConditionTypes (-want +got):\n%s", diff)
			}
		})
	}
}
