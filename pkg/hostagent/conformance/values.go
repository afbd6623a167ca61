package conformance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
)

// awkward are texts that some layer on the way to a host might take for its own.
var awkward = map[string]string{
	"quotes":       `it's "quoted" and ‘curly’`,
	"expansions":   "$(Get-VM) ${x} $env:TEMP `n %TEMP%",
	"a tag":        `{"$secret":"no secret"}`,
	"a script":     "'; Remove-Item C:\\ -Recurse #",
	"lines":        "one\r\ntwo\nthree\ttabbed",
	"wide letters": "Größe 雪 \U0001F600 é\u0301",
	"markup":       "<a>&amp;]]></a> \u2028",
	"spaces":       "  around  ",
}

func textGoesAndComesBack(t *testing.T, s Subject) {
	session := open(t, s)
	for name, text := range awkward {
		t.Run(name, func(t *testing.T) {
			path := freshPath(s.Pool)
			t.Cleanup(func() { session.run(hostagent.Continue, removeFolder("remove", path, text)) })
			results := session.done(newFolder("new", path, text), folders("list", s.Pool))
			if got := stampOf(results.ByID("list"), path); got != text {
				t.Errorf("the text came back as %q, want %q", got, text)
			}
		})
	}
}

// stampOf finds a folder's text in the answer to a folders call.
func stampOf(r hostagent.Result, path string) string {
	for _, folder := range r.Values {
		if strings.EqualFold(folder.Text("Path"), path) {
			return folder.Text("Stamp")
		}
	}
	return ""
}

func numbersGoAndComeBack(t *testing.T, s Subject) {
	session := open(t, s)
	id := session.machine(s.Pool, "conformance")
	results := session.done(
		vmByID("vm", id),
		call("set", "Set-VM", p{"VM": hostagent.Ref{Call: "vm"}, "ProcessorCount": hostagent.Int(3), "StaticMemory": hostagent.Bool(true)}),
		vmByID("look", id, "ProcessorCount", "MemoryStartup", "DynamicMemoryEnabled", "IsClustered"),
	)
	want := []hostagent.Object{{
		"ProcessorCount": json.Number("3"), "MemoryStartup": json.Number("5368709120"), "DynamicMemoryEnabled": false, "IsClustered": false,
	}}
	if diff := cmp.Diff(want, results.ByID("look").Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func listsGoAndComeBack(t *testing.T, s Subject) {
	session := open(t, s)
	folder := session.folder(s.Pool)
	first, second := folder+`\a.vhdx`, folder+`\b.vhdx`
	results := session.done(
		newDisk("a", first, 1<<30), newDisk("b", second, 1<<30),
		items("two", first, second), items("one", second),
	)
	want := []hostagent.Object{{"FullName": first}, {"FullName": second}}
	if diff := cmp.Diff(want, results.ByID("two").Values); diff != "" {
		t.Errorf("a list of two (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:], results.ByID("one").Values); diff != "" {
		t.Errorf("a list of one (-want +got):\n%s", diff)
	}
}

func largeAnswersCome(t *testing.T, s Subject) {
	session := open(t, s)
	text := strings.Repeat("0123456789abcdef", 4<<20/16)
	path := freshPath(s.Pool)
	t.Cleanup(func() { session.run(hostagent.Continue, removeFolder("remove", path, text)) })
	results := session.done(newFolder("new", path, text), folders("list", s.Pool))
	if got := stampOf(results.ByID("list"), path); got != text {
		t.Errorf("%d characters came back of %d", len(got), len(text))
	}
}
