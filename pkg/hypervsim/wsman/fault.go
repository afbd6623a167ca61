package wsman

import (
	"fmt"
	"strconv"
)

// fault is a SOAP fault with the code by which clients know it.
type fault struct {
	// code is WSManFault's; 0 leaves the element out.
	code uint32
	// subcode is a name of the WS-Management specification.
	subcode string
	text    string
	// sender says that the request was wrong; else it is the service that could not.
	sender bool
	// status is the HTTP status; 500 when 0.
	status int
}

func (f *fault) Error() string { return fmt.Sprintf("%s (%d)", f.text, f.code) }

// The faults of "[MS-WSMV]", by the codes that Windows sends (wsmerror.h, winerror.h).
var (
	errTimedOut     = &fault{code: 2150858793, subcode: "w:TimedOut", text: "The WS-Management service cannot complete the operation within the time specified in OperationTimeout."}
	errNoCommand    = &fault{code: 2150858843, subcode: "w:InvalidSelectors", sender: true, text: "The Windows Remote Shell cannot process the request: the command was not found in the shell."}
	errNoResource   = &fault{code: 2150858752, subcode: "w:InvalidResourceURI", sender: true, text: "The WS-Management service cannot process the request. The resource URI is not one that this service has."}
	errNoAction     = &fault{code: 2150858754, subcode: "a:ActionNotSupported", sender: true, text: "The action is not supported by the service."}
	errSchema       = &fault{code: 2150858817, subcode: "w:SchemaValidationError", sender: true, text: "The SOAP XML in the message does not match the corresponding XML schema definition. Change the XML and retry."}
	errEnvelopeSize = &fault{subcode: "w:EncodingLimit", sender: true, text: "The request is larger than MaxEnvelopeSizekb allows.", status: 413}
	errAccess       = &fault{code: 5, subcode: "w:AccessDenied", sender: true, text: "Access is denied."}
	errBusy         = &fault{code: 170, subcode: "w:InternalError", text: "The requested resource is in use."}
	errAborted      = &fault{code: 995, subcode: "w:InternalError", text: "The I/O operation has been aborted because of either a thread exit or an application request."}
	errLineTooLong  = &fault{code: 2147942606, subcode: "w:InternalError", text: "The filename or extension is too long."}
	// errProcesses is what a job that may have no further process says.
	errProcesses = &fault{code: 1816, subcode: "w:InternalError", text: "Not enough quota is available to process this command."}
)

func errNoShell(id string) *fault {
	return &fault{code: 2150858843, subcode: "w:InvalidSelectors", sender: true, text: "The request for the Windows Remote Shell with ShellId " + id + " failed because the shell was not found on the server. " +
		"Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide the correct ShellId or create a new shell and retry the operation."}
}

func errShells(most int) *fault {
	return &fault{code: 2150859173, subcode: "w:QuotaLimit", text: "The WS-Management service cannot process the request. This user is allowed a maximum number of " + strconv.Itoa(most) +
		" concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user."}
}

func errOperations(most int) *fault {
	return &fault{code: 2150859174, subcode: "w:QuotaLimit", text: "The WS-Management service cannot process the request. This user is allowed a maximum number of " + strconv.Itoa(most) +
		" concurrent operations, which has been exceeded. Close existing operations for this user, or raise the quota for this user."}
}

// httpStatus is the status that a fault travels with.
func (f *fault) httpStatus() int {
	if f.status == 0 {
		return 500
	}
	return f.status
}

func (f *fault) envelope(relatesTo string) []byte {
	detail := ""
	if f.code != 0 {
		detail = `<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="` +
			strconv.FormatUint(uint64(f.code), 10) + `" Machine="localhost">` + element("f:Message", f.text) + `</f:WSManFault></s:Detail>`
	}
	code := "s:Receiver"
	if f.sender {
		code = "s:Sender"
	}
	return envelope("http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", relatesTo,
		`<s:Fault><s:Code>`+element("s:Value", code)+`<s:Subcode>`+element("s:Value", f.subcode)+`</s:Subcode></s:Code>`+
			`<s:Reason><s:Text xml:lang="en-US">`+escape(f.text)+`</s:Text></s:Reason>`+detail+`</s:Fault>`)
}
