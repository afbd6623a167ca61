package surface

import (
	_ "embed" // the facts and their corrections
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv"
)

// Facts is the shape of facts.json.
type Facts struct {
	// Source says where the facts are from: repository, commit and date of Microsoft's documentation and of the
	// modules' reflection.
	Source  map[string]json.RawMessage `json:"source"`
	Cmdlets map[string]Cmdlet          `json:"cmdlets"`
	// Enums lists the names of each enumeration in the order of their numbers; where only pages tell them, of the alphabet.
	Enums map[string][]string `json:"enums"`
	// Classes lists each class's properties with their types; "(base)" names the class that it derives from.
	Classes map[string]map[string]string `json:"classes"`
}

// Cmdlet is what a cmdlet or named function looks like to a caller.
type Cmdlet struct {
	// Module is the PowerShell module; empty for a named function.
	Module string `json:"module"`
	// Inside says that only named functions run it: a batch may not.
	Inside bool `json:"inside,omitempty"`
	// DefaultSet is empty for a cmdlet with several sets of which none is the default.
	DefaultSet string `json:"defaultSet,omitempty"`
	// Sets lists the parameters of each parameter set.
	Sets       map[string][]string  `json:"parameterSets"`
	Parameters map[string]Parameter `json:"parameters"`
	Outputs    []string             `json:"outputs,omitempty"`
	// Docsets are the years of Windows Server whose documentation has the cmdlet; empty: all of them.
	Docsets []string `json:"docsets,omitempty"`
	// ShouldProcess says that the cmdlet has -WhatIf and -Confirm.
	ShouldProcess bool `json:"shouldProcess,omitempty"`

	since int
}

// Parameter is one parameter of a cmdlet.
type Parameter struct {
	// Type is a .NET type's short name, with [] for an array.
	Type    string   `json:"type"`
	Aliases []string `json:"aliases,omitempty"`
	// Required says that every parameter set with the parameter needs it; RequiredIn names those that do.
	Required   bool     `json:"required,omitempty"`
	RequiredIn []string `json:"requiredIn,omitempty"`
	Position   *int     `json:"position,omitempty"`
	Pipeline   []string `json:"pipeline,omitempty"`
	// Values are the accepted values.
	Values []string `json:"values,omitempty"`
	// Docsets are the years of Windows Server whose documentation has the parameter; empty: all that have the cmdlet.
	Docsets []string `json:"docsets,omitempty"`

	since int
	// takesBatch is whether a hash table is a batch: that of a named function is.
	takesBatch bool
}

// Element is the type's name without the brackets of an array.
func (p Parameter) Element() string { return strings.TrimSuffix(p.Type, "[]") }

// IsList reports whether the parameter takes several values.
func (p Parameter) IsList() bool {
	return strings.HasSuffix(p.Type, "[]") || p.Type == "StringCollection"
}

func (p Parameter) requiredIn(set string) bool {
	return p.Required || slices.Contains(p.RequiredIn, set)
}

func (p Parameter) mandatory() bool { return p.Required || len(p.RequiredIn) > 0 }

// The builds of Windows Server that facts are about, oldest first.
var builds = []int{hyperv.Build2012R2, hyperv.Build2016, hyperv.Build2019, hyperv.Build2022, hyperv.Build2025}

// Microsoft's pages are published for these versions; none is for 2012 R2.
var docsetBuilds = map[string]int{
	"2016": hyperv.Build2016, "2019": hyperv.Build2019, "2022": hyperv.Build2022, "2025": hyperv.Build2025,
}

// release is the newest of builds that is not newer than the host's: what a host of another build is held to. 0 when
// the host is older than all.
func release(build int) int {
	found := 0
	for _, known := range builds {
		if known <= build {
			found = known
		}
	}
	return found
}

// correction mends facts. It names parameters of cmdlets, of one cmdlet or of all of a module, or a class.
type correction struct {
	Module     string   `json:"module,omitempty"`
	Cmdlet     string   `json:"cmdlet,omitempty"`
	Parameters []string `json:"parameters,omitempty"`
	// Since is the first build that has the parameters, or the cmdlet when no parameter is named.
	Since int `json:"since,omitempty"`
	// Class gets a base class.
	Class  string `json:"class,omitempty"`
	Base   string `json:"base,omitempty"`
	Output string `json:"output,omitempty"`
	Reason string `json:"reason"`
}

//go:embed facts.json
var factsJSON []byte

//go:embed corrections.json
var correctionsJSON []byte

// The files are part of the program and its tests read them: one that does not load is a defect.
var loaded = sync.OnceValue(func() Facts {
	facts, err := load(factsJSON, correctionsJSON, session.Executor)
	if err != nil {
		panic(err)
	}
	return facts
})

func load(factsText, correctionsText []byte, executor string) (Facts, error) {
	var facts Facts
	if err := json.Unmarshal(factsText, &facts); err != nil {
		return facts, fmt.Errorf("facts.json: %w", err)
	}
	var corrections []correction
	if err := json.Unmarshal(correctionsText, &corrections); err != nil {
		return facts, fmt.Errorf("corrections.json: %w", err)
	}
	for i, c := range corrections {
		if err := facts.apply(c); err != nil {
			return facts, fmt.Errorf("corrections.json, entry %d: %w", i+1, err)
		}
	}
	functions, err := ParseFunctions(executor)
	if err != nil {
		return facts, fmt.Errorf("the executor: %w", err)
	}
	maps.Copy(facts.Cmdlets, functions)
	return facts, nil
}

// apply makes one correction. One that has nothing to correct any more is an error, so that none outlives its reason.
func (f *Facts) apply(c correction) error {
	if c.Reason == "" {
		return fmt.Errorf("it has no reason")
	}
	if c.Class != "" {
		if f.Classes[c.Class] == nil {
			return fmt.Errorf("there is no class %s", c.Class)
		}
		f.Classes[c.Class]["(base)"] = c.Base
		return nil
	}
	changed := false
	for name, cmdlet := range f.Cmdlets {
		if name == c.Cmdlet || c.Module != "" && cmdlet.Module == c.Module {
			changed = c.correct(&cmdlet) || changed
			f.Cmdlets[name] = cmdlet
		}
	}
	if !changed {
		return fmt.Errorf("nothing in facts.json is corrected by it")
	}
	return nil
}

func (c correction) correct(cmdlet *Cmdlet) bool {
	if c.Output != "" {
		cmdlet.Outputs = []string{c.Output}
		return true
	}
	if len(c.Parameters) == 0 {
		cmdlet.since = c.Since
		return true
	}
	changed := false
	for _, name := range c.Parameters {
		if parameter, ok := cmdlet.Parameters[name]; ok {
			parameter.since = c.Since
			cmdlet.Parameters[name] = parameter
			changed = true
		}
	}
	return changed
}

// onBuild reports whether a host of the build has what the docsets and a correction say.
func onBuild(build int, docsets []string, since int) bool {
	if build < since {
		return false
	}
	// What every docset has is taken to be in 2012 R2 as well, unless a correction says otherwise.
	if len(docsets) == 0 {
		return true
	}
	return slices.ContainsFunc(docsets, func(year string) bool { return docsetBuilds[year] == release(build) })
}

// class gives the short name of the class that the cmdlet returns, or "" when its page names none or several kinds.
func (c Cmdlet) class() string {
	if len(c.Outputs) == 0 {
		return ""
	}
	return c.Outputs[0][strings.LastIndex(c.Outputs[0], ".")+1:]
}

// property gives the type of a class's property, "" when it is not known.
func (f Facts) property(class, name string) string {
	for class != "" {
		if t, ok := f.Classes[class][name]; ok {
			return t
		}
		class = f.Classes[class]["(base)"]
	}
	return ""
}

// derives reports whether a class is another one or derives from it.
func (f Facts) derives(class, from string) bool {
	for class != "" {
		if class == from {
			return true
		}
		class = f.Classes[class]["(base)"]
	}
	return false
}
