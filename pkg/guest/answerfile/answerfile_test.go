package answerfile_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/guest/answerfile"
	"guestclustering.io/operator/pkg/hostagent"
)

func settings() answerfile.Settings {
	return answerfile.Settings{ComputerName: "FILES-1", Password: hostagent.NewSecret("pa55"), TimeZone: "UTC", Locale: "en-US"}
}

// read gives every text and attribute of a file by the path of element names to it, in order.
func read(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	var path []string
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if token == nil {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			for _, a := range token.Attr {
				if a.Name.Local == "pass" || a.Name.Local == "name" {
					name = a.Value
				}
			}
			path = append(path, name)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if value := string(token); strings.TrimSpace(value) != "" {
				out[strings.Join(path, "/")] = value
			}
		}
	}
}

func TestEncode(t *testing.T) {
	s := settings()
	s.ProductKey = hostagent.NewSecret("AAAAA-BBBBB")
	text, err := answerfile.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	shell, language := "Microsoft-Windows-Shell-Setup", "Microsoft-Windows-International-Core"
	want := map[string]string{
		"unattend/specialize/" + shell + "/ComputerName":                                 "FILES-1",
		"unattend/specialize/" + shell + "/ProductKey":                                   "AAAAA-BBBBB",
		"unattend/oobeSystem/" + language + "/InputLocale":                               "en-US",
		"unattend/oobeSystem/" + language + "/SystemLocale":                              "en-US",
		"unattend/oobeSystem/" + language + "/UILanguage":                                "en-US",
		"unattend/oobeSystem/" + language + "/UserLocale":                                "en-US",
		"unattend/oobeSystem/" + shell + "/OOBE/HideEULAPage":                            "true",
		"unattend/oobeSystem/" + shell + "/TimeZone":                                     "UTC",
		"unattend/oobeSystem/" + shell + "/UserAccounts/AdministratorPassword/Value":     "pa55",
		"unattend/oobeSystem/" + shell + "/UserAccounts/AdministratorPassword/PlainText": "true",
	}
	if diff := cmp.Diff(want, read(t, text.Reveal())); diff != "" {
		t.Errorf("the file says (-want +got):\n%s", diff)
	}
}

// Whatever a password is, it is read back as it was, and nothing else comes of it.
func TestHostileValues(t *testing.T) {
	for _, password := range []string{
		`</Value><PlainText>false</PlainText>`, `]]>`, `<![CDATA[x]]>`, `&lt;`, `"'<>&`, ` leading and trailing `, `<!-- -->`, `пароль`, `𝔭𝔞𝔰𝔰`, `%COMPUTERNAME%`, `$(x)`,
	} {
		s := settings()
		s.Password = hostagent.NewSecret(password)
		text, err := answerfile.Encode(s)
		if err != nil {
			t.Errorf("%q: %v", password, err)
			continue
		}
		got := read(t, text.Reveal())
		if value := got["unattend/oobeSystem/Microsoft-Windows-Shell-Setup/UserAccounts/AdministratorPassword/Value"]; value != password {
			t.Errorf("%q is read as %q", password, value)
		}
		if len(got) != 9 {
			t.Errorf("%q makes %d texts of 9", password, len(got))
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*answerfile.Settings)
		want   string
	}{
		"no name":              {func(s *answerfile.Settings) { s.ComputerName = "" }, "the computer name is missing"},
		"no password":          {func(s *answerfile.Settings) { s.Password = hostagent.Secret{} }, "the administrator's password is missing"},
		"a control character":  {func(s *answerfile.Settings) { s.Password = hostagent.NewSecret("top\x01secret") }, "the administrator's password holds a control character"},
		"a line end":           {func(s *answerfile.Settings) { s.TimeZone = "UTC\n" }, "the time zone holds a control character"},
		"no text":              {func(s *answerfile.Settings) { s.Locale = "\xff" }, "the locale holds a control character"},
		"what XML cannot hold": {func(s *answerfile.Settings) { s.ProductKey = hostagent.NewSecret("top\uFFFE") }, "the product key holds a control character"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			tc.change(&s)
			_, err := answerfile.Encode(s)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "top") {
				t.Errorf("got %v, want %q and no value", err, tc.want)
			}
		})
	}
}

func TestNothingShowsThePassword(t *testing.T) {
	text, err := answerfile.Encode(settings())
	if err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %s %q", text, settings(), text, settings()); strings.Contains(shown, "pa55") {
		t.Errorf("it is shown: %s", shown)
	}
}
