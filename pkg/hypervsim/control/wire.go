package control

import (
	"fmt"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// MaxEntries bounds the journal entries in one answer.
const MaxEntries = 5000

// Fault is a fault rule on the wire, where its delay is written as 1.5s or 4m.
type Fault struct {
	hypervsim.Fault
	Delay string `json:"delay,omitempty"`
}

// FaultOf gives a rule's wire form.
func FaultOf(rule hypervsim.Fault) Fault {
	f := Fault{Fault: rule}
	if rule.Delay != 0 {
		f.Delay = rule.Delay.String()
	}
	return f
}

// Rule gives back the rule. A delay that cannot be read is Invalid.
func (f Fault) Rule() (hypervsim.Fault, error) {
	rule := f.Fault
	if f.Delay == "" {
		return rule, nil
	}
	d, err := time.ParseDuration(f.Delay)
	if err != nil {
		return rule, fmt.Errorf("%w: delay is %q; write it as 1.5s or 4m", hostagent.Invalid, f.Delay)
	}
	rule.Delay = d
	return rule, nil
}

// FaultStatistics is a rule on the wire with what became of it.
type FaultStatistics struct {
	ID      string `json:"id"`
	Fault   Fault  `json:"fault"`
	Matched int    `json:"matched"`
	Hit     int    `json:"hit"`
}

// Added is the answer to a fault rule that was added.
type Added struct {
	ID string `json:"id"`
}

// Action is something done to the world: a control method by its name, and its arguments. Each action takes the fields
// that Known lists for it, and no others. VM and Group are an id or a name.
type Action struct {
	Action string `json:"action"`
	Host   string `json:"host,omitempty"`
	VM     string `json:"vm,omitempty"`
	Group  string `json:"group,omitempty"`
	// Name is a new name.
	Name    string `json:"name,omitempty"`
	Adapter string `json:"adapter,omitempty"`
	Switch  string `json:"switch,omitempty"`
	MAC     string `json:"mac,omitempty"`
	VLAN    *int   `json:"vlan,omitempty"`
	// Path is a file, a folder or a place on a volume; Folder is where a machine's folder is made.
	Path   string `json:"path,omitempty"`
	Folder string `json:"folder,omitempty"`
	Stamp  string `json:"stamp,omitempty"`
	Bytes  *int64 `json:"bytes,omitempty"`
	// Number and Location are a drive's place on a SCSI controller; Shared is the persistent-reservation flag.
	Number   *int64 `json:"number,omitempty"`
	Location *int64 `json:"location,omitempty"`
	Shared   bool   `json:"shared,omitempty"`
	// Files says what becomes of a removed machine's: Keep or Remove.
	Files         hypervsim.Files `json:"files,omitempty"`
	ClassNames    []string        `json:"classNames,omitzero"`
	OfflineAction *int            `json:"offlineAction,omitempty"`
	// Server is one outside that has a witness: the server of a share, or an Azure storage account.
	Server string `json:"server,omitempty"`
	// Feature is a Windows feature in a guest.
	Feature string `json:"feature,omitempty"`
	// Policy is what the domain does to local administrators: Rotate, Rename, Disable, or nothing.
	Policy windows.AdministratorPolicy `json:"policy,omitempty"`
	// Container is a distinguished name in the domain, Account a name in it.
	Container string `json:"container,omitempty"`
	Account   string `json:"account,omitempty"`
}

// Done is the answer to an action. ID is that of the machine that was made, if one was.
type Done struct {
	ID string `json:"id,omitempty"`
}

// Known is an action that the simulator knows, with the fields that it needs and those that it may have.
type Known struct {
	Action   string   `json:"action"`
	Does     string   `json:"does"`
	Fields   []string `json:"fields"`
	Optional []string `json:"optional,omitempty"`
}
