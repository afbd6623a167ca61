package hypervsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// object is a live object that a call returned. Its properties are read when they are asked for, so that a later call
// sees what it has become.
type object interface {
	// property gives a property by its lower-case name: a string, an int64, a bool, a time.Time, a []any, an object, or nil for
	// one that is null or does not exist.
	property(name string) any
	// String is what PowerShell makes of the object as text.
	String() string
}

// properties is what is known of one class of objects: its properties by lower-case name.
type properties[T any] map[string]func(T) any

// view is an object of one class.
type view[T any] struct {
	of    T
	class properties[T]
	text  string
}

func (v view[T]) property(name string) any {
	if read, ok := v.class[name]; ok {
		return read(v.of)
	}
	return nil
}

func (v view[T]) String() string { return v.text }

func (v view[T]) identity() any { return v.of }

func (v view[T]) names() []string { return slices.Sorted(maps.Keys(v.class)) }

// record is an object that is nothing but its properties, by lower-case name, as a script's own objects are.
type record map[string]any

func (r record) property(name string) any { return r[name] }
func (r record) String() string           { return "" }

// cimInstance is a record that has a class.
type cimInstance struct{ record }

// table is a hash table: a value that stays an object in a result.
type table map[string]any

// at reads a dotted path. Lists on the way stay lists.
func at(v any, path []string) any {
	for i, name := range path {
		switch o := v.(type) {
		case object:
			v = o.property(strings.ToLower(name))
		case []any:
			out := make([]any, len(o))
			for j, e := range o {
				out[j] = at(e, path[i:])
			}
			return out
		default:
			return nil
		}
	}
	return v
}

// project gives the selected properties of live objects, in the form that a decoded result has.
func project(objects []object, selected []string) []hostagent.Object {
	if len(selected) == 0 {
		return nil
	}
	paths := make([][]string, len(selected))
	for i, s := range selected {
		paths[i] = strings.Split(s, ".")
	}
	out := make([]hostagent.Object, len(objects))
	for i, o := range objects {
		out[i] = make(hostagent.Object, len(selected))
		for j, s := range selected {
			out[i][s] = wire(at(o, paths[j]))
		}
	}
	return out
}

// wire gives a value as it is in a decoded result.
func wire(v any) any {
	switch v := v.(type) {
	case nil, bool, string:
		return v
	case int:
		return json.Number(strconv.Itoa(v))
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = wire(e)
		}
		return out
	case table:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = wire(e)
		}
		return out
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case fmt.Stringer:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// list makes a list property.
func list[T any](elements []T) []any {
	out := make([]any, len(elements))
	for i, e := range elements {
		out[i] = e
	}
	return out
}
