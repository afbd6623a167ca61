// Package imports holds the direction of imports: the layers of docs/architecture.md, each of which
// imports only what is below it.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "guestclustering.io/operator/"

// layers says what each part of the project may import of the project, itself apart. A part is a directory
// with all below it; the longest one that matches counts. A part that is not here may be imported by
// nobody and import nothing: say here where it belongs.
var layers = map[string][]string{
	"api":           {},
	"pkg/hostagent": {},
	"pkg/hyperv":    {"pkg/hostagent"},
	"pkg/guest":     {"pkg/hostagent", "pkg/hyperv"},
	"pkg/hypervsim": {"pkg/hostagent", "pkg/hyperv"},
	"pkg/plan":      {"api", "pkg/guest", "pkg/hostagent", "pkg/hyperv"},
	"pkg/execute":   {"api", "pkg/hostagent", "pkg/hyperv", "pkg/plan"},
	"pkg/status":    {"api", "pkg/plan"},
	"pkg/hostpool":  {"api", "pkg/execute", "pkg/hostagent", "pkg/hyperv", "pkg/plan"},
	"pkg/guestpool": {"pkg/guest", "pkg/hostagent", "pkg/hyperv"},
	"controllers":   {"api", "pkg/execute", "pkg/guest", "pkg/guestpool", "pkg/hostagent", "pkg/hostpool", "pkg/hyperv", "pkg/plan", "pkg/status"},
	"cmd":           {"api", "controllers", "pkg"},
	"test":          {"api", "pkg", "test"},
	"hack":          {"api", "pkg", "test"},
}

// A file is one Go file and what it imports of the project, as directories from the project's root.
type file struct {
	path    string
	imports []string
}

func TestImportsPointDownwards(t *testing.T) {
	files := projectFiles(t, filepath.Join("..", ".."))
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	for _, file := range files {
		for _, violation := range violations(file) {
			t.Error(violation)
		}
	}
}

func TestViolations(t *testing.T) {
	tests := map[string]struct {
		file file
		want string
	}{
		"downwards": {
			file: file{"pkg/plan/machine.go", []string{"api/v1alpha1", "pkg/hyperv/cmdlet"}},
		},
		"within a part": {
			file: file{"controllers/guestcluster/controller.go", []string{"controllers/status"}},
		},
		"a command may import controllers": {
			file: file{"cmd/manager/main.go", []string{"controllers/guestcluster", "pkg/hostpool"}},
		},
		"the simulator imports the API": {
			file: file{"pkg/hypervsim/world.go", []string{"api/v1alpha1"}},
			want: "pkg/hypervsim/world.go imports api/v1alpha1: pkg/hypervsim may import only pkg/hostagent, pkg/hyperv of the project",
		},
		"a driver imports the API": {
			file: file{"pkg/hostagent/winrm/driver.go", []string{"api/v1alpha1"}},
			want: "pkg/hostagent/winrm/driver.go imports api/v1alpha1: pkg/hostagent may import only nothing of the project",
		},
		"something imports controllers": {
			file: file{"pkg/hostpool/pool.go", []string{"controllers/guestcluster"}},
			want: "pkg/hostpool/pool.go imports controllers/guestcluster: pkg/hostpool may import only api, pkg/execute, pkg/hostagent, pkg/hyperv, pkg/plan of the project",
		},
		"a name that begins alike": {
			file: file{"pkg/plan/machine.go", []string{"pkg/hypervsim"}},
			want: "pkg/plan/machine.go imports pkg/hypervsim: pkg/plan may import only api, pkg/guest, pkg/hostagent, pkg/hyperv of the project",
		},
		"a part without a layer": {
			file: file{"pkg/new/new.go", nil},
			want: "pkg/new/new.go is in no layer: add its directory to layers in test/imports",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(violations(test.file), "\n"); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// violations is empty for a file that imports only what is below it.
func violations(f file) []string {
	part, ok := partOf(f.path)
	if !ok {
		return []string{f.path + " is in no layer: add its directory to layers in test/imports"}
	}
	var found []string
	for _, imported := range f.imports {
		if !allowed(part, imported) {
			found = append(found, f.path+" imports "+imported+": "+part+" may import only "+list(layers[part])+" of the project")
		}
	}
	return found
}

func allowed(part, imported string) bool {
	return slices.ContainsFunc(append([]string{part}, layers[part]...), func(below string) bool {
		return within(imported, below)
	})
}

func partOf(filePath string) (string, bool) {
	parts := slices.SortedFunc(maps.Keys(layers), func(a, b string) int { return len(b) - len(a) })
	i := slices.IndexFunc(parts, func(part string) bool { return within(path.Dir(filePath), part) })
	if i < 0 {
		return "", false
	}
	return parts[i], true
}

func within(directory, parent string) bool {
	return directory == parent || strings.HasPrefix(directory, parent+"/")
}

func list(parts []string) string {
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// projectFiles reads the imports of every Go file but the tests: a suite may reach for whatever it drives.
func projectFiles(t *testing.T, root string) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if ignored(relative) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		imports, err := projectImports(name)
		files = append(files, file{filepath.ToSlash(relative), imports})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func ignored(directory string) bool {
	base := filepath.Base(directory)
	return directory == "bin" || base == "testdata" || (strings.HasPrefix(base, ".") && base != "." && base != "..")
}

func projectImports(name string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if directory, ours := strings.CutPrefix(imported, module); ours {
			imports = append(imports, directory)
		}
	}
	return imports, nil
}
