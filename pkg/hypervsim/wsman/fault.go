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
	// status is the HTTP status; 500 when 0.
	status int
}

func (f *fault) Error() string { return fmt.Sprintf("%s (%d)", f.text, f.code) }

// The faults of "[MS-WSMV]" and of the service's own quotas, by the codes that Windows sends.
var (
	errTimedOut     = &fault{code: 2150858793, subcode: "w:TimedOut", text: "The WS-Management service cannot complete the operation within the time specified in OperationTimeout."}
	errNoShell      = &fault{code: 2150858843, subcode: "w:InvalidSelectors", text: "The WS-Management service cannot process the request because the request contained invalid selectors for the resource."}
	errNoResource   = &fault{code: 2150858752, subcode: "w:InvalidResourceURI", text: "The resource URI is not one that this service has."}
	errNoAction     = &fault{code: 2150858754, subcode: "a:ActionNotSupported", text: "The action is not supported by the service."}
	errSchema       = &fault{code: 2150858817, subcode: "w:SchemaValidationError", text: "The SOAP XML in the message does not match the corresponding XML schema definition."}
	errShells       = &fault{code: 2150859173, subcode: "w:QuotaLimit", text: "The maximum number of concurrent shells for this user has been exceeded. Close existing shells or raise the quota for this user."}
	errOperations   = &fault{code: 2150859174, subcode: "w:QuotaLimit", text: "The maximum number of concurrent operations for this user has been exceeded. Close existing operations for this user, or raise the quota for this user."}
	errProcesses    = &fault{code: 2150859175, subcode: "w:QuotaLimit", text: "The maximum number of processes per shell has been exceeded."}
	errEnvelopeSize = &fault{subcode: "w:EncodingLimit", text: "The request is larger than MaxEnvelopeSizekb allows.", status: 413}
	errAccess       = &fault{code: 5, subcode: "w:AccessDenied", text: "Access is denied."}
	errBusy         = &fault{code: 170, subcode: "w:InternalError", text: "The requested resource is in use."}
)

func (f *fault) envelope(relatesTo string) []byte {
	detail := ""
	if f.code != 0 {
		detail = `<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="` +
			strconv.FormatUint(uint64(f.code), 10) + `" Machine="localhost">` + element("f:Message", f.text) + `</f:WSManFault></s:Detail>`
	}
	return envelope("http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", relatesTo,
		`<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode>`+element("s:Value", f.subcode)+`</s:Subcode></s:Code>`+
			`<s:Reason><s:Text xml:lang="en-US">`+escape(f.text)+`</s:Text></s:Reason>`+detail+`</s:Fault>`)
}
