// Package links holds that what the documentation links to exists.
package links

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// link matches inline links and images, [text](target), and reference definitions, [name]: target.
var link = regexp.MustCompile(`\]\(<?([^)\s>]+)|(?m)^\[[^\]]+\]:\s*<?(\S+?)>?\s*$`)

var codeBlock = regexp.MustCompile("(?ms)^\\s*```.*?^\\s*```|`[^`\n]*`")

func TestLinksExist(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); base == "bin" || (strings.HasPrefix(base, ".") && base != "..") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, target := range relativeLinks(string(text)) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), filepath.FromSlash(target))); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRelativeLinks(t *testing.T) {
	text := strings.Join([]string{
		"[a](docs/a.md), [b](docs/b.md#part) and ![c](c.svg \"title\")",
		"[elsewhere](https://example.com/x.md) [here](#part) [mail](mailto:a@example.com)",
		"[d]: ../d.md",
		"`[not](code.md)`",
		"```",
		"[not](block.md)",
		"```",
	}, "\n")
	want := []string{"docs/a.md", "docs/b.md", "c.svg", "../d.md"}
	if diff := cmp.Diff(want, relativeLinks(text)); diff != "" {
		t.Errorf("relative links (-want +got):\n%s", diff)
	}
}

// relativeLinks are the files that text links to, without the part after #.
func relativeLinks(text string) []string {
	var targets []string
	for _, match := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		target, _, _ := strings.Cut(match[1]+match[2], "#")
		if target == "" || strings.Contains(target, ":") {
			continue
		}
		targets = append(targets, target)
	}
	return targets
}
