// Package answerfile makes the answer file that takes a generalised Windows through its first start without anybody at it.
package answerfile

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"

	"guestclustering.io/operator/pkg/hostagent"
)

// Settings are all that an answer file of ours says.
type Settings struct {
	// ComputerName is a NetBIOS name of at most 15 characters.
	ComputerName string
	// Password is the local administrator's.
	Password hostagent.Secret
	// TimeZone is Windows' name of one, such as "W. Europe Standard Time".
	TimeZone string
	// Locale is a language tag such as en-US, of a language that the image has.
	Locale string
	// ProductKey is left out when it is empty: the image then has one, or is activated by the hosts.
	ProductKey hostagent.Secret
}

// The parts of an answer file ("Unattended Windows Setup Reference": Microsoft-Windows-Shell-Setup,
// Microsoft-Windows-International-Core).
type (
	document struct {
		XMLName  xml.Name   `xml:"urn:schemas-microsoft-com:unattend unattend"`
		Settings []settings `xml:"settings"`
	}
	settings struct {
		Pass       string      `xml:"pass,attr"`
		Components []component `xml:"component"`
	}
	component struct {
		Name         string `xml:"name,attr"`
		Architecture string `xml:"processorArchitecture,attr"`
		Token        string `xml:"publicKeyToken,attr"`
		Language     string `xml:"language,attr"`
		Scope        string `xml:"versionScope,attr"`

		ComputerName string `xml:"ComputerName,omitempty"`
		ProductKey   string `xml:"ProductKey,omitempty"`

		InputLocale  string `xml:"InputLocale,omitempty"`
		SystemLocale string `xml:"SystemLocale,omitempty"`
		UILanguage   string `xml:"UILanguage,omitempty"`
		UserLocale   string `xml:"UserLocale,omitempty"`

		OOBE         *oobe         `xml:"OOBE"`
		TimeZone     string        `xml:"TimeZone,omitempty"`
		UserAccounts *userAccounts `xml:"UserAccounts"`
	}
	oobe struct {
		HideEULAPage bool `xml:"HideEULAPage"`
	}
	userAccounts struct {
		Password password `xml:"AdministratorPassword"`
	}
	password struct {
		Value     string `xml:"Value"`
		PlainText bool   `xml:"PlainText"`
	}
)

// Encode gives the file's text, which holds the password. A value that XML cannot carry, or none where one is needed, is an
// error that names the setting and not its value.
func Encode(s Settings) (hostagent.Secret, error) {
	for name, value := range map[string]string{
		"the computer name": s.ComputerName, "the administrator's password": s.Password.Reveal(), "the time zone": s.TimeZone, "the locale": s.Locale,
	} {
		if value == "" {
			return hostagent.Secret{}, fmt.Errorf("answer file: %s is missing", name)
		}
		if err := check(name, value); err != nil {
			return hostagent.Secret{}, err
		}
	}
	if err := check("the product key", s.ProductKey.Reveal()); err != nil {
		return hostagent.Secret{}, err
	}
	text, err := xml.MarshalIndent(s.document(), "", "  ")
	if err != nil {
		return hostagent.Secret{}, fmt.Errorf("answer file: %w", err)
	}
	return hostagent.NewSecret(xml.Header + string(text) + "\n"), nil
}

func (s Settings) document() document {
	shell := func() component { return of("Microsoft-Windows-Shell-Setup") }
	specialize, user, language := shell(), shell(), of("Microsoft-Windows-International-Core")
	specialize.ComputerName, specialize.ProductKey = s.ComputerName, s.ProductKey.Reveal()
	language.InputLocale, language.SystemLocale, language.UILanguage, language.UserLocale = s.Locale, s.Locale, s.Locale, s.Locale
	// Windows with a desktop waits at the page with the licence otherwise.
	user.OOBE = &oobe{HideEULAPage: true}
	user.TimeZone = s.TimeZone
	user.UserAccounts = &userAccounts{Password: password{Value: s.Password.Reveal(), PlainText: true}}
	return document{Settings: []settings{
		{Pass: "specialize", Components: []component{specialize}},
		{Pass: "oobeSystem", Components: []component{language, user}},
	}}
}

func of(name string) component {
	return component{Name: name, Architecture: "amd64", Token: "31bf3856ad364e35", Language: "neutral", Scope: "nonSxS"}
}

// check refuses what an encoder would replace without a word, and line ends, which a parser would turn into others.
func check(name, value string) error {
	bad := func(r rune) bool { return r < ' ' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF }
	if !utf8.ValidString(value) || strings.ContainsFunc(value, bad) {
		return fmt.Errorf("answer file: %s holds a control character, or no valid text; choose another", name)
	}
	return nil
}
