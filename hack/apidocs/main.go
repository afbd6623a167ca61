// Command apidocs writes docs/reference.md from the CRDs in config/crd/bases and the reasons in
// api/v1alpha1. Run it in the project's directory: go run ./hack/apidocs
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const reference = "docs/reference.md"

func main() {
	text, err := page(".")
	if err == nil {
		err = os.WriteFile(reference, []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "apidocs:", err)
		os.Exit(1)
	}
	fmt.Println(filepath.FromSlash(reference))
}
