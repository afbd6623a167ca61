package surface_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/test/powershell"
)

var seed = flag.Uint64("seed", 2, "of the generated calls")

func TestExamplesBindInPowerShell(t *testing.T) {
	var cases []powershell.Case
	for _, batch := range examples() {
		cases = append(cases, powershell.Case{Build: newest, Batch: batch})
	}
	for i, verdict := range powershell.Bind(t, cases) {
		checkAccepted(t, cases[i], verdict)
	}
}

// checkAccepted holds what PowerShell received against what Bind says of a batch that it accepts.
func checkAccepted(t *testing.T, c powershell.Case, verdict powershell.Verdict) {
	t.Helper()
	bounds, err := surface.BindBatch(c.Batch, c.Build)
	if err != nil {
		t.Errorf("refused: %v", err)
		return
	}
	if diff := cmp.Diff(expected(c.Batch, bounds), strip(verdict.Calls), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("PowerShell receives something else (-ours +PowerShell):\n%s", diff)
	}
}

// TestLaw: what Bind accepts, PowerShell accepts with the same parameter set and values. What it refuses, PowerShell
// refuses for the same kind of reason, unless the call is wrong in a way that only we mind.
func TestLaw(t *testing.T) {
	made := newGenerator(*seed).cases(1000)
	checkAll(t, made, powershell.Bind(t, cases(made)))
}

// TestRecordedLaw holds Bind to verdicts that PowerShell gave once, so that it is held to them also where there is none.
func TestRecordedLaw(t *testing.T) {
	made, verdicts := recorded(t)
	checkAll(t, made, verdicts)
}

// TestRecordedVerdictsStand: PowerShell still says what is recorded. With -update, new cases are recorded.
func TestRecordedVerdictsStand(t *testing.T) {
	if *update {
		made := newGenerator(1).cases(600)
		record(t, made, powershell.Bind(t, cases(made)))
		return
	}
	made, want := recorded(t)
	got := powershell.Bind(t, cases(made))
	for i := range got {
		got[i].Calls = strip(got[i].Calls)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("PowerShell says something else than is recorded (-recorded +now); -update records anew:\n%s", diff)
	}
}

// TestPrintedBatchesComeBack: PowerShell parses what Print writes as plain calls and binds them to what the batch says.
func TestPrintedBatchesComeBack(t *testing.T) {
	var batches []hostagent.Batch
	for _, m := range newGenerator(*seed + 1).cases(600) {
		if _, err := surface.BindBatch(m.batch, newest); err == nil {
			batches = append(batches, m.batch)
		}
	}
	batches = append(batches, examples()...)
	asked := make([]powershell.Case, len(batches))
	for i, batch := range batches {
		text, err := surface.Print(batch)
		if err != nil {
			t.Fatal(err)
		}
		asked[i] = powershell.Case{Build: newest, Text: text}
	}
	for i, verdict := range powershell.Bind(t, asked) {
		if diff := cmp.Diff(powershell.Verdict{Calls: printed(t, batches[i], 0)}, verdict, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("something else comes back (-batch +PowerShell):\n%s\n%s", diff, asked[i].Text)
		}
	}
}

// printed is what PowerShell must receive for a printed batch after a number of other calls: what runs inside a virtual machine
// comes after the call that runs it there.
func printed(t *testing.T, batch hostagent.Batch, before int) []powershell.Received {
	t.Helper()
	bounds, err := surface.BindBatch(batch, newest)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	var out []powershell.Received
	for i, b := range bounds {
		at[batch.Calls[i].ID] = before + len(out)
		received := receivedBy(b, at)
		nested, isNested := b.Values["Batch"].(hostagent.Nested)
		if isNested {
			received.Cmdlet, received.Set = "Invoke-Command", "VMId"
			delete(received.Values, "Batch")
		}
		if out = append(out, received); isNested {
			out = append(out, printed(t, nested.Batch, before+len(out))...)
		}
	}
	return out
}

func cases(made []generated) []powershell.Case {
	out := make([]powershell.Case, len(made))
	for i, m := range made {
		out[i] = powershell.Case{Build: m.build, Batch: m.batch}
	}
	return out
}

// checkAll holds every case to the law, and wants each kind of verdict among them: the law is empty otherwise.
func checkAll(t *testing.T, made []generated, verdicts []powershell.Verdict) {
	t.Helper()
	kinds := map[surface.Kind]int{}
	for i, verdict := range verdicts {
		kinds[checkLaw(t, made[i], verdict)]++
	}
	for _, kind := range []surface.Kind{
		"", surface.UnknownCmdlet, surface.UnknownParameter, surface.Missing, surface.Ambiguous, surface.Unconvertible,
		surface.NotAccepted, surface.TooOld,
	} {
		if kinds[kind] < 3 {
			t.Errorf("only %d cases are refused as %q: %v", kinds[kind], kind, kinds)
		}
	}
}

// checkLaw gives the kind of our refusal, "" when the case is accepted.
func checkLaw(t *testing.T, m generated, verdict powershell.Verdict) surface.Kind {
	t.Helper()
	bounds, err := surface.BindBatch(m.batch, m.build)
	last := verdict.Calls[len(verdict.Calls)-1]
	text, _ := hostagent.EncodeBatch(m.batch)
	if err == nil {
		if diff := cmp.Diff(expected(m.batch, bounds), strip(verdict.Calls), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s on %d: accepted; PowerShell receives something else (-ours +PowerShell):\n%s%s %s\n%s", m.label, m.build, diff, last.Error, last.Message, text)
		}
		return ""
	}
	var refusal *surface.Refusal
	if !errors.As(err, &refusal) {
		t.Errorf("%s on %d: %v is no refusal\n%s", m.label, m.build, err, text)
		return ""
	}
	if slices.Contains(stricter, m.label) {
		return refusal.Kind
	}
	if got := kindOf(last.Error); !sameKind(refusal.Kind, got) {
		t.Errorf("%s on %d: refused with %s (%v); PowerShell says %q (%s) %s\n%s", m.label, m.build, refusal.Kind, err, got, last.Error, last.Message, text)
	}
	return refusal.Kind
}

// kindOf sorts the ids of PowerShell's binding errors; "" means that it accepts the call.
func kindOf(id string) surface.Kind {
	switch id {
	case "":
		return ""
	case "CommandNotFoundException":
		return surface.UnknownCmdlet
	case "NamedParameterNotFound":
		return surface.UnknownParameter
	case "MissingMandatoryParameter":
		return surface.Missing
	case "AmbiguousParameterSet":
		return surface.Ambiguous
	case "CannotConvertArgument", "CannotConvertArgumentNoMessage", "ParameterArgumentTransformationError":
		return surface.Unconvertible
	default:
		if strings.HasPrefix(id, "ParameterArgumentValidationError") {
			return surface.NotAccepted
		}
		return surface.Kind("PowerShell's " + id)
	}
}

// sameKind compares kinds. A parameter that came later is simply unknown to the older host.
func sameKind(ours, theirs surface.Kind) bool {
	return ours == theirs || ours == surface.TooOld && theirs == surface.UnknownParameter
}

// strip leaves out the texts of errors.
func strip(calls []powershell.Received) []powershell.Received {
	out := slices.Clone(calls)
	for i := range out {
		out[i].Message = ""
	}
	return out
}

// expected is what PowerShell must receive for bound calls.
func expected(batch hostagent.Batch, bounds []surface.Bound) []powershell.Received {
	at := map[string]int{}
	out := make([]powershell.Received, len(bounds))
	for i, b := range bounds {
		at[batch.Calls[i].ID] = i
		out[i] = receivedBy(b, at)
	}
	return out
}

// receivedBy is what PowerShell must receive for one bound call; at says where the calls before it are.
func receivedBy(b surface.Bound, at map[string]int) powershell.Received {
	values := map[string]powershell.Value{}
	for _, name := range slices.Sorted(maps.Keys(b.Values)) {
		values[name] = powershell.Value{Type: surface.Loaded().Cmdlets[b.Cmdlet].Parameters[name].Type, Texts: texts(b.Values[name], at)}
	}
	return powershell.Received{Cmdlet: b.Cmdlet, Set: b.ParameterSet, Values: values}
}

func texts(v hostagent.Value, at map[string]int) []string {
	switch v := v.(type) {
	case hostagent.List:
		out := []string{}
		for _, element := range v {
			out = append(out, texts(element, at)...)
		}
		return out
	case hostagent.Text:
		return []string{string(v)}
	case hostagent.Int:
		return []string{strconv.FormatInt(int64(v), 10)}
	case hostagent.Bool:
		return []string{map[hostagent.Bool]string{true: "True", false: "False"}[v]}
	case hostagent.Credential:
		return []string{v.User}
	case hostagent.Secret:
		return []string{"secret"}
	case hostagent.Nested:
		return []string{"System.Collections.Hashtable"}
	case hostagent.Ref:
		switch v.Property {
		case "":
			return []string{fmt.Sprintf("call %d", at[v.Call])}
		case "Id":
			return []string{"11111111-2222-3333-4444-555555555555"}
		default:
			return []string{v.Property}
		}
	default:
		return []string{fmt.Sprintf("%T", v)}
	}
}
