package endpoint

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hypervsim"
)

// example matches one curl line of the documentation: its method if it has one, its path and its body.
var example = regexp.MustCompile(`(?m)^(?:SESSION=\$\()?curl (?:-s )?(?:-X ([A-Z]+) )?'?127\.0\.0\.1:7100(/[^' \n)]+)'?(?: -d '([^']*)')?`)

// TestTheDocumentedRequestsWork sends every request of docs/simulator.md, in its order, to a world with the machines that
// the page speaks of.
func TestTheDocumentedRequestsWork(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "simulator.md"))
	if err != nil {
		t.Fatal(err)
	}
	w := documented(t)
	server := "http://" + serveWith(t, w, winRM(t, w))
	session := ""
	shown := map[string]bool{}
	for _, e := range example.FindAllStringSubmatch(string(page), -1) {
		method, path, body := e[1], strings.ReplaceAll(e[2], "$SESSION", session), e[3]
		switch {
		case method == "" && body != "":
			method = http.MethodPost
		case method == "":
			method = http.MethodGet
		}
		status, answer := request(t, method, server+path, body)
		if status/100 != 2 {
			t.Errorf("%s %s %s: %d %s", method, path, body, status, answer)
		}
		if path == "/v1/control/actions" {
			shown[fieldOf(body, "action")] = true
		}
		if id := fieldOf(answer, "session"); id != "" {
			session = id
		}
		if err := w.Advance(10 * time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	delete(shown, "")
	all := map[string]bool{}
	for name := range maps.Keys(actions) {
		all[name] = true
	}
	if diff := cmp.Diff(all, shown); diff != "" {
		t.Errorf("actions without an example (-all +shown):\n%s", diff)
	}
}

// fieldOf is a text field of a JSON object, or empty.
func fieldOf(body, name string) string {
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		return ""
	}
	text, _ := fields[name].(string)
	return text
}

// documented is a world with two clustered machines that have an adapter called client.
func documented(t *testing.T) *hypervsim.World {
	t.Helper()
	w := still(t)
	for name, host := range map[string]string{"payments.SQL-1": "hv01", "payments.SQL-2": "hv04"} {
		addClustered(t, w, host, name, `C:\ClusterStorage\Gold\`+name)
		if err := w.AddAdapter(name, "client", "vSwitch-Client", ""); err != nil {
			t.Fatal(err)
		}
	}
	return w
}
