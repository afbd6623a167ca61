package links

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"guestclustering.io/operator/api/v1alpha1"
)

// row matches the first column of a table's row.
var row = regexp.MustCompile("(?m)^\\| `(\\w+)` \\|")

// TestReasonsThatAreExplained holds that docs/failover-clusters.md explains reasons that there are.
func TestReasonsThatAreExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "failover-clusters.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "\n| Reason |")
	rows := row.FindAllStringSubmatch(table, -1)
	if !found || len(rows) == 0 {
		t.Fatal("the page has no table of reasons")
	}
	for _, r := range rows {
		if v1alpha1.Reason(r[1]).Actor() == "" {
			t.Errorf("there is no reason %s", r[1])
		}
	}
}
