package winrm

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

const (
	stateDone = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"
	stdout    = "stdout"
	stderr    = "stderr"
)

// answer is any answer of WS-Man's: what of it we read.
type answer struct {
	XMLName xml.Name `xml:"http://www.w3.org/2003/05/soap-envelope Envelope"`
	Body    struct {
		Fault *fault `xml:"http://www.w3.org/2003/05/soap-envelope Fault"`
		// Shell answers Create; Windows Server 2008 R2 tells the id in ResourceCreated alone.
		Shell struct {
			ID string `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell ShellId"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell Shell"`
		Created struct {
			Selectors []struct {
				Name string `xml:"Name,attr"`
				Text string `xml:",chardata"`
			} `xml:"ReferenceParameters>SelectorSet>Selector"`
		} `xml:"http://schemas.xmlsoap.org/ws/2004/09/transfer ResourceCreated"`
		Command struct {
			ID string `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell CommandId"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell CommandResponse"`
		Receive *received `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell ReceiveResponse"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Body"`
}

type received struct {
	Streams []struct {
		Name string `xml:"Name,attr"`
		Text string `xml:",chardata"`
	} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell Stream"`
	State struct {
		State    string `xml:"State,attr"`
		ExitCode string `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell ExitCode"`
	} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell CommandState"`
}

// parse reads an answer. A fault is an answer too.
func parse(body []byte) (*answer, error) {
	var a answer
	if err := xml.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("what came is no WS-Man message: %w", err)
	}
	return &a, nil
}

func (a *answer) shell() (string, error) {
	id := strings.TrimSpace(a.Body.Shell.ID)
	for _, s := range a.Body.Created.Selectors {
		if id == "" && s.Name == "ShellId" {
			id = strings.TrimSpace(s.Text)
		}
	}
	if id == "" {
		return "", errors.New("the answer to Create names no shell")
	}
	return id, nil
}

func (a *answer) command() (string, error) {
	id := strings.TrimSpace(a.Body.Command.ID)
	if id == "" {
		return "", errors.New("the answer to Command names no command")
	}
	return id, nil
}

// output gives what the program wrote since the last Receive, in order, and whether it has ended.
func (a *answer) output(write func(stream string, data []byte)) (ended bool, exitCode string, err error) {
	r := a.Body.Receive
	if r == nil {
		return false, "", errors.New("the answer to Receive holds no output")
	}
	for _, s := range r.Streams {
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s.Text))
		if err != nil {
			return false, "", fmt.Errorf("the answer to Receive: %w", err)
		}
		write(s.Name, data)
	}
	return r.State.State == stateDone, strings.TrimSpace(r.State.ExitCode), nil
}
