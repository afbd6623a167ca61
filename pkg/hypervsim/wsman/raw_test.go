package wsman_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// plain is a configuration that takes Basic over plain HTTP, so that a test sees what goes over the wire.
func plain() wsman.Config {
	c := settings()
	c.Authentication.AllowUnencrypted = true
	return c
}

// raw is a client that writes its own envelopes.
type raw struct {
	t              *testing.T
	url            string
	user, password string
	http           *http.Client
}

func (e endpoint) raw(t *testing.T) raw {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return raw{t: t, url: e.url(false), user: user, password: password, http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

const (
	winShell = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	transfer = "http://schemas.xmlsoap.org/ws/2004/09/transfer/"
)

// message is a request; what is empty is as a good client would have it.
type message struct {
	action, resource, shell, timeout, body string
	options                                map[string]string
}

func (m message) String() string {
	or := func(text, other string) string {
		if text == "" {
			return other
		}
		return text
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"`+
		` xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="%s"><s:Header><a:Action s:mustUnderstand="true">%s</a:Action><a:MessageID>uuid:of-this</a:MessageID>`+
		`<w:ResourceURI>%s</w:ResourceURI><w:MaxEnvelopeSize>512000</w:MaxEnvelopeSize><w:OperationTimeout>%s</w:OperationTimeout>`,
		winShell, m.action, or(m.resource, winShell+"/cmd"), or(m.timeout, "PT20S"))
	if m.shell != "" {
		fmt.Fprintf(&b, `<w:SelectorSet><w:Selector Name="ShellId">%s</w:Selector></w:SelectorSet>`, m.shell)
	}
	b.WriteString("<w:OptionSet>")
	for name, value := range m.options {
		fmt.Fprintf(&b, `<w:Option Name="%s">%s</w:Option>`, name, value)
	}
	b.WriteString("</w:OptionSet></s:Header><s:Body>" + m.body + "</s:Body></s:Envelope>")
	return b.String()
}

func create() message { return message{action: transfer + "Create", body: "<rsp:Shell/>"} }

func remove(shell string) message { return message{action: transfer + "Delete", shell: shell} }

func begin(shell, line string, arguments ...string) message {
	body := "<rsp:CommandLine><rsp:Command>" + html.EscapeString(line) + "</rsp:Command>"
	for _, a := range arguments {
		body += "<rsp:Arguments>" + html.EscapeString(a) + "</rsp:Arguments>"
	}
	return message{action: winShell + "/Command", shell: shell, body: body + "</rsp:CommandLine>", options: map[string]string{"WINRS_CONSOLEMODE_STDIN": "FALSE", "WINRS_SKIP_CMD_SHELL": "TRUE"}}
}

func send(shell, command, input string, end bool) message {
	return message{
		action: winShell + "/Send", shell: shell,
		body: fmt.Sprintf(`<rsp:Send><rsp:Stream Name="stdin" CommandId="%s" End="%t">%s</rsp:Stream></rsp:Send>`, command, end, base64.StdEncoding.EncodeToString([]byte(input))),
	}
}

func receive(shell, command, timeout string) message {
	return message{
		action: winShell + "/Receive", shell: shell, timeout: timeout,
		body: fmt.Sprintf(`<rsp:Receive><rsp:DesiredStream CommandId="%s">stdout stderr</rsp:DesiredStream></rsp:Receive>`, command),
	}
}

func signal(shell, command, name string) message {
	return message{
		action: winShell + "/Signal", shell: shell,
		body: fmt.Sprintf(`<rsp:Signal CommandId="%s"><rsp:Code>%s/signal/%s</rsp:Code></rsp:Signal>`, command, winShell, name),
	}
}

// reply is what a test reads of an answer.
type reply struct {
	Status int    `xml:"-"`
	Text   string `xml:"-"`
	Header struct {
		Action, RelatesTo string
	}
	Body struct {
		Fault struct {
			Code struct {
				Value   string
				Subcode struct{ Value string }
			}
			Detail struct {
				WSManFault struct {
					Code    string `xml:"Code,attr"`
					Message string
				}
			}
		}
		Shell           struct{ ShellId, IdleTimeOut string } //nolint:revive // the element's name
		CommandResponse struct{ CommandId string }            //nolint:revive // the element's name
		ReceiveResponse struct {
			Stream []struct {
				Name string `xml:"Name,attr"`
				End  bool   `xml:"End,attr"`
				Text string `xml:",chardata"`
			}
			CommandState []struct {
				State    string `xml:"State,attr"`
				ExitCode string
			}
		}
	}
}

func (r reply) fault() string { return r.Body.Fault.Detail.WSManFault.Code }

// try posts a text. An error is one of the connection's.
func (c raw) try(text string) (reply, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(text))
	if err != nil {
		return reply{}, err
	}
	req.SetBasicAuth(c.user, c.password)
	req.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r := reply{Status: resp.StatusCode, Text: string(body)}
	if err != nil {
		return r, err
	}
	_ = xml.Unmarshal(bytes.TrimSpace(body), &r) // What is no envelope is judged by its text.
	return r, nil
}

func (c raw) post(m message) reply {
	c.t.Helper()
	r, err := c.try(m.String())
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// ok posts what must succeed.
func (c raw) ok(m message) reply {
	c.t.Helper()
	r := c.post(m)
	if r.Status != http.StatusOK {
		c.t.Fatalf("%s: status %d: %s", m.action, r.Status, r.Text)
	}
	if r.Header.RelatesTo != "uuid:of-this" || r.Header.Action != m.action+"Response" {
		c.t.Errorf("%s: the answer is %s to %s", m.action, r.Header.Action, r.Header.RelatesTo)
	}
	return r
}

func (c raw) shell() string {
	c.t.Helper()
	return c.ok(create()).Body.Shell.ShellId
}

func (c raw) begin(shell, line string, arguments ...string) string {
	c.t.Helper()
	return c.ok(begin(shell, line, arguments...)).Body.CommandResponse.CommandId
}

// output receives until the command is done, and gives what came and its exit code.
func (c raw) output(shell, command string) (stdout, stderr, code string) {
	c.t.Helper()
	for {
		r := c.ok(receive(shell, command, ""))
		for _, s := range r.Body.ReceiveResponse.Stream {
			data, err := base64.StdEncoding.DecodeString(s.Text)
			if err != nil {
				c.t.Fatal(err)
			}
			if s.Name == "stdout" {
				stdout += string(data)
			} else {
				stderr += string(data)
			}
		}
		if states := r.Body.ReceiveResponse.CommandState; len(states) != 1 {
			c.t.Fatalf("%d states in %s", len(states), r.Text)
		} else if strings.HasSuffix(states[0].State, "/Done") {
			return stdout, stderr, states[0].ExitCode
		}
	}
}
