package hostagent_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"guestclustering.io/operator/pkg/hostagent"
)

// secretsShow lets go-cmp look into secrets: the tests compare what they hold.
var secretsShow = cmp.AllowUnexported(hostagent.Secret{})

const password = "hunter2"

func TestWireForm(t *testing.T) {
	tests := map[string]struct {
		value hostagent.Value
		wire  string
	}{
		"text":               {hostagent.Text("a\n\"b\""), `"a\n\"b\""`},
		"true":               {hostagent.Bool(true), `true`},
		"a large number":     {hostagent.Int(9223372036854775807), `9223372036854775807`},
		"a list":             {hostagent.List{hostagent.Text("a"), hostagent.Int(1), hostagent.List{}}, `["a",1,[]]`},
		"a Ref":              {hostagent.Ref{Call: "vm"}, `{"$ref":"vm"}`},
		"a Ref's property":   {hostagent.Ref{Call: "vm", Property: "Id"}, `{"$ref":"vm","property":"Id"}`},
		"a secret":           {hostagent.NewSecret(password), `{"$secret":"hunter2"}`},
		"a credential":       {hostagent.Credential{User: "u", Password: hostagent.NewSecret(password)}, `{"$credential":{"password":"hunter2","user":"u"}}`},
		"a batch in a batch": {hostagent.Nested{Batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: "Get-Item"}}}}, `{"$batch":{"onError":"Stop","calls":[{"id":"a","cmdlet":"Get-Item"}]}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			batch := hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: "Get-Item", Parameters: hostagent.Parameters{"P": test.value}}}}
			wire, err := hostagent.EncodeBatch(batch)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"onError":"Stop","calls":[{"id":"a","cmdlet":"Get-Item","parameters":{"P":` + test.wire + `}}]}`
			if diff := cmp.Diff(want, string(wire)); diff != "" {
				t.Errorf("written (-want +got)\n%s", diff)
			}
			got, err := hostagent.DecodeValue([]byte(test.wire))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.value, got, secretsShow); diff != "" {
				t.Errorf("read (-want +got)\n%s", diff)
			}
		})
	}
}

func TestDecodeValueRefuses(t *testing.T) {
	tests := map[string]struct{ wire, want string }{
		"null":                            {`null`, "null is no parameter value; leave the parameter out"},
		"null in a list":                  {`["a", null]`, "element 1: null is no parameter value; leave the parameter out"},
		"a fraction":                      {`1.5`, "1.5 is no whole number of 64 bits"},
		"too large a number":              {`9223372036854775808`, "9223372036854775808 is no whole number of 64 bits"},
		"a plain object":                  {`{"a": 1}`, "an object needs exactly one key that begins with $, has 0"},
		"two tags":                        {`{"$ref": "a", "$secret": "b"}`, "an object needs exactly one key that begins with $, has 2"},
		"an unknown tag":                  {`{"$file": "a"}`, "unknown tag $file"},
		"a Ref to nothing":                {`{"$ref": ""}`, "$ref has a wrong shape"},
		"a Ref with more":                 {`{"$ref": "a", "propetry": "Id"}`, "$ref has a wrong shape"},
		"an empty property":               {`{"$ref": "a", "property": ""}`, "$ref has a wrong shape"},
		"a secret that is no text":        {`{"$secret": 5}`, "$secret has a wrong shape"},
		"a secret with more":              {`{"$secret": "a", "b": 1}`, "$secret has a wrong shape"},
		"a credential without a password": {`{"$credential": {"user": "u"}}`, "$credential has a wrong shape"},
		"two values":                      {`1 2`, "decoding value: text after the value"},
		"no JSON":                         {`{`, "decoding value: unexpected EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := hostagent.DecodeValue([]byte(test.wire))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, %v; want %s", v, err, test.want)
			}
		})
	}
}

func values() *rapid.Generator[hostagent.Value] {
	leaf := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) hostagent.Value { return hostagent.Text(s) }),
		rapid.Map(rapid.Bool(), func(b bool) hostagent.Value { return hostagent.Bool(b) }),
		rapid.Map(rapid.Int64(), func(n int64) hostagent.Value { return hostagent.Int(n) }),
		rapid.Map(rapid.String(), func(s string) hostagent.Value { return hostagent.NewSecret(s) }),
		rapid.Map(rapid.String(), func(s string) hostagent.Value {
			return hostagent.Credential{User: "u" + s, Password: hostagent.NewSecret(s)}
		}),
		rapid.Map(rapid.StringMatching(`[a-z]+`), func(s string) hostagent.Value { return hostagent.Ref{Call: s} }),
		rapid.Map(rapid.StringMatching(`[A-Z]+`), func(s string) hostagent.Value { return hostagent.Ref{Call: "c", Property: s} }),
	)
	return rapid.OneOf(leaf, rapid.Map(rapid.SliceOfN(leaf, 0, 4), func(l []hostagent.Value) hostagent.Value { return hostagent.List(l) }))
}

func batches() *rapid.Generator[hostagent.Batch] {
	return rapid.Custom(func(t *rapid.T) hostagent.Batch {
		b := hostagent.Batch{
			Target:  hostagent.Target{Host: rapid.SampledFrom([]string{"", "HOST1"}).Draw(t, "host")},
			Logon:   rapid.SampledFrom([]hostagent.Logon{"", hostagent.LogonSystem, hostagent.LogonExplicit}).Draw(t, "logon"),
			OnError: rapid.SampledFrom([]hostagent.OnError{hostagent.Stop, hostagent.Continue}).Draw(t, "onError"),
		}
		if b.Logon == hostagent.LogonExplicit {
			b.Credential = &hostagent.Credential{User: rapid.String().Draw(t, "user"), Password: hostagent.NewSecret(rapid.String().Draw(t, "password"))}
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "calls") {
			b.Calls = append(b.Calls, hostagent.Call{
				ID: fmt.Sprintf("c%d", i), Cmdlet: "Get-Item",
				Parameters: rapid.MapOfN(rapid.StringMatching(`[A-Z][a-z]+`), values(), 1, 3).Draw(t, "parameters"),
				Select:     rapid.SampledFrom([][]string{nil, {"A", "B.C"}}).Draw(t, "select"),
			})
		}
		if rapid.Bool().Draw(t, "nested") {
			inner := b
			b.Calls = append(slices.Clip(b.Calls), hostagent.Call{
				ID: "guest", Cmdlet: "Invoke-GuestBatch", Parameters: hostagent.Parameters{"Batch": hostagent.Nested{Batch: inner}},
			})
		}
		return b
	})
}

// A batch that has travelled is the batch that was sent.
func TestBatchComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := batches().Draw(t, "batch")
		wire, err := hostagent.EncodeBatch(sent)
		if err != nil {
			t.Fatal(err)
		}
		var got hostagent.Batch
		if err := json.Unmarshal(wire, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent, got, secretsShow); diff != "" {
			t.Errorf("%s comes back as something else (-sent +got)\n%s", wire, diff)
		}
	})
}

// Whatever is read as a value is written as it was meant: reading it again gives the same.
func FuzzDecodeValue(f *testing.F) {
	for _, wire := range []string{`"a"`, `true`, `-5`, `[1,["a"]]`, `{"$ref":"a","property":"B.C"}`, `{"$secret":""}`, `{"$credential":{"user":"u","password":"p"}}`, `{"$batch":{"onError":"Stop","calls":[]}}`, `null`} {
		f.Add([]byte(wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		v, err := hostagent.DecodeValue(wire)
		if err != nil {
			return
		}
		encoded, err := hostagent.EncodeBatch(hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Parameters: hostagent.Parameters{"P": v}}}})
		if err != nil {
			t.Fatalf("%s was read and cannot be written: %v", wire, err)
		}
		var again hostagent.Batch
		if err := json.Unmarshal(encoded, &again); err != nil {
			t.Fatalf("%s cannot be read again: %v", encoded, err)
		}
		if diff := cmp.Diff(v, again.Calls[0].Parameters["P"], secretsShow, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s changes (-first +again)\n%s", wire, diff)
		}
	})
}

// TestSecretsNeverShow: nothing but EncodeBatch writes a secret, however it is asked.
func TestSecretsNeverShow(t *testing.T) {
	credential := hostagent.Credential{User: "u", Password: hostagent.NewSecret(password)}
	inner := hostagent.Batch{Credential: &credential, OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "in", Cmdlet: "Add-Computer", Parameters: hostagent.Parameters{"Credential": credential}}}}
	batch := hostagent.Batch{
		Target: hostagent.Target{VM: "v", Credential: &credential}, Logon: hostagent.LogonExplicit, Credential: &credential, OnError: hostagent.Stop,
		Calls: []hostagent.Call{{ID: "a", Cmdlet: "Invoke-GuestBatch", Parameters: hostagent.Parameters{
			"Secret": hostagent.NewSecret(password), "List": hostagent.List{credential, hostagent.NewSecret(password)},
			"Credential": credential, "Batch": hostagent.Nested{Batch: inner},
		}}},
	}
	shown := map[string]string{}
	for name, v := range map[string]any{"batch": batch, "pointer": &batch, "parameters": batch.Calls[0].Parameters, "credential": credential, "secret": credential.Password, "target": batch.Target} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown[name+" "+verb] = fmt.Sprintf(verb, v)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown[name+" as JSON"] = string(raw)
	}
	_, err := hostagent.DecodeValue([]byte(`{"$credential": {"user": "u", "password": "hunter2", "more": 1}}`))
	shown["a decoding error"] = err.Error()
	shown["a validating error"] = fmt.Sprint(hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: "B", Parameters: hostagent.Parameters{"P": hostagent.List{hostagent.NewSecret(password), hostagent.Ref{Call: "x"}}}}}}.Validate())
	for name, text := range shown {
		if strings.Contains(text, password) || strings.Contains(text, fmt.Sprintf("%x", password)) {
			t.Errorf("%s shows the secret: %s", name, text)
		}
	}
	wire, err := hostagent.EncodeBatch(batch)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(wire), password); got != 7 {
		t.Errorf("the wire has %d of 7 secrets", got)
	}
}
