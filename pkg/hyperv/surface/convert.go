package surface

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

var (
	guidForm    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	versionForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){1,3}$`)
	sidForm     = regexp.MustCompile(`^S-1-[0-9]{1,10}(-[0-9]{1,9}|-[1-3][0-9]{9}){1,15}$`)
	anyName     = regexp.MustCompile(`(?s).`)
)

// formsOfNamed are the types of Windows that PowerShell makes from a text, with its form: a name, and where the cmdlet's page
// says so also a SID, a distinguished name or a GUID.
var formsOfNamed = map[string]*regexp.Regexp{
	"ADComputer": anyName, "ADObject": anyName, "Feature": anyName, "LocalGroup": anyName, "LocalPrincipal": anyName, "SecurityIdentifier": sidForm,
}

type span struct{ min, max int64 }

// The whole numbers of .NET, as far as an Int can hold them.
var numbers = map[string]span{
	"Byte":   {0, math.MaxUint8},
	"Int16":  {math.MinInt16, math.MaxInt16},
	"Int32":  {math.MinInt32, math.MaxInt32},
	"Int64":  {math.MinInt64, math.MaxInt64},
	"UInt16": {0, math.MaxUint16},
	"UInt32": {0, math.MaxUint32},
	"UInt64": {0, math.MaxInt64},
}

// convert makes a value what the parameter takes, or says why it cannot be. Errors are *problem.
func (p Parameter) convert(v hostagent.Value) (hostagent.Value, error) {
	if !p.IsList() {
		return p.convertOne(v)
	}
	list, ok := v.(hostagent.List)
	if !ok {
		list = hostagent.List{v}
	}
	// PowerShell refuses an empty array for what is mandatory in any set.
	if len(list) == 0 && p.mandatory() {
		return nil, problemf(NotAccepted, "must not be empty")
	}
	out := make(hostagent.List, len(list))
	for i, element := range list {
		converted, err := p.convertOne(element)
		if err != nil {
			return nil, err
		}
		out[i] = converted
	}
	return out, nil
}

func (p Parameter) convertOne(v hostagent.Value) (hostagent.Value, error) {
	switch v := v.(type) {
	case hostagent.Text:
		if p.Element() == "Guid" {
			v = hostagent.Text(strings.ToLower(string(v)))
		}
		return v, p.checkText(string(v))
	case hostagent.Int:
		return v, p.checkInt(int64(v))
	case hostagent.Ref:
		if p.Type == "SwitchParameter" {
			return nil, problemf(Unconvertible, "a switch takes true or false, not a Ref")
		}
		return v, nil
	default:
		return p.convertPlain(v)
	}
}

// convertPlain takes what is either of the parameter's type or not, whatever it says.
func (p Parameter) convertPlain(v hostagent.Value) (hostagent.Value, error) {
	switch v := v.(type) {
	case hostagent.Bool:
		return v, p.wants("true or false", "SwitchParameter", "Boolean", "PSObject")
	case hostagent.Credential:
		return v, p.wants("a credential", "PSCredential")
	case hostagent.Secret:
		return v, p.wants("a secret", "SecureString")
	case hostagent.Nested:
		if p.takesBatch {
			return v, nil
		}
		return nil, problemf(Unconvertible, "takes %s, not a batch", p.Element())
	case hostagent.List:
		return nil, problemf(Unconvertible, "takes no list here")
	default:
		return nil, problemf(Unconvertible, "takes no %T", v)
	}
}

// wants refuses a value, as it is called, for parameters of other types than these.
func (p Parameter) wants(called string, types ...string) error {
	if slices.Contains(types, p.Element()) {
		return nil
	}
	return problemf(Unconvertible, "takes %s, not %s", p.Element(), called)
}

func (p Parameter) checkText(text string) error {
	if err := p.checkForm(text); err != nil {
		return err
	}
	if text == "" && p.mandatory() {
		return problemf(NotAccepted, "must not be empty")
	}
	if len(p.Values) > 0 && !slices.Contains(p.Values, text) {
		return problemf(NotAccepted, "%q is none of %s", text, strings.Join(p.Values, ", "))
	}
	return nil
}

// checkForm refuses a text that is none of the parameter's type.
func (p Parameter) checkForm(text string) error {
	element := p.Element()
	values, isEnum := loaded().Enums[element]
	named := formsOfNamed[element]
	switch {
	case isEnum && !slices.Contains(values, text):
		return problemf(Unconvertible, "%q is none of %s", text, strings.Join(p.accepted(values), ", "))
	case element == "Guid" && !guidForm.MatchString(text):
		return problemf(Unconvertible, "%q is no GUID of 32 hexadecimal digits with dashes", text)
	case element == "Version" && !versionForm.MatchString(text):
		return problemf(Unconvertible, "%q is no version of two to four numbers", text)
	case named != nil && !named.MatchString(text):
		return problemf(Unconvertible, "%q is no %s", text, element)
	case isEnum, named != nil:
		return nil
	default:
		return p.wants("a text", "String", "StringCollection", "Guid", "Version", "PSObject")
	}
}

// accepted are an enumeration's names that the parameter's page lists, all where it lists none.
func (p Parameter) accepted(values []string) []string {
	if len(p.Values) > 0 {
		return p.Values
	}
	return values
}

func (p Parameter) checkInt(n int64) error {
	if p.Element() == "PSObject" {
		return nil
	}
	within, ok := numbers[p.Element()]
	if !ok {
		return problemf(Unconvertible, "takes %s, not a number", p.Element())
	}
	if n < within.min || n > within.max {
		return problemf(Unconvertible, "%d is beyond %s", n, p.Element())
	}
	if len(p.Values) > 0 && !slices.Contains(p.Values, strconv.FormatInt(n, 10)) {
		return problemf(NotAccepted, "%d is none of %s", n, strings.Join(p.Values, ", "))
	}
	return nil
}
