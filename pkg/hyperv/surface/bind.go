package surface

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// Bound is a call as the cmdlet receives it.
type Bound struct {
	Cmdlet       string
	ParameterSet string
	// Values are the given parameters by their own names. A parameter that takes several values has a List, also
	// where the call gave one value alone. A Ref stands for what it stood for in the call.
	Values hostagent.Parameters
}

// Bind holds one call against what a host of that Windows build has. A Ref is taken to be of the parameter's type:
// BindBatch knows what it refers to. An error is a *Refusal.
func Bind(call hostagent.Call, build int) (Bound, error) {
	c, err := find(call, build)
	if err != nil {
		return Bound{}, err
	}
	values := make(hostagent.Parameters, len(call.Parameters))
	for _, name := range slices.Sorted(maps.Keys(call.Parameters)) {
		parameter, err := c.parameter(call, name, build)
		if err != nil {
			return Bound{}, err
		}
		if values[name], err = parameter.convert(call.Parameters[name]); err != nil {
			return Bound{}, refuse(call, name, err)
		}
	}
	set, err := c.chooseSet(call, build)
	if err != nil {
		return Bound{}, err
	}
	return Bound{Cmdlet: call.Cmdlet, ParameterSet: set, Values: values}, nil
}

// BindBatch binds every call of a batch, and holds each Ref against what the call that it names returns.
// An error is a *Refusal, or says why the batch is none.
func BindBatch(batch hostagent.Batch, build int) ([]Bound, error) {
	if err := batch.Validate(); err != nil {
		return nil, err
	}
	bounds := make([]Bound, len(batch.Calls))
	returned := make(map[string]string, len(batch.Calls))
	for i, call := range batch.Calls {
		bound, err := Bind(call, build)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(bound.Values)) {
			parameter := loaded().Cmdlets[call.Cmdlet].Parameters[name]
			if err := checkRefs(parameter, bound.Values[name], returned); err != nil {
				return nil, refuse(call, name, err)
			}
		}
		bounds[i] = bound
		returned[call.ID] = bound.returns()
	}
	return bounds, nil
}

// problem is a refusal that does not know its call yet.
type problem struct {
	kind    Kind
	message string
}

func (p *problem) Error() string { return p.message }

func problemf(kind Kind, format string, args ...any) error {
	return &problem{kind: kind, message: fmt.Sprintf(format, args...)}
}

func refuse(call hostagent.Call, parameter string, err error) error {
	r := &Refusal{Kind: Unconvertible, Call: call.ID, Cmdlet: call.Cmdlet, Parameter: parameter, Message: err.Error()}
	if p, ok := errors.AsType[*problem](err); ok {
		r.Kind = p.kind
	}
	return r
}

func find(call hostagent.Call, build int) (Cmdlet, error) {
	if release(build) == 0 {
		return Cmdlet{}, refuse(call, "", problemf(TooOld, "Windows build %d is older than %d", build, builds[0]))
	}
	c, ok := loaded().Cmdlets[call.Cmdlet]
	if !ok || c.Inside {
		return Cmdlet{}, refuse(call, "", problemf(UnknownCmdlet, "the operator calls no such cmdlet"))
	}
	if !onBuild(build, c.Docsets, c.since) {
		return Cmdlet{}, refuse(call, "", problemf(TooOld, "Windows build %d does not have it", build))
	}
	return c, nil
}

func (c Cmdlet) parameter(call hostagent.Call, name string, build int) (Parameter, error) {
	parameter, ok := c.Parameters[name]
	if !ok {
		return Parameter{}, refuse(call, name, problemf(UnknownParameter, "there is no parameter of this name%s", c.hint(name)))
	}
	if !onBuild(build, parameter.Docsets, parameter.since) {
		return Parameter{}, refuse(call, name, problemf(TooOld, "Windows build %d does not have it", build))
	}
	return parameter, nil
}

// hint says what was probably meant by a parameter's name.
func (c Cmdlet) hint(name string) string {
	for _, known := range slices.Sorted(maps.Keys(c.Parameters)) {
		isAlias := slices.ContainsFunc(c.Parameters[known].Aliases, func(a string) bool { return strings.EqualFold(a, name) })
		if isAlias || strings.EqualFold(known, name) {
			return "; write " + known
		}
	}
	return ""
}

// chooseSet finds the parameter set that PowerShell would: of those that have every given parameter the default set,
// which is then held to its mandatory parameters, else the only one whose mandatory parameters are all given.
func (c Cmdlet) chooseSet(call hostagent.Call, build int) (string, error) {
	fit, met, missing := c.candidates(call, build)
	switch {
	case len(fit) == 0:
		given := strings.Join(slices.Sorted(maps.Keys(call.Parameters)), ", ")
		return "", refuse(call, "", problemf(Ambiguous, "no parameter set has %s together", given))
	case slices.Contains(met, c.DefaultSet):
		return c.DefaultSet, nil
	case slices.Contains(fit, c.DefaultSet), len(fit) == 1 && len(met) == 0:
		return "", refuse(call, "", problemf(Missing, "needs %s", missing))
	case len(met) == 1:
		return met[0], nil
	case len(met) == 0:
		return "", refuse(call, "", problemf(Ambiguous, "needs %s", missing))
	default:
		return "", refuse(call, "", problemf(Ambiguous, "the parameters fit the sets %s alike", strings.Join(met, ", ")))
	}
}

// candidates are the sets that fit the given parameters, those of them with all mandatory ones, and in words what would
// have to be given for the others.
func (c Cmdlet) candidates(call hostagent.Call, build int) (fit, met []string, missing string) {
	var alternatives []string
	for _, set := range slices.Sorted(maps.Keys(c.Sets)) {
		if !c.fits(set, call.Parameters) {
			continue
		}
		fit = append(fit, set)
		lacks := c.lacks(set, call.Parameters, build)
		if len(lacks) == 0 {
			met = append(met, set)
			continue
		}
		if words := strings.Join(lacks, " and "); !slices.Contains(alternatives, words) {
			alternatives = append(alternatives, words)
		}
	}
	return fit, met, strings.Join(alternatives, ", or ")
}

func (c Cmdlet) fits(set string, given hostagent.Parameters) bool {
	for name := range given {
		if !slices.Contains(c.Sets[set], name) {
			return false
		}
	}
	return true
}

func (c Cmdlet) lacks(set string, given hostagent.Parameters, build int) []string {
	var out []string
	for _, name := range c.Sets[set] {
		parameter := c.Parameters[name]
		if _, ok := given[name]; !ok && parameter.requiredIn(set) && onBuild(build, parameter.Docsets, parameter.since) {
			out = append(out, name)
		}
	}
	return out
}
