package controlplane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A program of the control plane, by its file name.
type program string

const (
	etcd        program = "etcd"
	apiserver   program = "kube-apiserver"
	kubectl     program = "kubectl"
	controllers program = "kube-controller-manager"
)

const modulePath = "guestclustering.io/operator"

// find looks up the programs that opts need: in KUBEBUILDER_ASSETS first, program by program, because
// the directories that others prepare have no kube-controller-manager.
func find(opts Options) (map[program]string, error) {
	needed := []program{etcd, apiserver, kubectl}
	if opts.Controllers {
		needed = append(needed, controllers)
	}
	directories, err := assetDirectories()
	if err != nil {
		return nil, err
	}
	found := map[program]string{}
	var missing []string
	for _, name := range needed {
		path := findIn(directories, name)
		if path == "" {
			missing = append(missing, string(name))
			continue
		}
		found[name] = path
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no %s in %s: build what is missing with `make controlplane` (once, 9 minutes on two cores), or set KUBEBUILDER_ASSETS to a directory that has it",
			strings.Join(missing, ", "), strings.Join(directories, " or "))
	}
	return found, nil
}

func assetDirectories() ([]string, error) {
	root, err := projectRoot()
	if err != nil {
		return nil, err
	}
	directories := []string{filepath.Join(root, "bin", "controlplane")}
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		directories = append([]string{assets}, directories...)
	}
	return directories, nil
}

func findIn(directories []string, name program) string {
	for _, directory := range directories {
		path := filepath.Join(directory, string(name))
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// projectRoot is the nearest directory, upwards from the working directory, with this project's go.mod:
// a test runs in its package's directory, the demo at the root.
func projectRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the project's root: %w", err)
	}
	for directory := start; ; directory = filepath.Dir(directory) {
		gomod, err := os.ReadFile(filepath.Join(directory, "go.mod"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for the project's root: %w", err)
		}
		if strings.HasPrefix(string(gomod), "module "+modulePath+"\n") {
			return directory, nil
		}
		if directory == filepath.Dir(directory) {
			return "", fmt.Errorf("looking for the project's root: neither %s nor a directory above it has the go.mod of %s; run inside a checkout", start, modulePath)
		}
	}
}
