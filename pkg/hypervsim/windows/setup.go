package windows

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Setup is how far Windows' own set-up is ("Windows Setup States").
type Setup string

const (
	// Generalised: an image that was never started.
	Generalised Setup = "Generalised"
	// Specialising: the pass "specialize" is under way, or waits for somebody at the console.
	Specialising Setup = "Specialising"
	// Welcoming: the pass "oobeSystem" is under way: the administrator has a password already.
	Welcoming Setup = "Welcoming"
	// Complete: set-up is over.
	Complete Setup = "Complete"
)

// ImageState is the registry value of that name.
func (s Setup) ImageState() string {
	switch s {
	case Complete:
		return "IMAGE_STATE_COMPLETE"
	case Generalised:
		return "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
	case Specialising, Welcoming:
		return "IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE"
	}
	return "IMAGE_STATE_UNDEPLOYABLE"
}

// AnswerFile is where set-up looks for its answers first, below the root of the disk that Windows is on, in lower case
// ("Windows Setup Automation Overview").
const AnswerFile = `windows\panther\unattend\unattend.xml`

// Answers are what an answer file says, as far as set-up needs it here.
type Answers struct {
	ComputerName, Password, TimeZone string
	// missing are the questions that nobody answers: set-up waits at the first.
	missing []string
}

type answerXML struct {
	XMLName  xml.Name `xml:"unattend"`
	Settings []struct {
		Pass       string         `xml:"pass,attr"`
		Components []componentXML `xml:"component"`
	} `xml:"settings"`
}

type componentXML struct {
	ComputerName string `xml:"ComputerName"`
	TimeZone     string `xml:"TimeZone"`
	HideEULA     string `xml:"OOBE>HideEULAPage"`
	Password     *struct {
		Value     string `xml:"Value"`
		PlainText string `xml:"PlainText"`
	} `xml:"UserAccounts>AdministratorPassword"`
	InputLocale  string `xml:"InputLocale"`
	SystemLocale string `xml:"SystemLocale"`
	UILanguage   string `xml:"UILanguage"`
	UserLocale   string `xml:"UserLocale"`
}

// questions are what set-up asks in the pass "oobeSystem" where nobody has answered.
var questions = []string{"InputLocale", "SystemLocale", "UILanguage", "UserLocale", "HideEULAPage", "AdministratorPassword"}

// ReadAnswers reads an answer file. A file that is no answer file is an error: set-up stops at it.
func ReadAnswers(text string) (Answers, error) {
	var file answerXML
	if err := xml.Unmarshal([]byte(text), &file); err != nil {
		return Answers{}, fmt.Errorf("the answer file cannot be read: %w", err)
	}
	var a Answers
	answered := map[string]bool{}
	for _, settings := range file.Settings {
		for _, c := range settings.Components {
			switch settings.Pass {
			case "specialize":
				a.ComputerName = cmp.Or(strings.TrimSpace(c.ComputerName), a.ComputerName)
			case "oobeSystem":
				if err := a.welcome(c, answered); err != nil {
					return Answers{}, err
				}
			}
		}
	}
	a.missing = slices.DeleteFunc(slices.Clone(questions), func(q string) bool { return answered[q] })
	return a, nil
}

// welcome takes the answers of a component of the pass "oobeSystem".
func (a *Answers) welcome(c componentXML, answered map[string]bool) error {
	a.TimeZone = cmp.Or(c.TimeZone, a.TimeZone)
	if c.Password != nil {
		var err error
		if a.Password, err = password(c.Password.Value, c.Password.PlainText); err != nil {
			return err
		}
	}
	for question, isAnswered := range map[string]bool{
		"InputLocale": c.InputLocale != "", "SystemLocale": c.SystemLocale != "", "UILanguage": c.UILanguage != "", "UserLocale": c.UserLocale != "",
		"HideEULAPage": strings.EqualFold(strings.TrimSpace(c.HideEULA), "true"), "AdministratorPassword": a.Password != "",
	} {
		answered[question] = answered[question] || isAnswered
	}
	return nil
}

// password decodes a password as answer files hold it: as text, or as base64 of UTF-16 with the element's name behind it
// ("AdministratorPassword").
func password(value, plainText string) (string, error) {
	if strings.EqualFold(strings.TrimSpace(plainText), "true") {
		return value, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil || len(raw)%2 != 0 {
		return "", fmt.Errorf("the answer file's AdministratorPassword is neither text nor base64 of UTF-16")
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i]) | uint16(raw[2*i+1])<<8
	}
	return strings.TrimSuffix(string(utf16.Decode(units)), "AdministratorPassword"), nil
}

// Specialise begins or repeats the pass "specialize" with the answer file on the disk. What set-up waits for is in Waits.
func (s *System) Specialise() {
	s.Setup, s.Waits = Specialising, ""
	text, ok := s.Files[AnswerFile]
	if !ok {
		s.Waits = "there is no answer file"
		return
	}
	answers, err := ReadAnswers(text)
	switch {
	case err != nil:
		s.Waits = err.Error()
	case len(answers.missing) > 0:
		s.Waits = "the answer file has no " + strings.Join(answers.missing, ", ")
	default:
		s.answers = answers
	}
}

// Welcome begins the pass "oobeSystem": names and the administrator's password are in force from here on.
func (s *System) Welcome() {
	s.Setup = Welcoming
	s.name = strings.ToUpper(s.answers.ComputerName)
	if s.name == "" || s.name == "*" {
		s.name = "WIN-" + strings.ToUpper(s.token("name", 11))
	}
	s.name = s.name[:min(len(s.name), maxName)]
	s.TimeZone = s.answers.TimeZone
	s.Administrator().Password = s.answers.Password
	s.answers = Answers{}
}

// Finish ends set-up.
func (s *System) Finish() { s.Setup = Complete }

// maxName is the length of a NetBIOS computer name.
const maxName = 15
