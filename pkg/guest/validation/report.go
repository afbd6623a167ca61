// Package validation reads the report that Test-Cluster writes.
//
// Microsoft publishes no schema of it. What is read here is what published scripts read, Microsoft's own among them: a channel
// for each test with its category (SummaryChannel), its Title, and a Result of Pass, Warn or Fail, or a ResultDescription;
// everything else is ignored. A report in which no test with a result was found is no verdict but an error.
package validation

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
)

// maxNames bounds how many tests of one result are named, maxName how long a name may be: a report is evidence in a status.
const (
	maxNames = 20
	maxName  = 120
)

// channel is one test, or a category, which has channels of its own.
type channel struct {
	Category    value     `xml:"SummaryChannel"`
	Title       value     `xml:"Title"`
	Result      value     `xml:"Result"`
	Description value     `xml:"ResultDescription"`
	Messages    []message `xml:"Message"`
	Channels    []channel `xml:"Channel"`
}

type value struct {
	Value string `xml:"Value"`
}

type message struct {
	Level string `xml:"Level,attr"`
	Text  string `xml:",chardata"`
}

// Parse reads a report's verdict. An error is of the class Protocol.
func Parse(text string) (*guest.Report, error) {
	var root struct {
		Channels []channel `xml:"Channel"`
	}
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.CharsetReader = asItIs
	if err := decoder.Decode(&root); err != nil {
		return nil, fmt.Errorf("validation report: %w: %w", hostagent.Protocol, err)
	}
	r := &guest.Report{}
	for _, c := range root.Channels {
		add(r, c)
	}
	if r.Ran == 0 {
		return nil, fmt.Errorf("validation report: %w: %w", hostagent.Protocol, errNoTest)
	}
	return r, nil
}

var errNoTest = errors.New("it holds no test with a result")

// asItIs: the text came through JSON and is UTF-8, whatever its first line says of the file that it was.
func asItIs(_ string, text io.Reader) (io.Reader, error) { return text, nil }

func add(r *guest.Report, c channel) {
	if c.Category.Value != "" {
		addTest(r, c)
	}
	for _, inner := range c.Channels {
		add(r, inner)
	}
}

func addTest(r *guest.Report, c channel) {
	name := strings.Join(strings.Fields(c.Title.Value), " ")
	switch outcome(c) {
	case passed:
		r.Ran++
	case warned:
		r.Ran++
		r.Warned = named(r.Warned, name)
	case failed:
		r.Ran++
		r.Failed = named(r.Failed, name)
	case canceled:
		r.Canceled = named(r.Canceled, name)
	case none:
	}
	if slices.Contains(listsDisks, name) {
		r.Disks = append(r.Disks, testedDisks(c)...)
	}
}

func named(names []string, name string) []string {
	if len(names) >= maxNames {
		return names
	}
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	return append(names, name)
}

type result int

const (
	none result = iota
	passed
	warned
	failed
	canceled
)

// outcome reads the result's own word; the description, which may be in the language of the system, only where there is none.
func outcome(c channel) result {
	word := strings.ToLower(c.Result.Value)
	if word == "" {
		word = strings.ToLower(c.Description.Value)
	}
	for _, known := range []struct {
		part string
		is   result
	}{{"fail", failed}, {"warn", warned}, {"cancel", canceled}, {"applicable", none}, {"pass", passed}, {"success", passed}} {
		if strings.Contains(word, known.part) {
			return known.is
		}
	}
	return none
}

// listsDisks are the tests that tell which disks the storage tests are run on, since 2016 and before.
var listsDisks = []string{"List Disks To Be Validated", "List Potential Cluster Disks"}

var diskGUID = regexp.MustCompile(`\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}`)

// testedDisks are those that are told without a warning.
func testedDisks(c channel) []string {
	var disks []string
	for _, m := range c.Messages {
		if !strings.EqualFold(m.Level, "Info") {
			continue
		}
		for _, guid := range diskGUID.FindAllString(m.Text, -1) {
			if guid = strings.ToUpper(guid); !slices.Contains(disks, guid) {
				disks = append(disks, guid)
			}
		}
	}
	return disks
}
