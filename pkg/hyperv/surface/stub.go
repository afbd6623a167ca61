package surface

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// StubModule writes a PowerShell module for Windows PowerShell 5.1 and later with one function for each cmdlet that the
// operator calls, as a host of that build has it: Microsoft's parameter block (sets, mandatory parameters, positions,
// types, accepted values) and output type. The .NET types of Windows modules are classes of the same short name with
// the properties whose types are simple.
//
// Every function has the same body: PowerShell text that finds its own name in $MyInvocation.MyCommand and what was
// bound in $PSCmdlet and $PSBoundParameters. Named functions are not in the module: they are in the executor.
func StubModule(w io.Writer, build int, body string) error {
	if release(build) == 0 {
		return fmt.Errorf("stub module: Windows build %d is older than %d", build, builds[0])
	}
	facts := loaded()
	var text strings.Builder
	text.WriteString("# Generated from the facts of pkg/hyperv/surface.\n")
	for _, name := range slices.Sorted(maps.Keys(facts.Enums)) {
		fmt.Fprintf(&text, "enum %s { %s }\n", name, strings.Join(facts.Enums[name], "; "))
	}
	for _, name := range facts.standIns() {
		facts.writeClass(&text, name)
	}
	stubs := stubWriter{Facts: facts, build: build, body: body}
	for _, name := range facts.cmdletsOn(build) {
		stubs.writeFunction(&text, name)
	}
	text.WriteString("Export-ModuleMember -Function *\n")
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("writing stub module: %w", err)
	}
	return nil
}

// Stubs are the functions of one module of Windows.
type Stubs struct {
	Module string
	// Functions are their names.
	Functions []string
	// Text holds them as StubModule writes them, without the types of their parameters.
	Text string
}

// StubsByModule writes the functions of StubModule, each module's apart. The types of their parameters, StubTypes, are
// taken to be in a .NET namespace: some of their names have other meanings in PowerShell.
func StubsByModule(build int, body, namespace string) ([]Stubs, error) {
	if release(build) == 0 {
		return nil, fmt.Errorf("stub modules: Windows build %d is older than %d", build, builds[0])
	}
	facts := loaded()
	stubs := stubWriter{Facts: facts, build: build, body: body, namespace: namespace + "."}
	byModule := map[string]*Stubs{}
	texts := map[string]*strings.Builder{}
	for _, name := range facts.cmdletsOn(build) {
		c := facts.Cmdlets[name]
		if byModule[c.Module] == nil {
			byModule[c.Module], texts[c.Module] = &Stubs{Module: c.Module}, &strings.Builder{}
		}
		byModule[c.Module].Functions = append(byModule[c.Module].Functions, name)
		stubs.writeFunction(texts[c.Module], name)
	}
	var out []Stubs
	for _, module := range slices.Sorted(maps.Keys(byModule)) {
		byModule[module].Text = texts[module].String()
		out = append(out, *byModule[module])
	}
	return out, nil
}

// StubType is a type that only Windows has.
type StubType struct {
	Name string
	// Values are an enumeration's; nil for a class.
	Values []string
	// Base is the class that a class derives from, which stands before it; empty for none.
	Base       string
	Properties []string
}

// StubTypes lists the types that parameters of stubs have and the classes that cmdlets return. Parameters that take a text for
// an object of Windows take any object.
func StubTypes() []StubType {
	facts := loaded()
	var out []StubType
	for _, name := range slices.Sorted(maps.Keys(facts.Enums)) {
		out = append(out, StubType{Name: name, Values: slices.Clone(facts.Enums[name])})
	}
	for _, name := range facts.standIns() {
		t := StubType{Name: name, Base: facts.Classes[name]["(base)"]}
		for _, property := range slices.Sorted(maps.Keys(facts.Classes[name])) {
			if property != "(base)" {
				t.Properties = append(t.Properties, property)
			}
		}
		out = append(out, t)
	}
	return out
}

// cmdletsOn lists the cmdlets that a host of the build has.
func (f Facts) cmdletsOn(build int) []string {
	var out []string
	for name, c := range f.Cmdlets {
		if c.Module != "" && onBuild(build, c.Docsets, c.since) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// PowerShell's names of the .NET types that parameters and properties have here as on Windows.
var typeLiterals = map[string]string{
	"Boolean": "bool", "Byte": "byte", "Char": "char", "DateTime": "datetime", "Guid": "guid", "Hashtable": "hashtable", "IDictionary": "Collections.IDictionary", "Int16": "int16", "Int32": "int",
	"Int64": "long", "Nullable[[System.DateTime]]": "nullable[datetime]", "Object": "object", "PSCredential": "pscredential", "PSObject": "psobject",
	"PSSession": "Management.Automation.Runspaces.PSSession", "SecureString": "securestring", "String": "string",
	"StringCollection": "Collections.Specialized.StringCollection", "SwitchParameter": "switch", "TimeSpan": "timespan",
	"UInt16": "uint16", "UInt32": "uint32", "UInt64": "uint64", "Uri": "uri", "Version": "version",
}

// standIns lists the classes that parameters have and calls return, base classes before those that derive from them.
func (f Facts) standIns() []string {
	wanted := map[string]bool{}
	for _, c := range f.Cmdlets {
		if class := c.class(); f.Classes[class] != nil {
			wanted[class] = true
		}
		for _, p := range c.Parameters {
			if f.isClass(p) {
				wanted[p.Element()] = true
			}
		}
	}
	for class := range wanted {
		if base := f.Classes[class]["(base)"]; base != "" {
			wanted[base] = true
		}
	}
	return slices.SortedFunc(maps.Keys(wanted), func(a, b string) int {
		return cmp.Or(f.depth(a)-f.depth(b), strings.Compare(a, b))
	})
}

// depth counts a class's base classes.
func (f Facts) depth(class string) int {
	depth := 0
	for class = f.Classes[class]["(base)"]; class != ""; class = f.Classes[class]["(base)"] {
		depth++
	}
	return depth
}

// isClass reports whether the parameter's type is one that only Windows has.
func (f Facts) isClass(p Parameter) bool {
	_, isEnum := f.Enums[p.Element()]
	return !isEnum && typeLiterals[p.Element()] == "" && len(p.Values) == 0
}

func (f Facts) writeClass(text *strings.Builder, name string) {
	if form, ok := formsOfNamed[name]; ok {
		fmt.Fprintf(text, "class %s {\n    [string] $Text\n    %s() { }\n    %s([string] $from) { if ($from -cnotmatch %s) { throw 'no %s' }; $this.Text = $from }\n"+
			"    [string] ToString() { return $this.Text }\n}\n", name, name, name, quote(form.String()), name)
		return
	}
	fmt.Fprintf(text, "class %s ", name)
	if base := f.Classes[name]["(base)"]; base != "" {
		fmt.Fprintf(text, ": %s ", base)
	}
	text.WriteString("{")
	for _, property := range slices.Sorted(maps.Keys(f.Classes[name])) {
		if property == "(base)" {
			continue
		}
		of := f.Classes[name][property]
		literal := typeLiterals[strings.TrimSuffix(of, "[]")]
		switch {
		case literal == "":
			literal = "object"
		case strings.HasSuffix(of, "[]"):
			literal += "[]"
		}
		fmt.Fprintf(text, " [%s] $%s;", literal, property)
	}
	text.WriteString(" }\n")
}

// stubWriter writes functions for one build, all with the same body. The stand-ins of Windows' own types have names
// that begin with the namespace.
type stubWriter struct {
	Facts
	build           int
	body, namespace string
}

func (s stubWriter) writeFunction(text *strings.Builder, name string) {
	c := s.Cmdlets[name]
	fmt.Fprintf(text, "function %s {\n    [CmdletBinding(DefaultParameterSetName = %s", name, quote(c.DefaultSet))
	if c.ShouldProcess {
		text.WriteString(", SupportsShouldProcess = $true")
	}
	text.WriteString(")]\n")
	if class := c.class(); s.Classes[class] != nil {
		fmt.Fprintf(text, "    [OutputType([%s%s])]\n", s.namespace, class)
	}
	var parameters []string
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		if p := c.Parameters[name]; onBuild(s.build, p.Docsets, p.since) {
			parameters = append(parameters, s.parameterText(name, p, c))
		}
	}
	fmt.Fprintf(text, "    param(\n%s\n    )\n    %s\n}\n", strings.Join(parameters, ",\n"), strings.TrimSpace(s.body))
}

func (s stubWriter) parameterText(name string, p Parameter, c Cmdlet) string {
	var text strings.Builder
	for _, set := range slices.Sorted(maps.Keys(c.Sets)) {
		if slices.Contains(c.Sets[set], name) {
			fmt.Fprintf(&text, "        [Parameter(%s)]\n", strings.Join(parameterArguments(p, set), ", "))
		}
	}
	if len(p.Aliases) > 0 {
		fmt.Fprintf(&text, "        [Alias(%s)]\n", quoteAll(p.Aliases))
	}
	_, isEnum := s.Enums[p.Element()]
	if len(p.Values) > 0 && !isEnum {
		fmt.Fprintf(&text, "        [ValidateSet(%s)]\n", quoteAll(p.Values))
	}
	fmt.Fprintf(&text, "        [%s] $%s", s.literal(p), name)
	return text.String()
}

func parameterArguments(p Parameter, set string) []string {
	var out []string
	if set != allSets {
		out = append(out, "ParameterSetName = "+quote(set))
	}
	if p.requiredIn(set) {
		out = append(out, "Mandatory = $true")
	}
	if p.Position != nil {
		out = append(out, fmt.Sprintf("Position = %d", *p.Position))
	}
	for _, how := range p.Pipeline {
		switch how {
		case "ByValue":
			out = append(out, "ValueFromPipeline = $true")
		case "ByPropertyName":
			out = append(out, "ValueFromPipelineByPropertyName = $true")
		}
	}
	return out
}

func (s stubWriter) literal(p Parameter) string {
	literal := typeLiterals[p.Element()]
	_, isEnum := s.Enums[p.Element()]
	switch {
	case s.namespace != "" && formsOfNamed[p.Element()] != nil:
		literal = "object"
	case literal == "" && (isEnum || s.isClass(p)):
		literal = s.namespace + p.Element()
	case literal == "": // an enumeration known by its accepted values alone
		literal = "string"
	}
	return literal + strings.TrimPrefix(p.Type, p.Element())
}

// PowerShell ends a single-quoted string at any of these, and reads two of them as one.
var singleQuotes = regexp.MustCompile(`['\x{2018}\x{2019}\x{201A}\x{201B}]`)

// quote writes a text as a single-quoted PowerShell string, in which nothing else has a meaning.
func quote(text string) string {
	return "'" + singleQuotes.ReplaceAllString(text, "$0$0") + "'"
}

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return strings.Join(quoted, ", ")
}
