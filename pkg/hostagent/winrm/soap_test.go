package winrm

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// request is what a host reads of a request.
type request struct {
	Header struct {
		To, Action, ResourceURI string
		OperationTimeout        string
		Selectors               []string `xml:"SelectorSet>Selector"`
		Options                 []struct {
			Name string `xml:",attr"`
			Text string `xml:",chardata"`
		} `xml:"OptionSet>Option"`
	}
	Body struct {
		Shell struct {
			ID                                       string `xml:"ShellId,attr"`
			InputStreams, OutputStreams, IdleTimeOut string
		}
		Line struct {
			Command   string
			Arguments []string
		} `xml:"CommandLine"`
		Send struct {
			Stream struct {
				CommandID string `xml:"CommandId,attr"`
				Text      string `xml:",chardata"`
			}
		}
	}
}

func decode(t *testing.T, message string) request {
	t.Helper()
	var r request
	if err := xml.Unmarshal([]byte(message), &r); err != nil {
		t.Fatalf("%v in %s", err, message)
	}
	return r
}

func (r request) options() map[string]string {
	options := map[string]string{}
	for _, o := range r.Header.Options {
		options[o.Name] = o.Text
	}
	return options
}

func TestRequestsSayWhatTheyMust(t *testing.T) {
	w := newWriter("https://hv01:5986/wsman")
	create := decode(t, w.create("S"))
	if diff := cmp.Diff(map[string]string{"WINRS_NOPROFILE": "TRUE", "WINRS_CODEPAGE": "65001"}, create.options()); diff != "" {
		t.Errorf("options of Create (-want +got):\n%s", diff)
	}
	shell := create.Body.Shell
	if shell.ID != "S" || shell.InputStreams != "stdin" || shell.OutputStreams != "stdout stderr" || shell.IdleTimeOut != "PT300S" {
		t.Errorf("Create asks for the shell %+v", shell)
	}
	command := decode(t, w.command("S", `C:\p.exe`, "-a"))
	if diff := cmp.Diff(map[string]string{"WINRS_CONSOLEMODE_STDIN": "FALSE", "WINRS_SKIP_CMD_SHELL": "TRUE"}, command.options()); diff != "" {
		t.Errorf("options of Command (-want +got):\n%s", diff)
	}
	if receive := decode(t, w.receive("S", "C")); receive.Header.OperationTimeout != "PT20S" {
		t.Errorf("Receive waits %s, want PT20S", receive.Header.OperationTimeout)
	}
}

// What a host chose, or a program is given, arrives as it is and is never markup.
func TestTextIsNoMarkup(t *testing.T) {
	const text = `<a b="c">&amp;]]>'` + "\t\r\n"
	w := newWriter("https://hv01/wsman")
	command := decode(t, w.command(text, text, text))
	if command.Body.Line.Command != text || len(command.Body.Line.Arguments) != 1 || command.Body.Line.Arguments[0] != text {
		t.Errorf("Command holds %+v, want %q", command.Body.Line, text)
	}
	for name, message := range map[string]string{
		"command": w.command(text, "p", "a"), "send": w.send(text, text, nil), "receive": w.receive(text, text),
		"terminate": w.terminate(text, text), "delete": w.delete(text),
	} {
		if got := decode(t, message).Header.Selectors; len(got) != 1 || got[0] != text {
			t.Errorf("%s selects %q, want %q", name, got, text)
		}
	}
	if send := decode(t, w.send("S", text, []byte("x"))); send.Body.Send.Stream.CommandID != text || send.Body.Send.Stream.Text != "eA==" {
		t.Errorf("Send holds %+v", send.Body.Send)
	}
	if message := w.send("S", "C", make([]byte, chunk)); len(message) > envelopeSize/2 || !strings.Contains(message, "AAAA") {
		t.Errorf("a Send of %d bytes has %d", chunk, len(message))
	}
}
