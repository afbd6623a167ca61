package wsman

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// enumerate lists the shells of all users, as "winrm enumerate shell" shows them: at once for who asks so, else with the
// Pull that follows.
func (s *Server) enumerate(_ context.Context, _ *logon, req *request) ([]byte, error) {
	inner := `<n:EnumerationContext>shells</n:EnumerationContext>`
	if req.Body.Enumerate.OptimizeEnumeration != nil {
		inner = `<n:EnumerationContext/><w:Items>` + s.list() + `</w:Items><w:EndOfSequence/>`
	}
	return answer(req, enumerationURI+"EnumerateResponse", `<n:EnumerateResponse>`+inner+`</n:EnumerateResponse>`), nil
}

func (s *Server) pull(_ context.Context, _ *logon, req *request) ([]byte, error) {
	return answer(req, enumerationURI+"PullResponse", `<n:PullResponse><n:Items>`+s.list()+`</n:Items><n:EndOfSequence/></n:PullResponse>`), nil
}

func (s *Server) list() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(s.shells)) {
		b.WriteString(s.shells[id].describe())
	}
	return b.String()
}

const (
	identifyURI = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
	protocolURI = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
)

// identify says what this is to anybody, as "winrm identify -auth:none" asks.
func identify(w http.ResponseWriter) {
	w.Header().Set("Content-Type", contentType)
	// The client has gone when this fails.
	_, _ = w.Write(envelope("", "", `<wsmid:IdentifyResponse xmlns:wsmid="`+identifyURI+`">`+element("wsmid:ProtocolVersion", protocolURI)+
		element("wsmid:ProductVendor", "Microsoft Corporation")+element("wsmid:ProductVersion", "OS: 0.0.0 SP: 0.0 Stack: 3.0")+`</wsmid:IdentifyResponse>`))
}
