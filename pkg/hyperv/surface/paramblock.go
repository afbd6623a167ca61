package surface

import (
	"fmt"
	"regexp"
	"strings"
)

// allSets is PowerShell's name of the only parameter set of a cmdlet that names none.
const allSets = "__AllParameterSets"

var (
	functionLine  = regexp.MustCompile(`^function ([A-Z][A-Za-z]+-[A-Z][A-Za-z]+) \{$`)
	parameterLine = regexp.MustCompile(`^        (\[Parameter\(Mandatory\)\] )?\[([A-Za-z.]+(?:\[\])?)\] \$([A-Z][A-Za-z]*)(,?)$`)
)

// The .NET types behind PowerShell's short names, as far as our functions use them.
var accelerators = map[string]string{
	"string": "String", "string[]": "String[]", "guid": "Guid", "long": "Int64", "int": "Int32", "bool": "Boolean",
	"switch": "SwitchParameter", "hashtable": "Hashtable", "securestring": "SecureString",
	"Management.Automation.PSCredential": "PSCredential",
}

// ParseFunctions reads the param blocks of the named functions, which keep to one form:
//
//	function Verb-Noun {
//	    [CmdletBinding()]
//	    param(
//	        [Parameter(Mandatory)] [string] $First,
//	        [switch] $Second
//	    )
//
// Anything else in a function whose name has a dash is an error that names the line.
func ParseFunctions(text string) (map[string]Cmdlet, error) {
	lines := strings.Split(text, "\n")
	functions := map[string]Cmdlet{}
	for i, line := range lines {
		if !strings.HasPrefix(line, "function ") || !strings.Contains(strings.Fields(line)[1], "-") {
			continue
		}
		m := functionLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("line %d: want `function Verb-Noun {`", i+1)
		}
		c, err := parseParameters(lines, i+1)
		if err != nil {
			return nil, fmt.Errorf("%s, %w", m[1], err)
		}
		functions[m[1]] = c
	}
	return functions, nil
}

func parseParameters(lines []string, at int) (Cmdlet, error) {
	c := Cmdlet{DefaultSet: allSets, Sets: map[string][]string{allSets: nil}, Parameters: map[string]Parameter{}}
	for _, want := range []string{"    [CmdletBinding()]", "    param("} {
		if at >= len(lines) || lines[at] != want {
			return c, fmt.Errorf("line %d: want `%s`", at+1, want)
		}
		at++
	}
	for more := true; more; at++ {
		if at >= len(lines) {
			return c, fmt.Errorf("line %d: the param block does not end", at)
		}
		m := parameterLine.FindStringSubmatch(lines[at])
		if m == nil || accelerators[m[2]] == "" {
			return c, fmt.Errorf("line %d: want `[Parameter(Mandatory)] [type] $Name,` with a known type", at+1)
		}
		if _, twice := c.Parameters[m[3]]; twice {
			return c, fmt.Errorf("line %d: %s is there twice", at+1, m[3])
		}
		c.Parameters[m[3]] = Parameter{Type: accelerators[m[2]], Required: m[1] != "", takesBatch: m[2] == "hashtable"}
		c.Sets[allSets] = append(c.Sets[allSets], m[3])
		more = m[4] != ""
	}
	if at >= len(lines) || lines[at] != "    )" {
		return c, fmt.Errorf("line %d: want `    )`", at+1)
	}
	return c, nil
}
