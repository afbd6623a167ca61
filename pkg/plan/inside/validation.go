package inside

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hyperv"
)

// categoryStorage are the tests that take disks offline, as Test-Cluster names them.
const categoryStorage = "Storage"

// ValidationRun names the validation that matters now, the same for the same members and disks; empty when none does. Disks
// matter until the cluster is formed: later they are in use, and their tests are left out.
func ValidationRun(want Clustering) string {
	if !want.Clustered || want.Deleting || want.Validation.Policy == v1alpha1.ValidationSkip {
		return ""
	}
	parts := []string{want.Namespace, want.Name, fmt.Sprint(want.Validation.Attempt), fmt.Sprint(want.ClusterID != "")}
	for _, m := range want.staying() {
		parts = append(parts, "member", strings.ToUpper(m.Name), strings.ToLower(m.VMID))
	}
	if want.ClusterID == "" {
		for _, d := range want.kept() {
			parts = append(parts, "disk", strings.ToUpper(strings.Trim(d.GUID, "{}")))
		}
	}
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// Validator is the machine's id of the member that runs the validation, and keeps its report; empty when there is none.
func Validator(want Clustering) string {
	for _, m := range want.staying() {
		return m.VMID
	}
	return ""
}

// validating reports whether Windows' own tests run now.
func (p *planner) validating() bool {
	return p.seen.Validation != nil && p.seen.Validation.State == hyperv.WorkRunning
}

// awaitTests says that Windows' own tests run, if they do.
func (p *planner) awaitTests() bool {
	if p.validating() {
		p.wait(v1alpha1.ReasonValidating, "Windows' own tests of the members are running")
	}
	return p.validating()
}

// passed plans the validation of the members as they are now, and reports whether its verdict lets the cluster have them.
func (p *planner) passed() bool {
	run, v := ValidationRun(p.want), p.want.Validation
	switch told := p.seen.Validation; {
	case p.awaitTests():
	case run == "":
		return true
	case v.InputHash == run:
		return p.isGood(v)
	case told == nil || told.ID != run:
		p.validate(run)
	case told.State == hyperv.WorkFailed:
		// One that did not run to its end is run again under the same name.
		p.block(v1alpha1.ReasonValidationFailed, "Windows' own tests of the members could not be run and are run again: %s", strings.Join(strings.Fields(told.Error), " "))
		p.validate(run)
	default:
		p.wait(v1alpha1.ReasonValidating, "recording the verdict of the validation")
	}
	return false
}

func (p *planner) isGood(v Validation) bool {
	if v.Result != v1alpha1.ValidationFailed || v.Policy == v1alpha1.ValidationReport {
		return true
	}
	var why []string
	if len(v.Failed) > 0 {
		why = append(why, "failed: "+strings.Join(v.Failed, ", "))
	}
	if len(v.Untested) > 0 {
		why = append(why, "disks not tested: "+strings.Join(v.Untested, ", "))
	}
	p.block(v1alpha1.ReasonValidationFailed, "the members did not pass Windows' own tests (%s); mend that and they are run again, or set clustering.failover.validation to Report", strings.Join(why, "; "))
	return false
}

func (p *planner) validate(run string) {
	var names, ignore []string
	for _, m := range p.want.staying() {
		names = append(names, m.Name)
	}
	if p.want.ClusterID != "" {
		ignore = append(ignore, categoryStorage)
	}
	what := "validate " + strings.Join(names, ", ")
	if former, ok := p.former(what); ok {
		// The tests run in a task of that user's, so that the call itself needs no logon of its own.
		p.step("validate", v1alpha1.ReasonValidating, what, inGuest(Validator(p.want), cmdlet.StartValidation("validate", run, names, ignore, former)))
	}
}

// judge reads the verdict of the run that matters. A wanted disk that was not tested makes it a failed one: its tests would
// have told whether members can share it.
func judge(want Clustering, seen *guest.Snapshot) Validation {
	v, run := want.Validation, ValidationRun(want)
	told := seen.Validation
	if run == "" || v.InputHash == run || told == nil || told.ID != run || told.State != hyperv.WorkCompleted || told.Report == nil {
		return v
	}
	v.InputHash, v.Result = run, v1alpha1.ValidationPassed
	v.Failed = slices.Concat(told.Report.Failed, told.Report.Canceled)
	v.Warned, v.Untested = slices.Clone(told.Report.Warned), nil
	if want.ClusterID == "" {
		v.Untested = untested(want, seen, told.Report)
	}
	switch {
	case len(v.Failed)+len(v.Untested) > 0:
		v.Result = v1alpha1.ValidationFailed
	case len(v.Warned) > 0:
		v.Result = v1alpha1.ValidationWarned
	}
	return v
}

func untested(want Clustering, seen *guest.Snapshot, report *guest.Report) []string {
	var out []string
	for _, d := range want.kept() {
		s := look(want, d, seen)
		tested := slices.ContainsFunc(report.Disks, func(id string) bool { return sameID(id, d.GUID) || sameID(id, s.uniqueID) })
		if !tested {
			out = append(out, d.Name)
		}
	}
	return out
}
