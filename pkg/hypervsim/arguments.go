package hypervsim

import (
	"slices"
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// argument gives a parameter's value with live objects in the place of Refs. Refs in a list are replaced by all that
// they stand for.
func argument(name string, v hostagent.Value, live map[string][]object) (any, error) {
	switch v := v.(type) {
	case hostagent.Text:
		return string(v), nil
	case hostagent.Bool:
		return bool(v), nil
	case hostagent.Int:
		return int64(v), nil
	case hostagent.Ref:
		return single(name, dereference(v, live))
	case hostagent.List:
		return listArgument(name, v, live)
	default:
		return v, nil // a secret, a credential or a batch
	}
}

func listArgument(name string, v hostagent.List, live map[string][]object) (any, error) {
	out := []any{}
	for _, e := range v {
		if ref, ok := e.(hostagent.Ref); ok {
			out = append(out, dereference(ref, live)...)
			continue
		}
		arg, err := argument(name, e, live)
		if err != nil {
			return nil, err
		}
		out = append(out, arg)
	}
	if len(out) == 0 {
		return nil, emptyArgument(name)
	}
	return out, nil
}

func dereference(ref hostagent.Ref, live map[string][]object) []any {
	var out []any
	for _, o := range live[ref.Call] {
		if ref.Property == "" {
			out = append(out, o)
			continue
		}
		out = append(out, at(o, strings.Split(ref.Property, ".")))
	}
	return out
}

func single(name string, values []any) (any, error) {
	switch len(values) {
	case 0:
		return nil, emptyArgument(name)
	case 1:
		return values[0], nil
	default:
		return values, nil
	}
}

func (c *call) has(name string) bool {
	_, ok := c.args[strings.ToLower(name)]
	return ok
}

// text gives a parameter as text; one that is not given is empty.
func (c *call) text(name string) string { return asText(c.args[strings.ToLower(name)]) }

func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	case object:
		return v.String()
	case []any:
		if len(v) == 1 {
			return asText(v[0])
		}
	}
	return ""
}

// texts gives a parameter as a list of texts; a single value is a list of one.
func (c *call) texts(name string) []string {
	var out []string
	for _, v := range c.all(name) {
		out = append(out, asText(v))
	}
	return out
}

func (c *call) all(name string) []any {
	switch v := c.args[strings.ToLower(name)].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// integer gives a parameter as a number, or a default when it is not given.
func (c *call) integer(name string, otherwise int64) int64 {
	switch v := c.args[strings.ToLower(name)].(type) {
	case int64:
		return v
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n
		}
	}
	return otherwise
}

// flag gives a switch or Boolean parameter; one that is not given is false.
func (c *call) flag(name string) bool {
	b, ok := c.args[strings.ToLower(name)].(bool)
	return ok && b
}

// given collects the live objects of one class that a parameter was given.
func given[T any](c *call, name string) []T {
	var out []T
	for _, v := range c.all(name) {
		if o, ok := v.(view[T]); ok {
			out = append(out, o.of)
		}
	}
	return out
}

// machinesGiven are the machines that the parameter VM was given, or that VMName names, which is Name where the cmdlet is
// about machines alone. One that is not on this host any more is reported and left out.
func (c *call) machinesGiven() []*machine {
	_, noun, _ := strings.Cut(c.cmdlet, "-")
	switch {
	case c.has("VM"):
	case strings.EqualFold(noun, "VM"):
		return c.machinesNamed(c.texts("Name"))
	default:
		return c.machinesNamed(c.texts("VMName"))
	}
	return slices.DeleteFunc(given[*machine](c, "VM"), func(m *machine) bool {
		if m.host == c.host && !m.removed {
			return false
		}
		c.report(c.noMachine(m.name))
		return true
	})
}

func (c *call) machinesNamed(names []string) []*machine {
	var out []*machine
	for _, name := range names {
		found := c.w.machinesOn(c.host, func(m *machine) bool { return matchesName(name, m.name) })
		if len(found) == 0 && !strings.ContainsAny(name, "*?[") {
			c.report(c.noMachine(name))
		}
		out = append(out, found...)
	}
	return out
}

// matchesName compares as PowerShell's wildcards do, of which only the star is known here.
func matchesName(pattern, name string) bool {
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}
