package failover

import (
	"encoding/xml"
	"slices"
	"strconv"
)

// XML gives the report in the shape of the file that Test-Cluster leaves in C:\Windows\Cluster\Reports. Microsoft publishes no
// schema. The elements that are read by public scripts, among them Microsoft's own environment checker for Azure Local, are
// named as there: Report/Channel with ValidationResult and Node, in it a Channel of Type Summary for each category, and one for
// each test with SummaryChannel, Title, Result, ResultDescription and Message. All else is a guess.
func (r *Report) XML() string {
	root := channelXML{
		ID: "0", Type: "Root",
		ValidationResult: &valueXML{text(strconv.Itoa(r.bits()))},
	}
	for _, n := range r.Nodes {
		root.Nodes = append(root.Nodes, nodeXML{text(n), text("Validated")})
	}
	for _, category := range r.categories() {
		root.Channels = append(root.Channels, channelXML{ID: category, Type: "Summary", Name: text(category)})
	}
	for _, t := range r.Tests {
		root.Channels = append(root.Channels, t.channel())
	}
	out, err := xml.MarshalIndent(reportXML{Channel: root}, "", "  ")
	if err != nil {
		// Nothing in it can fail to be written: texts alone, and fixed names.
		panic(err)
	}
	return xml.Header + string(out)
}

// The bits of a report's ValidationResult.
const (
	bitCompleted     = 0x1
	bitLeft          = 0x2
	bitFailures      = 0x4
	bitWarnings      = 0x8
	bitNotApplicable = 0x40
)

func (r *Report) bits() int {
	bits := bitCompleted
	if r.Left {
		bits |= bitLeft
	}
	for _, t := range r.Tests {
		bits |= map[Result]int{Pass: 0, Warn: bitWarnings, Fail: bitFailures, NotApplicable: bitNotApplicable}[t.Result]
	}
	return bits
}

func (r *Report) categories() []string {
	var out []string
	for _, t := range r.Tests {
		if !slices.Contains(out, t.Category) {
			out = append(out, t.Category)
		}
	}
	return out
}

type reportXML struct {
	XMLName xml.Name   `xml:"Report"`
	Channel channelXML `xml:"Channel"`
}

type channelXML struct {
	ID               string       `xml:"id,attr"`
	Type             string       `xml:"Type,attr"`
	ValidationResult *valueXML    `xml:"ValidationResult"`
	Nodes            []nodeXML    `xml:"Node"`
	Name             *cdata       `xml:"ChannelName"`
	SummaryChannel   *valueXML    `xml:"SummaryChannel"`
	Title            *valueXML    `xml:"Title"`
	Result           *valueXML    `xml:"Result"`
	Description      *valueXML    `xml:"ResultDescription"`
	Messages         []messageXML `xml:"Message"`
	Channels         []channelXML `xml:"Channel"`
}

type cdata struct {
	Text string `xml:",cdata"`
}

func text(s string) *cdata { return &cdata{s} }

type valueXML struct {
	Value *cdata `xml:"Value"`
}

type nodeXML struct {
	Value  *cdata `xml:"Value"`
	Status *cdata `xml:"Status"`
}

type messageXML struct {
	Level string `xml:"Level,attr"`
	Text  string `xml:",cdata"`
}

// descriptions are the words for results, and for levels of messages where there are others.
var (
	descriptions = map[Result]string{Pass: "Success", Warn: "Warning", Fail: "Failed", NotApplicable: "Not Applicable"}
	levels       = map[Result]string{Pass: "Info", Warn: "Warn", Fail: "Fail", NotApplicable: "Info"}
)

func (t Test) channel() channelXML {
	c := channelXML{
		ID: t.Name, Type: "Test", Name: text(t.Name), SummaryChannel: &valueXML{text(t.Category)}, Title: &valueXML{text(t.Name)},
		Result: &valueXML{text(string(t.Result))}, Description: &valueXML{text(descriptions[t.Result])},
	}
	for _, m := range t.Messages {
		c.Messages = append(c.Messages, messageXML{levels[m.Level], m.Text})
	}
	return c
}
