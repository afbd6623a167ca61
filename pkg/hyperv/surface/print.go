package surface

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"guestclustering.io/operator/pkg/hostagent"
)

// Print writes a batch as the PowerShell that an administrator would type: a line for each call. A call that a later one
// refers to fills a variable of its id's name; a Secret or a Credential is a prompt. A batch inside a virtual machine is the
// block of an Invoke-Command. Selected properties, target, logon and OnError belong to how a batch travels and are not
// printed.
//
// A text may hold line ends; it then goes over several lines, as PowerShell reads it. A batch that the newest Windows
// build would refuse is not printed.
func Print(batch hostagent.Batch) (string, error) {
	var text strings.Builder
	if err := printBatch(&text, "", batch); err != nil {
		return "", fmt.Errorf("printing: %w", err)
	}
	return text.String(), nil
}

type printer struct {
	text   *strings.Builder
	indent string
	// variables are those of the calls that a later one refers to, by the call's id.
	variables map[string]string
}

func printBatch(text *strings.Builder, indent string, batch hostagent.Batch) error {
	bounds, err := BindBatch(batch, builds[len(builds)-1])
	if err != nil {
		return err
	}
	p := printer{text: text, indent: indent, variables: variables(bounds)}
	for i, call := range batch.Calls {
		if err := p.call(call, bounds[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) call(call hostagent.Call, bound Bound) error {
	c := loaded().Cmdlets[call.Cmdlet]
	p.text.WriteString(p.indent)
	if name, ok := p.variables[call.ID]; ok {
		p.text.WriteString(name + " = ")
	}
	nested, isNested := bound.Values["Batch"].(hostagent.Nested)
	if isNested { // the one named function that takes a batch is Invoke-GuestBatch
		p.text.WriteString("Invoke-Command")
	} else {
		p.text.WriteString(call.Cmdlet)
	}
	for _, name := range slices.SortedFunc(maps.Keys(bound.Values), c.inOrder(bound.ParameterSet)) {
		if isNested && name == "Batch" {
			continue
		}
		if c.Parameters[name].Type == "SwitchParameter" {
			p.text.WriteString(switchText(name, bound.Values[name]))
			continue
		}
		argument, err := p.argument(name, call.Parameters[name])
		if err != nil {
			return refuse(call, name, err)
		}
		fmt.Fprintf(p.text, " -%s %s", name, argument)
	}
	if isNested {
		return p.block(nested.Batch)
	}
	p.text.WriteByte('\n')
	return nil
}

// block writes a batch as the block of an Invoke-Command.
func (p *printer) block(batch hostagent.Batch) error {
	p.text.WriteString(" -ScriptBlock {\n")
	if err := printBatch(p.text, p.indent+"    ", batch); err != nil {
		return fmt.Errorf("inside a virtual machine: %w", err)
	}
	p.text.WriteString(p.indent + "}\n")
	return nil
}

// inOrder sorts parameters as the syntax of the set does.
func (c Cmdlet) inOrder(set string) func(a, b string) int {
	order := c.Sets[set]
	return func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) }
}

func switchText(name string, v hostagent.Value) string {
	if v == hostagent.Bool(true) {
		return " -" + name
	}
	return " -" + name + ":$false"
}

// argument writes a parameter's value so that PowerShell reads it as one argument and nothing in it as code.
func (p *printer) argument(name string, v hostagent.Value) (string, error) {
	switch v := v.(type) {
	case hostagent.Text:
		return textArgument(string(v))
	case hostagent.Bool:
		return "$" + strconv.FormatBool(bool(v)), nil
	case hostagent.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case hostagent.Ref:
		return p.ref(v), nil
	case hostagent.Secret:
		return "(Read-Host -AsSecureString -Prompt " + quote(name) + ")", nil
	case hostagent.Credential:
		user, err := textArgument(v.User)
		return "(Get-Credential " + user + ")", err
	case hostagent.List:
		elements := make([]string, len(v))
		for i, element := range v {
			var err error
			if elements[i], err = p.argument(name, element); err != nil {
				return "", err
			}
		}
		return "@(" + strings.Join(elements, ", ") + ")", nil
	default:
		return "", problemf(Unconvertible, "%T cannot be printed", v)
	}
}

func textArgument(text string) (string, error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", problemf(NotAccepted, "the text is not valid UTF-8, or has a NUL in it: it cannot be printed")
	}
	return quote(text), nil
}

func (p *printer) ref(r hostagent.Ref) string {
	text := p.variables[r.Call]
	if r.Property == "" {
		return text
	}
	for name := range strings.SplitSeq(r.Property, ".") {
		if !plainName.MatchString(name) {
			name = quote(name)
		}
		text += "." + name
	}
	return text
}

var (
	plainName     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	otherThanName = regexp.MustCompile(`[^A-Za-z0-9_]+`)
)

func noteRefs(v hostagent.Value, note func(call string)) {
	switch v := v.(type) {
	case hostagent.Ref:
		note(v.Call)
	case hostagent.List:
		for _, element := range v {
			noteRefs(element, note)
		}
	}
}

// reserved are variables that PowerShell sets itself or acts upon, apart from those that end with Preference.
var reserved = []string{
	"args", "consolefilename", "enabledexperimentalfeatures", "error", "errorview", "event", "eventargs", "eventsubscriber",
	"executioncontext", "false", "foreach", "formatenumerationlimit", "home", "host", "input", "iscoreclr", "islinux",
	"ismacos", "iswindows", "lastexitcode", "matches", "maximumhistorycount", "myinvocation", "nestedpromptlevel", "null",
	"ofs", "outputencoding", "pid", "profile", "psboundparameters", "pscmdlet", "pscommandpath", "psculture", "psedition",
	"pshome", "psitem", "psscriptroot", "psuiculture", "psversiontable", "pwd", "sender", "shellid", "stacktrace",
	"switch", "this", "true",
}

// variables names the variables that hold results: as the call's id, in letters, digits and underscores, with
// underscores added where PowerShell keeps the name for itself or another call has it. Case makes no difference.
func variables(bounds []Bound) map[string]string {
	taken := map[string]bool{}
	for _, name := range reserved {
		taken[name] = true
	}
	names := map[string]string{}
	note := func(id string) {
		if names[id] != "" {
			return
		}
		name := otherThanName.ReplaceAllString(id, "_")
		if !plainName.MatchString(name) {
			name = "v_" + name
		}
		for taken[strings.ToLower(name)] || strings.HasSuffix(strings.ToLower(name), "preference") {
			name += "_"
		}
		taken[strings.ToLower(name)] = true
		names[id] = "$" + name
	}
	for _, b := range bounds {
		for _, parameter := range slices.Sorted(maps.Keys(b.Values)) {
			noteRefs(b.Values[parameter], note)
		}
	}
	return names
}
