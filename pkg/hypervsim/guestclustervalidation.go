package hypervsim

import (
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim/failover"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

func init() {
	inGuests(map[string]command{
		"Start-ClusterValidation": {changing, needsHost, needsFeature(windows.ClusterPowerShell, startValidation)},
		"Get-ClusterValidation":   {reading, needsHost, getValidation},
	})
}

// validationRun is a run of Test-Cluster in a task of a member. Its record stays on the member's disk.
type validationRun struct {
	machine      *machine
	id           string
	booted       time.Time
	state        string
	err, report  string
	end          *event
	nodes, leave []string
}

// validation finds the record of a run, or nil.
func (s *clusterServices) validation(m *machine, id string) *validationRun {
	i := slices.IndexFunc(s.validations, func(v *validationRun) bool { return v.machine == m && v.id == id })
	if i < 0 {
		return nil
	}
	return s.validations[i]
}

// startValidation answers Start-ClusterValidation. What has run to its end is not run again; what was interrupted is.
func startValidation(c *call) error {
	credential, _ := c.args["credential"].(hostagent.Credential)
	user, err := c.guest.batchUser(credential.User, credential.Password.Reveal())
	if err != nil {
		return err
	}
	s, m := c.w.services, c.guest.machine
	v := s.validation(m, c.text("Id"))
	if v != nil && (v.runs() || v.state == hyperv.WorkCompleted) {
		return nil
	}
	if v == nil {
		v = &validationRun{machine: m, id: c.text("Id")}
		s.validations = append(s.validations, v)
	}
	v.state, v.err, v.report, v.nodes, v.leave = hyperv.WorkRunning, "", "", c.texts("Node"), c.texts("Ignore")
	later := *c
	later.guest = &guestSession{machine: m, host: m.host, user: user, logon: hostagent.LogonExplicit}
	v.end = c.w.after(c.w.durations.Validate, func() { v.finish(&later) })
	v.booted = m.guest.booted
	c.did("started validating " + strings.Join(v.nodes, ", "))
	return nil
}

// runs is whether the task is still there: it ends with its Windows.
func (v *validationRun) runs() bool {
	return v.state == hyperv.WorkRunning && v.machine.guest.phase == guestUp && v.machine.guest.booted.Equal(v.booted)
}

// finish runs the tests and writes the report, unless the task is gone.
func (v *validationRun) finish(c *call) {
	if !v.runs() {
		return
	}
	report, err := c.validate(v.nodes, v.leave)
	if err != nil {
		v.state, v.err = hyperv.WorkFailed, err.Error()
		return
	}
	v.state, v.report = hyperv.WorkCompleted, report.XML()
	c.w.happened("validated " + strings.Join(v.nodes, ", "))
}

// validate runs the tests on nodes that the user of the call administers.
func (c *call) validate(nodes, leave []string) (*failover.Report, error) {
	var computers []failover.Computer
	for _, name := range nodes {
		m, err := c.administered(name)
		if err != nil {
			return nil, err
		}
		computers = append(computers, c.w.services.computer(m))
	}
	inUse := func(guid string) bool {
		return slices.ContainsFunc(c.w.services.clusters, func(o *failover.Cluster) bool {
			r := o.DiskResource(guid)
			return r != nil && r.State == failover.ResourceOnline
		})
	}
	return failover.Validate(computers, leave, inUse), nil
}

// getValidation answers Get-ClusterValidation.
func getValidation(c *call) error {
	v := c.w.services.validation(c.guest.machine, c.text("Id"))
	switch {
	case v == nil:
		return refused("ObjectNotFound", c.text("Id"), "No validation %s was started on this node.", c.text("Id"))
	case v.state == hyperv.WorkRunning && !v.runs():
		c.emit(record{"state": hyperv.WorkFailed, "error": "The validation was interrupted: its task does not run any more.", "report": nil})
	default:
		c.emit(record{"state": v.state, "error": v.err, "report": orNull(v.report)})
	}
	return nil
}
