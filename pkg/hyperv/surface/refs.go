package surface

import (
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// checkRefs holds every Ref in a value against what the call that it names returns: its class by the call's id.
func checkRefs(p Parameter, v hostagent.Value, returned map[string]string) error {
	switch v := v.(type) {
	case hostagent.List:
		for _, element := range v {
			if err := checkRefs(p, element, returned); err != nil {
				return err
			}
		}
	case hostagent.Ref:
		return checkRef(p.Element(), v, returned[v.Call])
	}
	return nil
}

func checkRef(want string, ref hostagent.Ref, class string) error {
	facts := loaded()
	if class == "" {
		return problemf(Unconvertible, "refers to call %s, which returns no objects of a known class", ref.Call)
	}
	if ref.Property == "" {
		if want == "PSObject" || facts.derives(class, want) {
			return nil
		}
		return problemf(Unconvertible, "takes %s; call %s returns %s", want, ref.Call, class)
	}
	is := class
	for name := range strings.SplitSeq(ref.Property, ".") {
		if is = strings.TrimSuffix(facts.property(is, name), "[]"); is == "" {
			return problemf(Unconvertible, "%s has no property %s whose type is known", class, ref.Property)
		}
	}
	if want != "PSObject" && !facts.derives(is, want) {
		return problemf(Unconvertible, "takes %s; %s of call %s is %s", want, ref.Property, ref.Call, is)
	}
	return nil
}

// returns is the class of the objects that the call gives, "" when it gives none or the class is not known.
func (b Bound) returns() string {
	c := loaded().Cmdlets[b.Cmdlet]
	if b.Values["AsJob"] == hostagent.Bool(true) {
		return ""
	}
	passThru := slices.ContainsFunc([]string{"Passthru", "PassThru"}, func(name string) bool {
		_, has := c.Parameters[name]
		return has && b.Values[name] != hostagent.Bool(true)
	})
	if passThru {
		return ""
	}
	return c.class()
}
