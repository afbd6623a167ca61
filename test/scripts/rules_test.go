package scripts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"guestclustering.io/operator/test/powershell"
)

// script is a text that runs on hosts, with what it may do beyond the rules: whole lines, as they stand.
type script struct {
	name, text string
	exempt     []string
	// longest is how many lines of code it may have; 0 is as many as it likes.
	longest int
}

// known is what scripts may use.
type known struct {
	// cmdlets are those that may be run, by lower-case name, with the lower-case names of their parameters.
	cmdlets map[string][]string
	// names are the types and static members that .NET Framework and PowerShell 5.1 have, as a script writes them.
	names map[string]bool
}

type violation struct {
	line int
	why  string
}

func (v violation) String() string { return fmt.Sprintf("line %d: %s", v.line, v.why) }

// commonParameters are those of every cmdlet, and of every cmdlet that changes something ("about_CommonParameters").
var commonParameters = []string{"erroraction", "errorvariable", "warningaction", "outvariable", "confirm", "whatif"}

// Each rule gives what a use of the language breaks, or nothing.
var rules = []func(powershell.Use, powershell.Inspection, known) string{
	commandIsAllowed, parametersExist, pathsAreLiteral, namelessRunsAreKnown, noCodeFromText, noProgram, namesAreListed, noForbiddenVariable,
}

// check gives what a script breaks, apart from the lines that are exempt, and the exemptions that it does not need.
func check(seen powershell.Inspection, s script, k known) []string {
	var broken []violation
	for _, use := range seen.Uses {
		for _, rule := range rules {
			if why := rule(use, seen, k); why != "" {
				broken = append(broken, violation{use.Line, why})
			}
		}
	}
	broken = append(broken, plainText(s.text)...)
	lines := strings.Split(s.text, "\n")
	used := map[string]bool{}
	var out []string
	for _, v := range broken {
		line := strings.TrimSpace(lines[v.line-1])
		if slices.Contains(s.exempt, line) {
			used[line] = true
			continue
		}
		out = append(out, v.String())
	}
	for _, line := range s.exempt {
		if strings.Count(s.text, line) != 1 || !used[line] {
			out = append(out, "this line, which breaks a rule and may, is not there once: "+line)
		}
	}
	out = append(out, seen.Problems...)
	if n := codeLines(s.text); s.longest > 0 && n > s.longest {
		out = append(out, fmt.Sprintf("it has %d lines of code, more than the %d that a reader was promised", n, s.longest))
	}
	return out
}

// refused says why some commands are refused, where that they are not on the list says too little.
var refused = map[string]string{
	"invoke-expression": "makes code of text", "iex": "makes code of text", "add-type": "compiles code",
	"new-object": "is of Microsoft.PowerShell.Utility; use [Type]::new()", "write-host": "writes where nobody reads",
}

func commandIsAllowed(u powershell.Use, seen powershell.Inspection, k known) string {
	name, _, _ := strings.Cut(u.Text, " ")
	switch {
	case u.Kind != "command" || slices.Contains(seen.Functions, name):
		return ""
	case refused[strings.ToLower(name)] != "":
		return name + " " + refused[strings.ToLower(name)]
	case k.cmdlets[strings.ToLower(name)] == nil:
		return name + " is not among the commands that may run: a cmdlet of the table by its whole name, or of Microsoft.PowerShell.Core"
	default:
		return ""
	}
}

func parametersExist(u powershell.Use, seen powershell.Inspection, k known) string {
	fields := strings.Fields(u.Text)
	if u.Kind != "command" || slices.Contains(seen.Functions, fields[0]) || k.cmdlets[strings.ToLower(fields[0])] == nil {
		return ""
	}
	for _, p := range fields[1:] {
		if lower := strings.ToLower(p); !slices.Contains(k.cmdlets[strings.ToLower(fields[0])], lower) && !slices.Contains(commonParameters, lower) {
			return fmt.Sprintf("%s has no parameter -%s", fields[0], p)
		}
	}
	return ""
}

// pathsAreLiteral keeps brackets in names from being patterns.
func pathsAreLiteral(u powershell.Use, _ powershell.Inspection, k known) string {
	fields := strings.Fields(strings.ToLower(u.Text))
	if u.Kind != "command" || !slices.Contains(k.cmdlets[fields[0]], "literalpath") || slices.Contains(fields, "literalpath") {
		return ""
	}
	return fields[0] + " takes -LiteralPath, and is run without"
}

// namelessRunsAreKnown lets a variable be run, and a block that stands there.
func namelessRunsAreKnown(u powershell.Use, _ powershell.Inspection, _ known) string {
	syntax, text, _ := strings.Cut(u.Text, " ")
	switch {
	case u.Kind == "Dot":
		return "runs " + text + " in its own scope"
	case u.Kind != "Ampersand" || syntax == "VariableExpressionAst" || syntax == "ScriptBlockExpressionAst":
		return ""
	default:
		return "runs " + text
	}
}

var (
	codeMakers = []string{"newscriptblock", "addscript", "invokescript", "expandstring", "invoke", "invokereturnasis", "invokewithcontext", "addstatement"}
	codeTypes  = regexp.MustCompile(`(?i)^\[(management\.automation\.)?scriptblock\]::|sessionstatefunctionentry\]::|assembly\]::`)
)

// noCodeFromText refuses every way from a text, or bytes, to code.
func noCodeFromText(u powershell.Use, _ powershell.Inspection, _ known) string {
	lower := strings.ToLower(u.Text)
	switch u.Kind {
	case "call", "static":
		if slices.Contains(codeMakers, lower) || codeTypes.MatchString(u.Text) {
			return u.Text + " can make code of data"
		}
	case "cast":
		if name, syntax, _ := strings.Cut(lower, " "); strings.HasSuffix(name, "scriptblock") && syntax != "scriptblockexpressionast" {
			return "a cast to scriptblock makes code of text"
		}
	case "variable":
		if strings.HasPrefix(lower, "function:") || strings.HasPrefix(lower, "alias:") {
			return "$" + u.Text + " makes code of text"
		}
	}
	return ""
}

func noProgram(u powershell.Use, _ powershell.Inspection, _ known) string {
	if u.Kind != "program" {
		return ""
	}
	return "names a program: " + u.Text
}

func namesAreListed(u powershell.Use, _ powershell.Inspection, k known) string {
	name := listedName(u)
	if name == "" {
		return ""
	}
	if k.names[strings.ToLower(name)] {
		return ""
	}
	return name + " is not in types.txt: look in Microsoft's documentation since when .NET Framework has it, and add it with the page"
}

// noForbiddenVariable refuses $input: it takes the standard input away from who reads it.
func noForbiddenVariable(u powershell.Use, _ powershell.Inspection, _ known) string {
	if u.Kind == "variable" && strings.EqualFold(u.Text, "input") {
		return "$input takes the standard input"
	}
	return ""
}

// plainText keeps to ASCII, which every encoding reads alike.
func plainText(text string) []violation {
	var found []violation
	for i, line := range strings.Split(text, "\n") {
		if strings.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' }) {
			found = append(found, violation{i + 1, "has a character that is no printable ASCII"})
		}
	}
	return found
}

// codeLines counts the lines that are neither empty nor comments.
func codeLines(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			n++
		}
	}
	return n
}
