package hypervsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

// The HRESULTs that refusals carry, where Windows gives one that tells more than the category.
const (
	hresultNone           = "0x80131500" // COR_E_EXCEPTION: a managed exception without a code of its own
	hresultItemNotFound   = "0x80131501"
	hresultInvalidState   = "0x80131509"
	hresultFileNotFound   = "0x80070002"
	hresultPathNotFound   = "0x80070003"
	hresultAccessDenied   = "0x80070005"
	hresultSharing        = "0x80070020"
	hresultUnsupported    = "0x80070032"
	hresultFileExists     = "0x80070050"
	hresultParameter      = "0x80070057"
	hresultDiskFull       = "0x80070070"
	hresultNoMemory       = "0x8007000E"
	hresultAlreadyExists  = "0x800700B7"
	hresultInvalidAddress = "0x800701E7"
	hresultNoEndpoint     = "0x800706D9"
	hresultNoResource     = "0x8007138F"
	hresultNodeGone       = "0x8007138D"
	hresultClusterExists  = "0x80071392"
	hresultNoGroup        = "0x80071395"
	hresultNoNode         = "0x800713B2"
	hresultNodePaused     = "0x800713CE"
	hresultDiskCorrupt    = "0xC03A0005"
	hresultLogonFailure   = "0x8007052E"
	hresultLogonType      = "0x80070569"
)

// refusal is an error of a cmdlet: what becomes one PowerShell error record.
type refusal struct {
	category string
	hresult  string
	// reason is the first part of the FullyQualifiedErrorId; the second names the cmdlet's class.
	reason  string
	target  string
	message string
}

func (r *refusal) Error() string { return r.message }

func refuse(category, hresult, reason, target, format string, args ...any) *refusal {
	return &refusal{category: category, hresult: hresult, reason: reason, target: target, message: fmt.Sprintf(format, args...)}
}

func (c *call) noMachine(what string) *refusal {
	return refuse("ObjectNotFound", hresultNone, "ObjectNotFound", what, "Hyper-V was unable to find a virtual machine %q on %s.", what, c.host.name)
}

func wrongState(m *machine, doing string) *refusal {
	return refuse("InvalidOperation", hresultInvalidState, "InvalidState", m.name,
		"%s failed: the virtual machine %q is not in a state for it (%s).", doing, m.name, m.activity())
}

func nodeUnavailable(h *host) *refusal {
	return refuse("ResourceUnavailable", hresultNodeGone, "ClusterNodeNotAvailable", h.name, "Node %s is not available and no other one is.", h.name)
}

func invalid(target, format string, args ...any) *refusal {
	return refuse("InvalidArgument", hresultParameter, "InvalidParameter", target, format, args...)
}

func inUse(path string) *refusal {
	return refuse("ResourceBusy", hresultSharing, "ResourceBusy", path,
		"The process cannot access the file %q because it is being used by another process.", path)
}

func noFile(path string) *refusal {
	return refuse("ObjectNotFound", hresultFileNotFound, "ObjectNotFound", path, "The system cannot find the file %q.", path)
}

func noPath(path string) *refusal {
	return refuse("ObjectNotFound", hresultPathNotFound, "PathNotFound", path, "The system cannot find the path %q.", path)
}

func diskFull(path string) *refusal {
	return refuse("WriteError", hresultDiskFull, "OperationFailed", path, "There is not enough space on the disk for %q.", path)
}

// emptyArgument is an error of the executor's own: it makes no call with an empty list.
func emptyArgument(parameter string) *refusal {
	return refuse("InvalidData", hresultParameter, emptyArray, parameter,
		"Cannot bind argument to parameter %q because it is an empty array.", parameter)
}

const (
	emptyArray     = "ParameterArgumentValidationErrorEmptyArrayNotAllowed"
	unknownCommand = "CommandNotFoundException"
)

// bindingReasons is what PowerShell's binder says to the kinds of refusals.
var bindingReasons = map[surface.Kind]struct{ category, reason string }{
	surface.UnknownCmdlet:    {"ObjectNotFound", unknownCommand},
	surface.UnknownParameter: {"InvalidArgument", "NamedParameterNotFound"},
	surface.Missing:          {"InvalidArgument", "MissingMandatoryParameter"},
	surface.Ambiguous:        {"InvalidArgument", "AmbiguousParameterSet"},
	surface.Unconvertible:    {"InvalidArgument", "CannotConvertArgumentNoMessage"},
	surface.NotAccepted:      {"InvalidData", "ParameterArgumentValidationError"},
}

// unbound gives a refusal of the binder as PowerShell's own. What a build lacks is unknown to it.
func unbound(err error) error {
	r, ok := errors.AsType[*surface.Refusal](err)
	if !ok {
		return err
	}
	kind := r.Kind
	switch {
	case kind == surface.TooOld && r.Parameter == "":
		kind = surface.UnknownCmdlet
	case kind == surface.TooOld:
		kind = surface.UnknownParameter
	}
	as := bindingReasons[kind]
	return refuse(as.category, hresultItemNotFound, as.reason, r.Parameter, "%s", r.Error())
}

// asCallError gives an error of a cmdlet as the host's error record.
func asCallError(cmdlet string, err error) hostagent.CallError {
	if ready, ok := errors.AsType[*hostagent.CallError](err); ok {
		return *ready
	}
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		r = &refusal{category: "NotSpecified", hresult: hresultNone, reason: "OperationFailed", message: err.Error()}
	}
	id := r.reason
	if class := commandClass(cmdlet); class != "" && r.reason != unknownCommand && r.reason != emptyArray {
		id += "," + class
	}
	return hostagent.CallError{FullyQualifiedErrorID: id, Category: r.category, HResult: r.hresult, Target: r.target, Message: r.message}
}

// functions are what nouns begin with in lower case where PowerShell has functions: ours, and those of modules that are made of
// CIM classes.
var functions = []string{
	"stamped", "scheduledtask", "work", "antiaffinityclassname", "answerfile", "guestbatch", "shareddisk",
	"disk", "partition", "volume", "hoststoragecache", "net", "dnsclient",
}

// commandClasses are the classes that implement cmdlets, by what their nouns begin with in lower case: a namespace, and
// whether the class is named as a Command. Without a match they are Hyper-V's.
var commandClasses = []struct {
	nouns     []string
	namespace string
	isCommand bool
}{
	{[]string{"item", "childitem", "content", "path", "computer", "localgroupmember"}, "Microsoft.PowerShell.Commands.", true},
	{[]string{"cim"}, "Microsoft.Management.Infrastructure.CimCmdlets.", true},
	{[]string{"windowsfeature"}, "Microsoft.Windows.ServerManager.Commands.", true},
	{[]string{"adcomputer", "adobject"}, "Microsoft.ActiveDirectory.Management.Commands.", false},
}

// commandClass is the second part of a FullyQualifiedErrorId: the class that implements a cmdlet, or a function's name.
func commandClass(cmdlet string) string {
	verb, noun, _ := strings.Cut(cmdlet, "-")
	begins := func(prefix string) bool { return strings.HasPrefix(strings.ToLower(noun), prefix) }
	switch {
	case cmdlet == "":
		return ""
	case slices.ContainsFunc(functions, begins):
		return cmdlet
	case begins("cluster"):
		return "Microsoft.FailoverClusters.PowerShell." + verb + noun[len("cluster"):] + "Command"
	}
	for _, c := range commandClasses {
		switch {
		case !slices.ContainsFunc(c.nouns, begins):
		case c.isCommand:
			return c.namespace + verb + noun + "Command"
		default:
			return c.namespace + verb + noun
		}
	}
	return "Microsoft.HyperV.PowerShell.Commands." + verb + noun
}
