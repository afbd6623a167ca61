// Command cmdletfacts copies the facts about the cmdlets that the operator calls, out of a description of Microsoft's
// published cmdlets, into pkg/hyperv/surface/facts.json. Run it from the project's root after a change of a table Kinds or a
// list Inside, in pkg/hyperv/cmdlet (hosts) or pkg/guest/cmdlet (guests):
//
//	go run ./hack/cmdletfacts [-from FILE]
//
// It takes the documented cmdlets, parameters, parameter sets and accepted values, and of the types the enumerations
// of parameters and the classes that calls return. Parameters that only the reflected module has are left out: they may
// be undocumented on purpose. So are -WhatIf and -Confirm, which belong to whoever runs the call. An enumeration that no
// reflected module has, as those of modules made from CDXML, has the values that the pages list.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	inguest "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

const (
	defaultFrom = "../shared/reference/powershell-cmdlets.json"
	to          = "pkg/hyperv/surface/facts.json"
)

func main() {
	from := flag.String("from", defaultFrom, "the description of the published cmdlets")
	flag.Parse()
	if err := run(*from, to, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cmdletfacts:", err)
		os.Exit(1)
	}
}

func run(from, to string, report io.Writer) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("the description of the published cmdlets is needed; name it with -from: %w", err)
	}
	var r reference
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reading %s: %w", from, err)
	}
	functions, err := surface.ParseFunctions(session.Executor)
	if err != nil {
		return fmt.Errorf("the executor: %w", err)
	}
	called := map[string]bool{}
	for _, kinds := range []map[string]cmdlet.Kind{cmdlet.Kinds, inguest.Kinds} {
		for name := range kinds {
			called[name] = true
		}
	}
	inside := slices.DeleteFunc(slices.Concat(cmdlet.Inside, inguest.Inside), func(name string) bool { return called[name] })
	facts, err := r.pick(slices.Sorted(maps.Keys(called)), inside, functions)
	if err != nil {
		return err
	}
	out, err := json.MarshalIndent(facts, "", " ")
	if err != nil {
		return fmt.Errorf("encoding the facts: %w", err)
	}
	if err := os.WriteFile(to, append(out, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the facts: %w", err)
	}
	fmt.Fprintf(report, "wrote %s\n", to)
	r.tell(report, facts)
	return nil
}

// reference is the description's own shape.
type reference struct {
	Source map[string]json.RawMessage `json:"source"`
	Types  map[string]struct {
		Enums   map[string]map[string]int64  `json:"enums"`
		Classes map[string]map[string]string `json:"classes"`
	} `json:"types"`
	Modules map[string]map[string]referenceCmdlet `json:"modules"`
}

type referenceCmdlet struct {
	surface.Cmdlet
	Parameters map[string]referenceParameter `json:"parameters"`
}

type referenceParameter struct {
	surface.Parameter
	From string `json:"from"`
}

// pick takes the facts of the named cmdlets, and of those that named functions run; those of named functions are in the
// executor.
func (r reference) pick(names, inside []string, functions map[string]surface.Cmdlet) (surface.Facts, error) {
	facts := surface.Facts{
		Source:  map[string]json.RawMessage{},
		Cmdlets: map[string]surface.Cmdlet{},
		Enums:   map[string][]string{},
		Classes: map[string]map[string]string{},
	}
	for _, of := range []string{"windows", "powershell", "reflection"} {
		facts.Source[of] = r.Source[of]
	}
	for _, name := range slices.Concat(names, inside) {
		if _, ok := functions[name]; ok {
			continue
		}
		module, found := r.find(name)
		if module == "" {
			return facts, fmt.Errorf("no facts about %s: it is no published cmdlet and no named function", name)
		}
		c := found.documented(module)
		c.Inside = slices.Contains(inside, name)
		facts.Cmdlets[name] = c
	}
	for _, c := range facts.Cmdlets {
		r.pickTypes(c, &facts)
	}
	return facts, nil
}

func (r reference) find(name string) (module string, c referenceCmdlet) {
	for _, module := range slices.Sorted(maps.Keys(r.Modules)) {
		if c, ok := r.Modules[module][name]; ok {
			return module, c
		}
	}
	return "", referenceCmdlet{}
}

// namespaces are what some pages write before the name of a type.
var namespaces = regexp.MustCompile(`^(?:[A-Za-z]+\.)+`)

// documented leaves out what only the reflected module has, and -WhatIf and -Confirm.
func (c referenceCmdlet) documented(module string) surface.Cmdlet {
	out := c.Cmdlet
	out.Module = module
	out.Parameters = map[string]surface.Parameter{}
	for name, parameter := range c.Parameters {
		switch {
		case name == "WhatIf" || name == "Confirm":
			out.ShouldProcess = true
		case parameter.From == "":
			parameter.Type = namespaces.ReplaceAllString(parameter.Type, "")
			out.Parameters[name] = parameter.Parameter
		}
	}
	out.Sets = map[string][]string{}
	for set, names := range c.Sets {
		out.Sets[set] = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			_, ok := out.Parameters[name]
			return !ok
		})
	}
	return out
}

var (
	typeName = regexp.MustCompile(`^[A-Za-z]+$`)
	// plain are the types of parameters with accepted values that are no enumerations.
	plain = regexp.MustCompile(`^(String|U?Int(16|32|64))$`)
)

// pickTypes takes the enumerations that the cmdlet's parameters have and the classes that it returns.
func (r reference) pickTypes(c surface.Cmdlet, facts *surface.Facts) {
	types := r.Types[c.Module]
	for _, parameter := range c.Parameters {
		name := parameter.Element()
		if values, ok := types.Enums[name]; ok {
			facts.Enums[name] = slices.SortedFunc(maps.Keys(values), func(a, b string) int { return int(values[a] - values[b]) })
		} else if len(parameter.Values) > 0 && typeName.MatchString(name) && !plain.MatchString(name) {
			facts.Enums[name] = slices.Compact(slices.Sorted(slices.Values(append(facts.Enums[name], parameter.Values...))))
		}
	}
	for _, output := range c.Outputs {
		name := output[strings.LastIndex(output, ".")+1:]
		if properties, ok := types.Classes[name]; ok {
			facts.Classes[name] = properties
		}
	}
}

// tell says what was taken and from which version of the documentation.
func (r reference) tell(w io.Writer, facts surface.Facts) {
	parameters := 0
	for _, c := range facts.Cmdlets {
		parameters += len(c.Parameters)
	}
	fmt.Fprintf(w, "%d cmdlets with %d parameters, %d enumerations, %d classes\n",
		len(facts.Cmdlets), parameters, len(facts.Enums), len(facts.Classes))
	for _, of := range []string{"windows", "powershell"} {
		var s struct{ Repo, Commit, Date, Docset, Version string }
		if err := json.Unmarshal(r.Source[of], &s); err == nil {
			fmt.Fprintf(w, "from %s %s%s, commit %s of %s\n", s.Repo, s.Docset, s.Version, s.Commit, s.Date)
		}
	}
	var reflected map[string]struct{ Repo, Commit, ReflectedOn string }
	if err := json.Unmarshal(r.Source["reflection"], &reflected); err == nil {
		for _, module := range slices.Sorted(maps.Keys(reflected)) {
			s := reflected[module]
			fmt.Fprintf(w, "types of %s from %s, commit %s, reflected on %s\n", module, s.Repo, s.Commit, s.ReflectedOn)
		}
	}
}
