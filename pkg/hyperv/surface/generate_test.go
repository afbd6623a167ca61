package surface_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

// A generated case: a batch whose last call is right, or wrong in the one way that its label names. The calls before it
// return what it refers to.
type generated struct {
	label string
	build int
	batch hostagent.Batch
}

// stricter lists the ways of being wrong in our eyes that PowerShell forgives: the law leaves us free there.
var stricter = []string{
	"abbreviated name", "alias", "name in other case", "text for a number", "number for a text", "number for a switch",
	"enum prefix", "enum in other case", "common parameter", "scalar list", "cmdlet in other case", "guid without dashes",
}

// generator makes calls from the facts alone; the same seed makes the same calls.
type generator struct {
	*rand.Rand
	names []string
	calls []hostagent.Call
}

func newGenerator(seed uint64) *generator {
	return &generator{
		Rand:  rand.New(rand.NewPCG(seed, seed)),
		names: append(slices.Sorted(maps.Keys(kinds())), guestBatch),
	}
}

func (g *generator) cases(n int) []generated {
	labels := slices.Sorted(maps.Keys(mutations))
	var out []generated
	for len(out) < n {
		label := "right"
		if g.IntN(3) > 0 {
			label = labels[g.IntN(len(labels))]
		}
		// Few cmdlets can be wrong in some of the ways: chance gets several tries.
		for range 50 {
			if made, ok := g.one(label); ok {
				out = append(out, made)
				break
			}
		}
	}
	return out
}

// one makes a case, unless the cmdlet that chance chose cannot be wrong in that way.
func (g *generator) one(label string) (generated, bool) {
	name := g.names[g.IntN(len(g.names))]
	c := surface.Loaded().Cmdlets[name]
	build := surface.Builds[g.IntN(len(surface.Builds))]
	set, ok := g.set(c)
	if !ok || !c.OnBuild(build) {
		return generated{}, false
	}
	g.calls = nil
	call := hostagent.Call{ID: "tested", Cmdlet: name, Parameters: hostagent.Parameters{}}
	for _, name := range c.Sets[set] {
		p := c.Parameters[name]
		if !p.OnBuild(build) || !p.NeededIn(set) && g.IntN(4) > 0 {
			continue
		}
		v, ok := g.value(p)
		if !ok {
			continue
		}
		call.Parameters[name] = v
	}
	if mutate := mutations[label]; mutate != nil {
		// Of two things that are wrong, PowerShell minds another one first: what decides for no set is not spoiled further.
		if _, err := surface.Bind(call, build); err != nil || !mutate(g, c, build, &call) {
			return generated{}, false
		}
	}
	batch := hostagent.Batch{OnError: hostagent.Continue, Calls: append(g.calls, call)}
	return generated{label: label, build: build, batch: batch}, true
}

// set chooses a parameter set whose mandatory parameters are all of types that we send.
func (g *generator) set(c surface.Cmdlet) (string, bool) {
	sets := slices.Sorted(maps.Keys(c.Sets))
	set := sets[g.IntN(len(sets))]
	for _, name := range c.Sets[set] {
		if p := c.Parameters[name]; p.NeededIn(set) {
			if _, ok := g.value(p); !ok {
				return "", false
			}
		}
	}
	return set, true
}

func (g *generator) value(p surface.Parameter) (hostagent.Value, bool) {
	if !p.IsList() {
		return g.element(p)
	}
	if g.IntN(5) == 0 {
		return g.element(p)
	}
	var list hostagent.List
	for range 1 + g.IntN(3) {
		v, ok := g.element(p)
		if !ok {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}

var spans = map[string][2]int64{
	"Byte": {0, math.MaxUint8}, "UInt16": {0, math.MaxUint16},
	"Int16": {math.MinInt16, math.MaxInt16}, "Int32": {math.MinInt32, math.MaxInt32}, "Int64": {math.MinInt64, math.MaxInt64},
	"UInt32": {0, math.MaxUint32}, "UInt64": {0, math.MaxInt64},
}

func (g *generator) element(p surface.Parameter) (hostagent.Value, bool) {
	element := p.Element()
	if span, ok := spans[element]; ok {
		return g.number(p, span), true
	}
	values := p.Values
	if enum := surface.Loaded().Enums[element]; len(values) == 0 {
		values = enum
	}
	if len(values) > 0 && (element == "String" || surface.Loaded().Enums[element] != nil) {
		return hostagent.Text(values[g.IntN(len(values))]), true
	}
	switch element {
	case "String", "StringCollection":
		if element == "String" && g.IntN(6) == 0 {
			return hostagent.Ref{Call: g.producer("VirtualMachine"), Property: "Name"}, true
		}
		return hostagent.Text(g.text()), true
	case "Guid":
		if g.IntN(3) == 0 {
			return hostagent.Ref{Call: g.producer("VirtualMachine"), Property: "Id"}, true
		}
		return hostagent.Text(fmt.Sprintf("%08x-%04X-4000-8000-%012x", g.Uint32(), g.IntN(1<<16), g.Uint64()>>16)), true
	case "Version":
		return hostagent.Text(fmt.Sprintf("%d.%d", g.IntN(12), g.IntN(3))), true
	case "Boolean", "SwitchParameter":
		return hostagent.Bool(g.IntN(4) > 0), true
	case "ADComputer", "ADObject", "Feature", "LocalGroup", "LocalPrincipal":
		return hostagent.Text(g.text()), true
	case "SecurityIdentifier":
		return hostagent.Text(fmt.Sprintf("S-1-5-21-%d-%d", g.Uint32(), g.IntN(10000))), true
	case "SecureString":
		return hostagent.NewSecret("p"), true
	case "Hashtable":
		return hostagent.Nested{Batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: "Get-Disk"}}}}, p.TakesBatch()
	case "PSCredential":
		return hostagent.Credential{User: g.text(), Password: hostagent.NewSecret("p")}, true
	case "PSObject":
		return []hostagent.Value{
			hostagent.Text(g.text()), hostagent.Int(g.Int64()), hostagent.Bool(true), hostagent.Ref{Call: g.producer("ClusterResource")},
		}[g.IntN(4)], true
	}
	if producers[element].Cmdlet == "" {
		return nil, false
	}
	return hostagent.Ref{Call: g.producer(element)}, true
}

func (g *generator) number(p surface.Parameter, span [2]int64) hostagent.Value {
	if len(p.Values) > 0 {
		n, err := strconv.ParseInt(p.Values[g.IntN(len(p.Values))], 10, 64)
		if err != nil {
			panic(err) // the facts list something else than numbers for a number
		}
		return hostagent.Int(n)
	}
	switch g.IntN(6) {
	case 0:
		return hostagent.Int(span[0])
	case 1:
		return hostagent.Int(span[1])
	default:
		return hostagent.Int(g.Int64N(min(10000, span[1])))
	}
}

// alphabet is what is hard to quote or to carry.
var alphabet = []rune("abzÄ 0-$`'‘’‚‛\"“”„{}()[]|;&#@,%\\/:*?\n\r\t\u2028\u00a0\ufeff\U0001F4BE<>=~!^+._")

func (g *generator) text() string {
	text := []rune{}
	for range 1 + g.IntN(8) {
		text = append(text, alphabet[g.IntN(len(alphabet))])
	}
	return string(text)
}

// The calls that return objects of a class.
var producers = map[string]hostagent.Call{
	"VirtualMachine":       {Cmdlet: "Get-VM"},
	"VMSwitch":             {Cmdlet: "Get-VMSwitch"},
	"VMNetworkAdapter":     {Cmdlet: "Get-VMNetworkAdapter", Parameters: hostagent.Parameters{"VMName": hostagent.Text("a")}},
	"VMNetworkAdapterBase": {Cmdlet: "Get-VMNetworkAdapter", Parameters: hostagent.Parameters{"VMName": hostagent.Text("a")}},
	"HardDiskDrive":        {Cmdlet: "Get-VMHardDiskDrive", Parameters: hostagent.Parameters{"VMName": hostagent.Text("a")}},
	"ClusterResource":      {Cmdlet: "Get-ClusterResource"},
}

func (g *generator) producer(class string) string {
	call := producers[class]
	call.ID = fmt.Sprintf("from%d", len(g.calls))
	g.calls = append(g.calls, call)
	return call.ID
}

// given chooses one of the call's parameters that the test accepts.
func (g *generator) given(c surface.Cmdlet, call *hostagent.Call, test func(surface.Parameter, hostagent.Value) bool) (string, bool) {
	var fit []string
	for _, name := range slices.Sorted(maps.Keys(call.Parameters)) {
		if test(c.Parameters[name], call.Parameters[name]) {
			fit = append(fit, name)
		}
	}
	if len(fit) == 0 {
		return "", false
	}
	return fit[g.IntN(len(fit))], true
}

func (g *generator) replace(c surface.Cmdlet, call *hostagent.Call, with hostagent.Value, elements ...string) bool {
	name, ok := g.given(c, call, func(p surface.Parameter, _ hostagent.Value) bool { return slices.Contains(elements, p.Element()) })
	if ok {
		call.Parameters[name] = with
	}
	return ok
}

func (g *generator) rename(call *hostagent.Call, from, to string) bool {
	v, ok := call.Parameters[from]
	if !ok || from == to {
		return false
	}
	delete(call.Parameters, from)
	call.Parameters[to] = v
	return true
}

func anyParameter(surface.Parameter, hostagent.Value) bool { return true }

type mutation func(g *generator, c surface.Cmdlet, build int, call *hostagent.Call) bool

// mutations make a right call wrong; one that finds nothing to spoil returns false.
var mutations = map[string]mutation{
	"unknown cmdlet": func(g *generator, _ surface.Cmdlet, _ int, call *hostagent.Call) bool {
		call.Cmdlet += "Set"
		return true
	},
	"unknown parameter": func(_ *generator, _ surface.Cmdlet, _ int, call *hostagent.Call) bool {
		call.Parameters["Colour"] = hostagent.Text("red")
		return true
	},
	"abbreviated name": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		name, ok := g.given(c, call, anyParameter)
		return ok && len(name) > 3 && g.rename(call, name, name[:len(name)-1])
	},
	"alias": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		name, ok := g.given(c, call, func(p surface.Parameter, _ hostagent.Value) bool { return len(p.Aliases) > 0 })
		return ok && g.rename(call, name, c.Parameters[name].Aliases[0])
	},
	"name in other case": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		name, ok := g.given(c, call, anyParameter)
		return ok && g.rename(call, name, strings.ToLower(name))
	},
	"cmdlet in other case": func(_ *generator, _ surface.Cmdlet, _ int, call *hostagent.Call) bool {
		call.Cmdlet = strings.ToLower(call.Cmdlet)
		return true
	},
	"mandatory left out": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		name, ok := g.given(c, call, func(p surface.Parameter, _ hostagent.Value) bool { return p.Mandatory() })
		delete(call.Parameters, name)
		return ok
	},
	"of another set": func(g *generator, c surface.Cmdlet, build int, call *hostagent.Call) bool {
		names := slices.Sorted(maps.Keys(c.Parameters))
		name := names[g.IntN(len(names))]
		p := c.Parameters[name]
		if _, has := call.Parameters[name]; has || !p.OnBuild(build) {
			return false
		}
		v, ok := g.value(p)
		call.Parameters[name] = v
		return ok
	},
	"of no common set": func(g *generator, c surface.Cmdlet, build int, call *hostagent.Call) bool {
		names := slices.Sorted(maps.Keys(c.Parameters))
		name := names[g.IntN(len(names))]
		common := slices.ContainsFunc(slices.Collect(maps.Values(c.Sets)), func(set []string) bool {
			given := slices.Collect(maps.Keys(call.Parameters))
			return slices.Contains(set, name) && !slices.ContainsFunc(given, func(n string) bool { return !slices.Contains(set, n) })
		})
		v, ok := g.value(c.Parameters[name])
		if common || !ok || !c.Parameters[name].OnBuild(build) {
			return false
		}
		call.Parameters[name] = v
		return true
	},
	"newer than the host": func(g *generator, c surface.Cmdlet, build int, call *hostagent.Call) bool {
		for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
			p := c.Parameters[name]
			if p.OnBuild(build) || call.Parameters[name] != nil {
				continue
			}
			if v, ok := g.value(p); ok {
				call.Parameters[name] = v
				return true
			}
		}
		return false
	},
	"common parameter": func(g *generator, _ surface.Cmdlet, _ int, call *hostagent.Call) bool {
		call.Parameters[[]string{"Verbose", "Debug"}[g.IntN(2)]] = hostagent.Bool(false)
		return true
	},
	"text for a number": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text("2"), "Byte", "Int16", "Int32", "Int64", "UInt16", "UInt32", "UInt64")
	},
	"word for a number": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text("many"), "Byte", "Int16", "Int32", "Int64", "UInt16", "UInt32", "UInt64")
	},
	"number out of range": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Int(-1), "Byte", "UInt16", "UInt32", "UInt64") || g.replace(c, call, hostagent.Int(1<<40), "Int16", "Int32")
	},
	"number not accepted": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		name, ok := g.given(c, call, func(p surface.Parameter, _ hostagent.Value) bool {
			return len(p.Values) > 0 && strings.Contains(p.Type, "Int")
		})
		if ok {
			call.Parameters[name] = hostagent.Int(77)
		}
		return ok
	},
	"number for a text": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Int(5), "String")
	},
	"number for a switch": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Int(1), "SwitchParameter", "Boolean")
	},
	"text for a switch": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text("true"), "SwitchParameter", "Boolean")
	},
	"text for an object": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text("a"), slices.Sorted(maps.Keys(producers))...)
	},
	"object of another class": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Ref{Call: g.producer("ClusterResource")},
			"VirtualMachine", "VMSwitch", "VMNetworkAdapter", "VMNetworkAdapterBase", "HardDiskDrive", "Guid", "Int32", "Int64", "Version")
	},
	"property of another type": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Ref{Call: g.producer("VirtualMachine"), Property: "Name"}, "Guid", "VirtualMachine", "Int64")
	},
	"bad guid": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text("8f0f2e4c"), "Guid")
	},
	"guid without dashes": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text("8f0f2e4c5b1a4c0e9a530d2f1c7e6b42"), "Guid")
	},
	"bad SID": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text("S-1-5-administrators"), "SecurityIdentifier")
	},
	"a batch for something else": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Nested{Batch: hostagent.Batch{OnError: hostagent.Stop}}, "Guid", "Int32", "UInt32", "PSCredential")
	},
	"bad version": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text("9.x"), "Version")
	},
	"empty text": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.replace(c, call, hostagent.Text(""), "String")
	},
	"empty list": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		name, ok := g.given(c, call, func(p surface.Parameter, _ hostagent.Value) bool { return p.IsList() })
		if ok {
			call.Parameters[name] = hostagent.List{}
		}
		return ok
	},
	"scalar list": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		name, ok := g.given(c, call, func(p surface.Parameter, _ hostagent.Value) bool { return !p.IsList() && p.Element() != "PSObject" })
		if ok {
			call.Parameters[name] = hostagent.List{call.Parameters[name]}
		}
		return ok
	},
	"several for one": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		name, ok := g.given(c, call, func(p surface.Parameter, _ hostagent.Value) bool {
			// PowerShell joins several values of an enumeration to one.
			return !p.IsList() && p.Element() != "PSObject" && p.Element() != "String" && surface.Loaded().Enums[p.Element()] == nil
		})
		if ok {
			call.Parameters[name] = hostagent.List{call.Parameters[name], call.Parameters[name]}
		}
		return ok
	},
	"not an enum value": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.enum(c, call, func(string) string { return "Sideways" })
	},
	"enum prefix": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.enum(c, call, func(value string) string { return value[:len(value)-1] })
	},
	"enum in other case": func(g *generator, c surface.Cmdlet, _ int, call *hostagent.Call) bool {
		return g.enum(c, call, strings.ToLower)
	},
}

func (g *generator) enum(c surface.Cmdlet, call *hostagent.Call, spoil func(string) string) bool {
	name, ok := g.given(c, call, func(p surface.Parameter, v hostagent.Value) bool {
		_, isText := v.(hostagent.Text)
		return isText && surface.Loaded().Enums[p.Element()] != nil
	})
	if !ok {
		return false
	}
	was := string(call.Parameters[name].(hostagent.Text))
	call.Parameters[name] = hostagent.Text(spoil(was))
	return spoil(was) != was
}
