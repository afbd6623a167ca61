package hostagent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Value is what a parameter may hold: a closed sum of Text, Bool, Int, List, Secret, Credential, Ref and Nested.
//
// Its JSON form is fixed: plain JSON, or an object with one key that begins with "$":
// {"$secret": text}, {"$credential": {"user", "password"}}, {"$ref": call, "property": path}, {"$batch": batch}.
type Value interface{ isValue() }

// Parameters are a call's arguments by parameter name.
type Parameters map[string]Value

type (
	// Text is a string; enum values, GUIDs, versions and paths travel as text.
	Text string
	// Bool is a Boolean or the presence of a switch.
	Bool bool
	// Int is a whole number; sizes are in bytes.
	Int int64
	// List is a list of values.
	List []Value
)

// Secret is a text that no formatting, logging or ordinary JSON encoding shows. Only EncodeBatch writes it.
type Secret struct {
	text string
	// mark is shown in place of the text; empty is redacted.
	mark string
}

// Credential is a user name with its password.
type Credential struct {
	User     string
	Password Secret
}

// Ref stands for what an earlier call of the same batch returned: the live objects, or one property of each.
type Ref struct {
	Call     string
	Property string
}

// Nested is a batch inside a batch, for Invoke-GuestBatch alone.
type Nested struct{ Batch Batch }

func (Text) isValue()       {}
func (Bool) isValue()       {}
func (Int) isValue()        {}
func (List) isValue()       {}
func (Secret) isValue()     {}
func (Credential) isValue() {}
func (Ref) isValue()        {}
func (Nested) isValue()     {}

// NewSecret wraps a text as a secret.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal gives the secret's text; call it only where the text leaves for its destination.
func (s Secret) Reveal() string { return s.text }

const redacted = "[secret]"

// NewMark stands in a journal for a secret that is not kept there. It holds and shows the mark alone, which tells nobody
// what the secret was.
func NewMark(mark string) Secret { return Secret{text: mark, mark: mark} }

// String hides the text.
func (s Secret) String() string { return cmp.Or(s.mark, redacted) }

// Format hides the text from every formatting verb, also those that are wrong for a text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSON hides the text: a batch leaves for a host through EncodeBatch alone.
func (s Secret) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"$secret": s.String()})
}

func (s Secret) hidden() Secret { return NewMark(s.String()) }

// Texts makes a List of texts.
func Texts(texts ...string) List {
	l := make(List, len(texts))
	for i, t := range texts {
		l[i] = Text(t)
	}
	return l
}

// EncodeBatch writes the batch's wire form, secrets included.
func EncodeBatch(b Batch) ([]byte, error) {
	type wireCall struct {
		ID         string         `json:"id"`
		Cmdlet     string         `json:"cmdlet"`
		Parameters map[string]any `json:"parameters,omitempty"`
		Select     []string       `json:"select,omitempty"`
	}
	wire := struct {
		Target     Target     `json:"target,omitzero"`
		Logon      Logon      `json:"logon,omitempty"`
		Credential any        `json:"credential,omitempty"`
		OnError    OnError    `json:"onError"`
		Calls      []wireCall `json:"calls"`
	}{Target: b.Target, Logon: b.Logon, OnError: b.OnError, Calls: make([]wireCall, len(b.Calls))}
	if b.Credential != nil {
		wire.Credential = b.Credential.wire()
	}
	for i, c := range b.Calls {
		wire.Calls[i] = wireCall{ID: c.ID, Cmdlet: c.Cmdlet, Select: c.Select}
		if len(c.Parameters) > 0 {
			wire.Calls[i].Parameters = make(map[string]any, len(c.Parameters))
		}
		for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
			v, err := wireValue(c.Parameters[name])
			if err != nil {
				return nil, fmt.Errorf("call %s, parameter %s: %w", c.ID, name, err)
			}
			wire.Calls[i].Parameters[name] = v
		}
	}
	return json.Marshal(wire)
}

func wireValue(v Value) (any, error) {
	switch v := v.(type) {
	case Text:
		return string(v), nil
	case Bool:
		return bool(v), nil
	case Int:
		return int64(v), nil
	case List:
		return wireList(v)
	case Secret:
		return map[string]any{"$secret": v.text}, nil
	case Credential:
		return v.wire(), nil
	case Ref:
		m := map[string]any{"$ref": v.Call}
		if v.Property != "" {
			m["property"] = v.Property
		}
		return m, nil
	case Nested:
		raw, err := EncodeBatch(v.Batch)
		return map[string]any{"$batch": json.RawMessage(raw)}, err
	default:
		return nil, fmt.Errorf("%T is no parameter value", v)
	}
}

// Format hides the password also where fmt would follow a pointer to it, past the secret's own Format.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "{%s %s}", c.User, c.Password) }

func (c Credential) wire() any {
	return map[string]any{"$credential": map[string]string{"user": c.User, "password": c.Password.text}}
}

// MarshalJSON writes the wire form with the password hidden.
func (c Credential) MarshalJSON() ([]byte, error) { return json.Marshal(c.with(Secret.hidden).wire()) }

// UnmarshalJSON reads the wire form.
func (c *Credential) UnmarshalJSON(data []byte) error {
	v, err := DecodeValue(data)
	if err != nil {
		return err
	}
	read, ok := v.(Credential)
	if !ok {
		return fmt.Errorf("%T is no credential", v)
	}
	*c = read
	return nil
}

func (c Credential) with(replace func(Secret) Secret) Credential {
	return Credential{User: c.User, Password: replace(c.Password)}
}

func wireList(l List) (any, error) {
	out := make([]any, len(l))
	for i, e := range l {
		w, err := wireValue(e)
		if err != nil {
			return nil, err
		}
		out[i] = w
	}
	return out, nil
}

// MarshalJSON writes the parameters as the wire does, with secrets hidden: for journals and logs.
func (p Parameters) MarshalJSON() ([]byte, error) {
	out := make(map[string]any, len(p))
	for name, v := range p.ReplaceSecrets(Secret.hidden) {
		w, err := wireValue(v)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		out[name] = w
	}
	return json.Marshal(out)
}

// ReplaceSecrets gives a copy with another secret in the place of each: those of credentials, lists and nested batches, too.
func (p Parameters) ReplaceSecrets(replace func(Secret) Secret) Parameters {
	out := make(Parameters, len(p))
	for name, v := range p {
		out[name] = replaceSecrets(v, replace)
	}
	return out
}

func replaceSecrets(v Value, replace func(Secret) Secret) Value {
	switch v := v.(type) {
	case Secret:
		return replace(v)
	case Credential:
		return v.with(replace)
	case List:
		out := make(List, len(v))
		for i, e := range v {
			out[i] = replaceSecrets(e, replace)
		}
		return out
	case Nested:
		b := v.Batch
		b.Target.Credential, b.Credential = replaceIn(b.Target.Credential, replace), replaceIn(b.Credential, replace)
		b.Calls = slices.Clone(b.Calls)
		for i, c := range b.Calls {
			b.Calls[i].Parameters = c.Parameters.ReplaceSecrets(replace)
		}
		return Nested{Batch: b}
	default:
		return v
	}
}

func replaceIn(c *Credential, replace func(Secret) Secret) *Credential {
	if c == nil {
		return nil
	}
	replaced := c.with(replace)
	return &replaced
}

// UnmarshalJSON reads the wire form of parameters.
func (p *Parameters) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	out := make(Parameters, len(raw))
	for name, r := range raw {
		v, err := DecodeValue(r)
		if err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
		out[name] = v
	}
	*p = out
	return nil
}

// DecodeValue reads one parameter value from its wire form.
func DecodeValue(data []byte) (Value, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decoding value: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("decoding value: text after the value")
	}
	return fromWire(v)
}

func fromWire(v any) (Value, error) {
	switch v := v.(type) {
	case string:
		return Text(v), nil
	case bool:
		return Bool(v), nil
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return nil, fmt.Errorf("%s is no whole number of 64 bits", v)
		}
		return Int(n), nil
	case []any:
		out := make(List, len(v))
		for i, e := range v {
			w, err := fromWire(e)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			out[i] = w
		}
		return out, nil
	case map[string]any:
		return fromTagged(v)
	default:
		return nil, fmt.Errorf("null is no parameter value; leave the parameter out")
	}
}

func fromTagged(m map[string]any) (Value, error) {
	var tags []string
	for k := range m {
		if strings.HasPrefix(k, "$") {
			tags = append(tags, k)
		}
	}
	if len(tags) != 1 {
		return nil, fmt.Errorf("an object needs exactly one key that begins with $, has %d", len(tags))
	}
	switch tag := tags[0]; tag {
	case "$ref":
		return refFrom(m)
	case "$secret":
		if s, ok := m[tag].(string); ok && len(m) == 1 {
			return NewSecret(s), nil
		}
	case "$credential":
		return credentialFrom(m)
	case "$batch":
		return nestedFrom(m)
	default:
		return nil, fmt.Errorf("unknown tag %s", tag)
	}
	return nil, fmt.Errorf("%s has a wrong shape", tags[0])
}

func refFrom(m map[string]any) (Value, error) {
	call, ok := m["$ref"].(string)
	property := ""
	want := 1
	if p, has := m["property"]; has {
		var isText bool
		property, isText = p.(string)
		ok = ok && isText && property != ""
		want = 2
	}
	if !ok || call == "" || len(m) != want {
		return nil, fmt.Errorf("$ref has a wrong shape")
	}
	return Ref{Call: call, Property: property}, nil
}

func credentialFrom(m map[string]any) (Value, error) {
	c, ok := m["$credential"].(map[string]any)
	user, okUser := c["user"].(string)
	password, okPassword := c["password"].(string)
	if !ok || !okUser || !okPassword || len(m) != 1 || len(c) != 2 {
		return nil, fmt.Errorf("$credential has a wrong shape")
	}
	return Credential{User: user, Password: NewSecret(password)}, nil
}

func nestedFrom(m map[string]any) (Value, error) {
	raw, err := json.Marshal(m["$batch"])
	if err != nil {
		return nil, fmt.Errorf("$batch: %w", err)
	}
	var b Batch
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("$batch: %w", err)
	}
	return Nested{Batch: b}, nil
}
