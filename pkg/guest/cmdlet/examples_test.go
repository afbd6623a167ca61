package cmdlet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	hyperv "guestclustering.io/operator/pkg/hyperv/cmdlet"
)

func TestExamplesCallEveryConstructor(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	constructors, called := map[string]bool{}, map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.IsExported() && returnsCall(n) && !strings.HasSuffix(name, "_test.go") {
					constructors[n.Name.Name] = true
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && name == "examples.go" {
					called[f.Name] = true
				}
			}
			return true
		})
	}
	if len(constructors) == 0 {
		t.Fatal("no constructors found")
	}
	for _, name := range slices.Sorted(maps.Keys(constructors)) {
		if !called[name] {
			t.Errorf("%s: no example calls it", name)
		}
	}
}

func returnsCall(f *ast.FuncDecl) bool {
	if f.Type.Results == nil || len(f.Type.Results.List) != 1 {
		return false
	}
	result, ok := f.Type.Results.List[0].Type.(*ast.SelectorExpr)
	return ok && result.Sel.Name == "Call"
}

func TestExamplesAreBatches(t *testing.T) {
	for i, batch := range cmdlet.Examples() {
		if err := batch.Validate(); err != nil {
			t.Errorf("example %d: %v", i+1, err)
		}
	}
}

func TestKindsListWhatIsCalled(t *testing.T) {
	called := map[string]bool{}
	for _, batch := range cmdlet.Examples() {
		for _, call := range batch.Calls {
			called[call.Cmdlet] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(called)), slices.Sorted(maps.Keys(cmdlet.Kinds))); diff != "" {
		t.Errorf("the table lists other cmdlets than are called (-called +listed)\n%s", diff)
	}
}

func TestKindsAgreeWithWhatACallChanges(t *testing.T) {
	for name, kind := range cmdlet.Kinds {
		if changes := (hostagent.Call{Cmdlet: name}).Changes(); changes == (kind == hyperv.Read) {
			t.Errorf("%s is %s, but Changes is %v", name, kind, changes)
		}
	}
}
