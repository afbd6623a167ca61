package winrm

import (
	"encoding/xml"
	"strings"

	"github.com/google/uuid"
	"github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"
)

const (
	// envelopeSize is the largest answer we take, as we tell the host: Windows' own default for MaxEnvelopeSizekb (500 KiB).
	envelopeSize = 512000
	// chunk is the most input in one Send: its Base64 stays well below envelopeSize.
	chunk = 128 << 10

	// receiveTimeout is how long a Receive waits at the host for output. It is below answerTimeout, so that the host's
	// "nothing yet" comes before we give up.
	receiveTimeout = "PT20S"
	// startTimeout is how long the host may take over anything else.
	startTimeout = "PT50S"
	// idleTimeout is after how long without a request the host removes a shell that nobody deleted.
	idleTimeout = "PT300S"

	resourceCommandShell = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
	actionCreate         = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
	actionCommand        = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Command"
	anonymous            = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
	locale               = "en-US"
)

// writer writes the requests to one host. The library writes what it is given into the XML as it is, so all that is not
// a constant or Base64 is escaped here: ids too, because a host chose them.
type writer struct{ to string }

func newWriter(url string) writer { return writer{to: escaped(url)} }

// create makes a shell with an id that we choose, as WSManCreateShellEx does. Its programs read and write UTF-8, and no
// profile of the account's is loaded.
func (w writer) create(id string) string {
	m := soap.NewMessage()
	w.header(m).Action(actionCreate).
		AddOption(soap.NewHeaderOption("WINRS_NOPROFILE", "TRUE")).
		AddOption(soap.NewHeaderOption("WINRS_CODEPAGE", "65001")).
		Build()
	shell := m.CreateBodyElement("Shell", soap.DOM_NS_WIN_SHELL)
	shell.SetAttr("ShellId", id)
	m.CreateElement(shell, "InputStreams", soap.DOM_NS_WIN_SHELL).SetContent("stdin")
	m.CreateElement(shell, "OutputStreams", soap.DOM_NS_WIN_SHELL).SetContent("stdout stderr")
	m.CreateElement(shell, "IdleTimeOut", soap.DOM_NS_WIN_SHELL).SetContent(idleTimeout)
	return m.String()
}

// command starts a program. Its standard input is a pipe and not a console, which would never end and convert what it
// gets; and no cmd.exe reads the line first, which would bound it at 8191 characters.
func (w writer) command(shell, program, arguments string) string {
	m := soap.NewMessage()
	w.header(m).Action(actionCommand).ShellId(escaped(shell)).
		AddOption(soap.NewHeaderOption("WINRS_CONSOLEMODE_STDIN", "FALSE")).
		AddOption(soap.NewHeaderOption("WINRS_SKIP_CMD_SHELL", "TRUE")).
		Build()
	line := m.CreateBodyElement("CommandLine", soap.DOM_NS_WIN_SHELL)
	m.CreateElement(line, "Command", soap.DOM_NS_WIN_SHELL).SetContent(escaped(program))
	m.CreateElement(line, "Arguments", soap.DOM_NS_WIN_SHELL).SetContent(escaped(arguments))
	return m.String()
}

func (w writer) header(m *soap.SoapMessage) *soap.SoapHeader {
	return m.Header().To(w.to).ReplyTo(anonymous).MaxEnvelopeSize(envelopeSize).
		Id("uuid:" + uuid.NewString()).Locale(locale).Timeout(startTimeout).ResourceURI(resourceCommandShell)
}

func (w writer) send(shell, command string, input []byte) string {
	return winrm.NewSendInputRequest(w.to, escaped(shell), escaped(command), input, false, parameters(receiveTimeout)).String()
}

func (w writer) receive(shell, command string) string {
	return winrm.NewGetOutputRequest(w.to, escaped(shell), escaped(command), "stdout stderr", parameters(receiveTimeout)).String()
}

// terminate ends the command, and is also what a command that has ended is to be told.
func (w writer) terminate(shell, command string) string {
	return winrm.NewSignalRequest(w.to, escaped(shell), escaped(command), parameters(startTimeout)).String()
}

func (w writer) delete(shell string) string {
	return winrm.NewDeleteShellRequest(w.to, escaped(shell), parameters(startTimeout)).String()
}

func parameters(timeout string) *winrm.Parameters {
	return winrm.NewParameters(timeout, locale, envelopeSize)
}

func escaped(text string) string {
	var b strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
