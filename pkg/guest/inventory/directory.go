package inventory

import (
	"fmt"
	"strings"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// DirectoryQuestions are what a domain is asked about a guest cluster.
type DirectoryQuestions struct {
	Domain string
	// As is the account that asks: the one that joins.
	As hostagent.Credential
	// Computers are the names that the guest cluster takes, its own and its roles' too.
	Computers []string
	// Accounts are the names, without a domain, of the accounts that are to administer the members.
	Accounts []string
	// Container is the distinguished name of where the cluster's computer object is, and ClusterGUID that object's objectGUID;
	// empty while its rights do not matter.
	Container, ClusterGUID string
}

// DirectoryState asks the domain, from within a member that has the Active Directory module.
func DirectoryState(vmID string, q DirectoryQuestions) hostagent.Batch {
	calls := []hostagent.Call{cmdlet.ComputerAccounts("computers", q.Domain, q.As, q.Computers...)}
	if len(q.Accounts) > 0 {
		calls = append(calls, cmdlet.AccountSIDs("accounts", q.Domain, q.As, q.Accounts...))
	}
	if q.asksForRights() {
		calls = append(calls, cmdlet.ContainerRights("rights", q.Domain, q.As, q.Container), cmdlet.AccountGroups("tokens", q.Domain, q.As, q.ClusterGUID))
	}
	return read(vmID, calls...)
}

func (q DirectoryQuestions) asksForRights() bool { return q.Container != "" && q.ClusterGUID != "" }

// DecodeDirectory reads the answer to DirectoryState for the same questions.
func DecodeDirectory(q DirectoryQuestions, results hostagent.Results) (*guest.Directory, error) {
	ids := []string{"computers"}
	if len(q.Accounts) > 0 {
		ids = append(ids, "accounts")
	}
	if q.asksForRights() {
		ids = append(ids, "rights", "tokens")
	}
	if err := results.Need(ids...); err != nil {
		return nil, fmt.Errorf("asking domain %s: %w", q.Domain, err)
	}
	d := &guest.Directory{SIDs: map[string]string{}}
	for _, o := range results.ByID("computers").Values {
		d.Computers = append(d.Computers, guest.ComputerAccount{
			Name: o.Text("Name"), GUID: strings.ToLower(o.Text("ObjectGUID")), DistinguishedName: o.Text("DistinguishedName"), Enabled: o.Bool("Enabled"),
		})
	}
	for _, o := range results.ByID("accounts").Values {
		d.SIDs[strings.ToLower(o.Text("sAMAccountName"))] = o.Text("objectSid")
	}
	for _, o := range results.ByID("rights").Values {
		d.Rights = o.Text("nTSecurityDescriptor.Sddl")
	}
	for _, o := range results.ByID("tokens").Values {
		d.ClusterSIDs = append([]string{o.Text("objectSid")}, o.Texts("tokenGroups")...)
	}
	return d, nil
}

// ValidationState asks the member that validates how far it is.
func ValidationState(vmID, run string) hostagent.Batch {
	return read(vmID, cmdlet.Validation("validation", run))
}

// DecodeValidation reads the answer to ValidationState. It gives nil when no such run was ever started there, and parse reads
// a report's text.
func DecodeValidation(run string, results hostagent.Results, parse func(string) (*guest.Report, error)) (*guest.Validation, error) {
	if err := results.Need("validation"); err != nil {
		return nil, fmt.Errorf("reading the validation: %w", err)
	}
	told := results.ByID("validation").Values
	if len(told) == 0 {
		return nil, nil
	}
	v := &guest.Validation{ID: run, State: told[0].Text("State"), Error: told[0].Text("Error")}
	if v.State != hyperv.WorkCompleted {
		return v, nil
	}
	report, err := parse(told[0].Text("Report"))
	if err != nil {
		return nil, fmt.Errorf("reading the validation: %w", err)
	}
	v.Report = report
	return v, nil
}
