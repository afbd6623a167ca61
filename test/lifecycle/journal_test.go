package lifecycle_test

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/test/powershell"
)

// mostJournalled bounds what one PowerShell is asked at the end of the suite.
const mostJournalled = 400

// journalled is a batch of some journal, as an administrator would type it, on its host's build.
type journalled struct {
	build int
	batch hostagent.Batch
	text  string
}

// collected are the batches of every site's journal, one of each kind; seen counts all of them.
var collected = struct {
	sync.Mutex
	kinds map[string]journalled
	seen  int
}{kinds: map[string]journalled{}}

// checkCalls holds every call of the site's journal against what its host's build has, and keeps one batch of each kind for
// a real PowerShell.
func (s *site) checkCalls() {
	GinkgoHelper()
	collected.Lock()
	defer collected.Unlock()
	for _, sent := range batchesOf(s.world.Journal(0)) {
		build := s.builds[sent.Target.Host]
		if sent.Target.VM != "" {
			build = hyperv.Build2022 // the image's
		}
		Expect(build).NotTo(BeZero(), "build of %s", sent.Target.Host)
		_, err := surface.BindBatch(sent, build)
		Expect(err).NotTo(HaveOccurred(), "on Windows build %d: %+v", build, sent.Calls)
		text, err := surface.Print(sent)
		Expect(err).NotTo(HaveOccurred())
		collected.seen++
		kind := fmt.Sprint(build, "\n", kindOf(text))
		if _, known := collected.kinds[kind]; !known {
			collected.kinds[kind] = journalled{build: build, batch: sent, text: text}
		}
	}
}

// batchesOf puts the batches of a journal together again, without those whose beginning is not kept any more.
func batchesOf(journal []hypervsim.Entry) []hostagent.Batch {
	type number struct {
		session, batch int
		vm             string
	}
	all := map[number]*hostagent.Batch{}
	var out []*hostagent.Batch
	for _, e := range journal {
		n := number{e.Session, e.Batch, e.VM}
		if e.Call == nil || e.Call.Cmdlet == "Invoke-GuestBatch" {
			// What was sent into a guest has entries of its own.
			continue
		}
		if e.Index == 0 {
			all[n] = &hostagent.Batch{Target: hostagent.Target{Host: e.Host, VM: e.VM}, Logon: e.Logon, OnError: e.OnError}
			if e.Logon == hostagent.LogonExplicit {
				all[n].Credential = &hostagent.Credential{User: "somebody"}
			}
			out = append(out, all[n])
		}
		if b := all[n]; b != nil {
			b.Calls = append(b.Calls, *e.Call)
		}
	}
	batches := make([]hostagent.Batch, len(out))
	for i, b := range out {
		batches[i] = *b
	}
	return batches
}

// What tells one object from another of its kind: ids, addresses and names that begin with the name of a namespace.
var particular = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{8,}\b|\bt-[a-z0-9]{5}[^\\']*|\brack-[a-z0-9]{5}\b`)

// kindOf is a batch's text without what tells one object from another.
func kindOf(text string) string { return particular.ReplaceAllString(text, "*") }

// journalsBind asks a real PowerShell about the batches that were collected.
func journalsBind(t *testing.T) {
	kinds := slices.Sorted(maps.Keys(collected.kinds))
	if len(kinds) == 0 {
		t.Skip("no batch was sent")
	}
	t.Logf("%d batches of %d kinds were sent, of which %d at most are asked about", collected.seen, len(kinds), mostJournalled)
	kinds = kinds[:min(len(kinds), mostJournalled)]
	cases := make([]powershell.Case, len(kinds))
	for i, kind := range kinds {
		cases[i] = powershell.Case{Build: collected.kinds[kind].build, Text: collected.kinds[kind].text}
	}
	for i, verdict := range powershell.Bind(t, cases) {
		if problem := otherwiseBound(collected.kinds[kinds[i]], verdict); problem != "" {
			t.Errorf("on Windows build %d: %s\n%s", cases[i].Build, problem, cases[i].Text)
		}
	}
}

// otherwiseBound says what PowerShell makes of a batch that is not what was sent, if anything.
func otherwiseBound(sent journalled, verdict powershell.Verdict) string {
	bounds, err := surface.BindBatch(sent.batch, sent.build)
	if problem := cmp.Or(verdict.Problem, errorText(err)); problem != "" {
		return problem
	}
	if len(verdict.Calls) != len(bounds) {
		return fmt.Sprintf("%d calls of %d came back", len(verdict.Calls), len(bounds))
	}
	for i, got := range verdict.Calls {
		want := bounds[i]
		given, received := slices.Sorted(maps.Keys(want.Values)), slices.Sorted(maps.Keys(got.Values))
		if got.Error != "" || got.Cmdlet != want.Cmdlet || got.Set != want.ParameterSet || !slices.Equal(given, received) {
			return fmt.Sprintf("call %d is %s (set %q) with %q; PowerShell has %s (set %q) with %q %s %s",
				i+1, want.Cmdlet, want.ParameterSet, given, got.Cmdlet, got.Set, received, got.Error, got.Message)
		}
	}
	return ""
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
