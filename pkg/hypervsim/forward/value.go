package forward

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

// parameter reads a bound parameter: plain JSON, {"$handle": "o1"} for a live object, {"$table": …} for a hash table, a secret or
// credential as hostagent.Value has it.
func parameter(raw json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return parameterValue(v)
}

func parameterValue(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		return v.Int64()
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			var err error
			if out[i], err = parameterValue(e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		if handle, ok := v["$handle"].(string); ok {
			return hypervsim.Handle(handle), nil
		}
		if table, ok := v["$table"].(map[string]any); ok {
			return parameterTable(table)
		}
		return secretValue(v)
	default:
		return v, nil
	}
}

func parameterTable(table map[string]any) (any, error) {
	out := make(map[string]any, len(table))
	for name, e := range table {
		var err error
		if out[name], err = parameterValue(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func secretValue(object map[string]any) (any, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	switch v, _ := hostagent.DecodeValue(raw); v.(type) {
	case hostagent.Secret, hostagent.Credential:
		return v, nil
	default:
		return nil, fmt.Errorf("an object that is neither a handle nor a secret")
	}
}

// liveJSON is a live object in an answer.
type liveJSON struct {
	Handle     hypervsim.Handle `json:"$handle"`
	Class      string           `json:"class"`
	Text       string           `json:"text"`
	Properties map[string]any   `json:"properties"`
}

// encoded gives a value as JSON has it: {"$date": …} for an instant, {"$table": …} for a hash table.
func encoded(v any) any {
	switch v := v.(type) {
	case hypervsim.Live:
		return liveJSON{Handle: v.Handle, Class: v.Class, Text: v.Text, Properties: encodedAll(v.Properties)}
	case time.Time:
		return map[string]any{"$date": v.UTC()}
	case map[string]any:
		return map[string]any{"$table": encodedAll(v)}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = encoded(e)
		}
		return out
	default:
		return v
	}
}

func encodedAll(values map[string]any) map[string]any {
	if values == nil {
		return nil
	}
	out := make(map[string]any, len(values))
	for name, v := range values {
		out[name] = encoded(v)
	}
	return out
}
