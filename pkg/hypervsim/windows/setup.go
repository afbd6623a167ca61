package windows

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
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
		Pass       string `xml:"pass,attr"`
		Components []struct {
			Name         string `xml:"name,attr"`
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
		} `xml:"component"`
	} `xml:"settings"`
}

// ReadAnswers reads an answer file. A file that is no answer file is an error: set-up stops at it.
func ReadAnswers(text string) (Answers, error) {
	var file answerXML
	if err := xml.Unmarshal([]byte(text), &file); err != nil {
		return Answers{}, fmt.Errorf("the answer file cannot be read: %w", err)
	}
	var a Answers
	open := map[string]bool{"HideEULAPage": true, "AdministratorPassword": true, "InputLocale": true, "SystemLocale": true, "UILanguage": true, "UserLocale": true}
	for _, settings := range file.Settings {
		for _, c := range settings.Components {
			if settings.Pass == "specialize" {
				a.ComputerName = strings.TrimSpace(c.ComputerName)
			}
			if settings.Pass != "oobeSystem" {
				continue
			}
			a.TimeZone += c.TimeZone
			for question, answer := range map[string]string{
				"InputLocale": c.InputLocale, "SystemLocale": c.SystemLocale, "UILanguage": c.UILanguage, "UserLocale": c.UserLocale,
			} {
				open[question] = open[question] && answer == ""
			}
			open["HideEULAPage"] = open["HideEULAPage"] && !strings.EqualFold(strings.TrimSpace(c.HideEULA), "true")
			if c.Password == nil {
				continue
			}
			var err error
			if a.Password, err = password(c.Password.Value, c.Password.PlainText); err != nil {
				return Answers{}, err
			}
			open["AdministratorPassword"] = a.Password == ""
		}
	}
	for _, question := range []string{"InputLocale", "SystemLocale", "UILanguage", "UserLocale", "HideEULAPage", "AdministratorPassword"} {
		if open[question] {
			a.missing = append(a.missing, question)
		}
	}
	return a, nil
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
	s.administrator().Password = s.answers.Password
	s.answers = Answers{}
}

// Finish ends set-up.
func (s *System) Finish() { s.Setup = Complete }

// maxName is the length of a NetBIOS computer name.
const maxName = 15
