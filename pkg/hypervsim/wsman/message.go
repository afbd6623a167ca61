package wsman

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	shellURI  = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	cmdURI    = shellURI + "/cmd"
	createURI = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
	deleteURI = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete"

	enumerationURI = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/"

	contentType = "application/soap+xml;charset=UTF-8"
)

// Action is what a request asks for.
type Action string

// The actions of a text shell, and those that list shells.
const (
	Create  Action = "Create"
	Command Action = "Command"
	Send    Action = "Send"
	Receive Action = "Receive"
	Signal  Action = "Signal"
	Delete  Action = "Delete"

	Enumerate Action = "Enumerate"
	Pull      Action = "Pull"
)

// actions by their addressing URI.
var actions = map[string]Action{
	createURI: Create, deleteURI: Delete, enumerationURI + "Enumerate": Enumerate, enumerationURI + "Pull": Pull,
	shellURI + "/Command": Command, shellURI + "/Send": Send, shellURI + "/Receive": Receive, shellURI + "/Signal": Signal,
}

// request is what the endpoint reads of an envelope. Elements are told apart by their local names alone.
type request struct {
	Header struct {
		Action           string
		MessageID        string
		ResourceURI      string
		OperationTimeout string
		MaxEnvelopeSize  int
		SelectorSet      struct {
			Selector []named
		}
		OptionSet struct {
			Option []named
		}
	}
	Body struct {
		Shell struct {
			// ID is one that the client chooses.
			ID          string `xml:"ShellId,attr"`
			IdleTimeOut string
			Environment struct {
				Variable []named
			}
		}
		CommandLine struct {
			Command   string
			Arguments []string
		}
		Send struct {
			Stream []inputStream
		}
		Receive struct {
			DesiredStream struct {
				CommandID string `xml:"CommandId,attr"`
			}
		}
		Signal struct {
			CommandID string `xml:"CommandId,attr"`
			Code      string
		}
		Enumerate struct {
			OptimizeEnumeration *struct{}
		}
	}
}

type named struct {
	Name  string `xml:"Name,attr"`
	Value string `xml:",chardata"`
}

type inputStream struct {
	Name      string `xml:"Name,attr"`
	CommandID string `xml:"CommandId,attr"`
	End       bool   `xml:"End,attr"`
	Text      string `xml:",chardata"`
}

func (s inputStream) bytes() ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimSpace(s.Text))
}

func parse(body []byte) (*request, error) {
	var r request
	if err := xml.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("reading the envelope: %w", err)
	}
	for _, text := range []*string{&r.Header.Action, &r.Header.MessageID, &r.Header.ResourceURI, &r.Header.OperationTimeout, &r.Body.Shell.IdleTimeOut, &r.Body.Signal.Code} {
		*text = strings.TrimSpace(*text)
	}
	return &r, nil
}

// shellID is the shell that a request is about.
func (r *request) shellID() string {
	for _, s := range r.Header.SelectorSet.Selector {
		if s.Name == "ShellId" {
			return strings.TrimSpace(s.Value)
		}
	}
	return ""
}

func (r *request) option(name string) bool {
	for _, o := range r.Header.OptionSet.Option {
		if o.Name == name {
			return strings.EqualFold(strings.TrimSpace(o.Value), "TRUE")
		}
	}
	return false
}

// commandLine is what Windows starts: the command and its arguments with blanks between.
func (r *request) commandLine() string {
	return strings.Join(append([]string{r.Body.CommandLine.Command}, r.Body.CommandLine.Arguments...), " ")
}

func (r *request) environment() map[string]string {
	out := map[string]string{}
	for _, v := range r.Body.Shell.Environment.Variable {
		out[v.Name] = v.Value
	}
	return out
}

var durationForm = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

var errDuration = errors.New("a duration is written as PT60S")

// parseDuration reads a duration of XML Schema with days at most.
func parseDuration(text string) (time.Duration, error) {
	parts := durationForm.FindStringSubmatch(text)
	if parts == nil || strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return 0, errDuration
	}
	total := 0.0
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil {
			return 0, errDuration
		}
		total += n * float64(unit)
	}
	if total > float64(1<<62) {
		return 0, errDuration
	}
	return time.Duration(total), nil
}

// answer is the envelope of a response to a request.
func answer(r *request, action, body string) []byte {
	return envelope(action, r.Header.MessageID, body)
}

func envelope(action, relatesTo, body string) []byte {
	var b strings.Builder
	b.WriteString(`<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"` +
		` xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"` +
		` xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="` + shellURI + `" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"` +
		` xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"><s:Header>`)
	b.WriteString(element("a:Action", action))
	b.WriteString(element("a:MessageID", "uuid:"+strings.ToUpper(uuid.NewString())))
	b.WriteString(element("a:To", "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"))
	if relatesTo != "" {
		b.WriteString(element("a:RelatesTo", relatesTo))
	}
	b.WriteString("</s:Header><s:Body>" + body + "</s:Body></s:Envelope>")
	return []byte(b.String())
}

func element(name, text string) string { return "<" + name + ">" + escape(text) + "</" + name + ">" }

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
