package forward

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hypervsim"
)

// post sends a request as a stub does, and gives the status and the answer.
func (f fixture) post(ctx context.Context, url, body string) (int, string, error) {
	f.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	f.ok(err)
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { f.ok(response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(text)), err
}

func (f fixture) open(host string) (*Shell, string) {
	f.Helper()
	shell, err := f.server.Open(host)
	f.ok(err)
	f.Cleanup(func() { f.ok(shell.Close()) })
	for _, variable := range shell.Environment() {
		if url, ok := strings.CutPrefix(variable, "HYPERVSIM_FORWARD="); ok {
			return shell, url
		}
	}
	f.Fatal("the environment has no address")
	return nil, ""
}

func TestAnswers(t *testing.T) {
	f := newServer(t)
	_, url := f.open("hv02")
	tests := map[string]struct {
		url, body string
		status    int
		want      string
	}{
		"a call":             {url + "/invoke", `{"cmdlet":"Test-Path","parameters":{"LiteralPath":["C:\\ClusterStorage\\Gold"]}}`, 200, `{"values":[true],"errors":[]}`},
		"another token":      {url[:len(url)-1] + "_/invoke", `{}`, 404, "no shell has this token"},
		"no JSON":            {url + "/invoke", `{"cmdlet":`, 400, "the request: unexpected EOF"},
		"an unknown tag":     {url + "/invoke", `{"cmdlet":"Get-VM","parameters":{"Name":{"a":1}}}`, 400, "parameter Name: an object that is neither a handle nor a secret"},
		"a fraction":         {url + "/invoke", `{"cmdlet":"Get-VM","parameters":{"Name":1.5}}`, 400, `parameter Name: strconv.ParseInt: parsing "1.5": invalid syntax`},
		"too much":           {url + "/invoke", `{"cmdlet":"` + strings.Repeat("x", maxBody) + `"}`, 400, "the request: http: request body too large"},
		"a handle of nobody": {url + "/look", `{"handle":"o99"}`, 404, "no live object has this handle"},
		"nothing to set":     {url + "/set", `{"handle":"o99","property":"Name","value":[]}`, 404, "no live object has this handle"},
		"a handle in a call": {url + "/invoke", `{"cmdlet":"Stop-VM","parameters":{"VM":{"$handle":"o99"}}}`, 200, `{"values":[],"errors":[{"id":"ObjectDisposed,Microsoft.HyperV.PowerShell.Commands.StopVM","category":"ObjectNotFound","hresult":"0x80131501","target":"o99","message":"The object o99 is not known any more."}]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status, text, err := f.post(t.Context(), test.url, test.body)
			if err != nil || status != test.status || text != test.want {
				t.Errorf("got %d %s %v", status, text, err)
			}
		})
	}
}

// A lost call has no answer: whoever waits for it is ended.
func TestLostCallsAreNotAnswered(t *testing.T) {
	f := newServer(t)
	_, err := f.AddFault(hypervsim.Fault{Cmdlet: "Get-VMHost", Kind: hypervsim.DropBefore})
	f.ok(err)
	shell, url := f.open("hv02")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-shell.Lost()
		cancel()
	}()
	if status, text, err := f.post(ctx, url+"/invoke", `{"cmdlet":"Get-VMHost"}`); !errors.Is(err, context.Canceled) {
		t.Errorf("answered with %d %s %v", status, text, err)
	}
}

func TestShellsEndWithTheServer(t *testing.T) {
	f := newServer(t)
	_, url := f.open("hv02")
	f.ok(f.server.Close())
	if status, text, err := f.post(t.Context(), url+"/invoke", `{"cmdlet":"Get-VMHost"}`); err == nil {
		t.Errorf("answered with %d %s", status, text)
	}
}
